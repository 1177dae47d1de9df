"""Crops, blur, grey and inverted levels, beside torchvision's functions of tensors and beside Pillow."""

import numpy as np
import pytest
from PIL import Image

from minivit import data
from minivit.backend import asnumpy, to_device
from minivit.data import views
from tests.counterpart import import_official

SHAPE = 24, 20, 28, 3


def rng(seed=0):
    return np.random.default_rng(seed)


def pictures(smooth=False):
    """Noise, of whose pixels no two are alike; or waves, which stay within the levels when they are resized."""
    if not smooth:
        return rng().integers(0, 256, SHAPE, dtype=np.uint8)
    y, x = np.arange(SHAPE[1])[:, None, None], np.arange(SHAPE[2])[:, None]
    waves = np.sin(rng().uniform(0.1, 1, (len(pictures()), 1, 1, 3)) * (y + 2 * x))
    return (127 + 100 * waves).astype(np.uint8)


def torchvision():
    """Its functions, and a way from our pictures to theirs in floating-point numbers and back."""
    functions, torch = import_official("torchvision.transforms.v2.functional"), pytest.importorskip("torch")

    def there(images):
        return torch.tensor(images.transpose(0, 3, 1, 2).astype(np.float32))  # (B, C, H, W)

    def back(images):
        return images.clamp(0, 255).numpy().transpose(0, 2, 3, 1)
    return functions, there, back


def assert_rounded(levels, values):
    """Every level is the one next to its value; in the middle between two, either."""
    assert levels.dtype == np.uint8
    assert np.abs(levels - values).max() <= 0.5 + 2e-4


@pytest.mark.parametrize("size", [(20, 28), 16, (40, 9), 1], ids=str)
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_crops_are_those_of_torchvision(mode, antialias, size):
    functions, there, back = torchvision()
    cropped = data.random_resized_crop(pictures(), rng(1), size=size, scale=(0.02, 1), mode=mode, antialias=antialias)
    height, width = size if isinstance(size, tuple) else (size, size)
    assert cropped.shape == (SHAPE[0], height, width, 3)
    rectangles = views.draw_rectangles(rng(1), *SHAPE[:3], (0.02, 1), (3 / 4, 4 / 3))
    expected = [back(functions.resized_crop(there(picture[None]), *rectangle, [height, width],
                                            functions.InterpolationMode(mode), antialias))
                for picture, rectangle in zip(pictures(), rectangles.T.tolist(), strict=True)]
    assert_rounded(cropped, np.concatenate(expected))


def test_crops_are_those_of_pillow():
    images = pictures(smooth=True)
    cropped = data.random_resized_crop(images, rng(1), size=12, scale=(0.3, 1))
    rectangles = views.draw_rectangles(rng(1), *SHAPE[:3], (0.3, 1), (3 / 4, 4 / 3))
    for picture, ours, (top, left, height, width) in zip(images, cropped, rectangles.T.tolist(), strict=True):
        box = (left, top, left + width, top + height)
        theirs = Image.fromarray(picture).crop(box).resize((12, 12), Image.Resampling.BILINEAR)
        assert np.abs(ours.astype(int) - np.asarray(theirs).astype(int)).max() <= 1  # Pillow rounds twice


def test_rectangles_have_the_areas_and_shapes_asked_for_and_lie_anywhere():
    top, left, height, width = views.draw_rectangles(rng(), 20_000, 32, 32, (0.2, 0.6), (0.5, 2.0))
    share = height * width / 32 ** 2
    assert share.min() == pytest.approx(0.2, abs=0.02)
    assert share.max() == pytest.approx(0.6, abs=0.02)
    assert share.mean() == pytest.approx(0.4, abs=0.01)
    assert (width / height).min() == pytest.approx(0.5, abs=0.05)
    assert (width / height).max() == pytest.approx(2, abs=0.15)
    assert np.log(width / height).mean() == pytest.approx(0, abs=0.02)  # as often wide as high
    assert (np.minimum(top, left) >= 0).all()
    assert (top + height <= 32).all()
    assert (left + width <= 32).all()
    fixed = (height == 20) & (width == 20)
    counts = np.bincount(13 * top[fixed] + left[fixed], minlength=169)
    expected = fixed.sum() / 169
    assert ((counts - expected) ** 2 / expected).sum() < 168 + 5 * np.sqrt(2 * 168)  # chi-squared


@pytest.mark.parametrize(("rows", "columns", "rectangle"), [(32, 32, (8, 0, 16, 32)), (64, 16, (28, 0, 8, 16)),
                                                          (8, 64, (0, 24, 8, 16))])
def test_where_nothing_fits_the_largest_of_a_right_shape_in_the_middle_is_taken(rows, columns, rectangle):
    found = views.draw_rectangles(rng(), 5, rows, columns, (1, 1), (2, 2))
    np.testing.assert_array_equal(found.T, [rectangle] * 5)


def test_the_whole_picture_stays_as_it_is(device):
    images = to_device(pictures(), device)
    for mode in ("bilinear", "bicubic"):
        cropped = data.random_resized_crop(images, rng(), scale=(1, 1), ratio=(1.4, 1.4), mode=mode)
        np.testing.assert_array_equal(asnumpy(cropped), pictures())


def test_a_small_crop_of_a_picture_on_its_device(device):
    cropped = data.random_resized_crop(to_device(pictures(), device), rng(2), size=10, scale=(0.05, 0.4))
    on_host = data.random_resized_crop(pictures(), rng(2), size=10, scale=(0.05, 0.4))
    np.testing.assert_array_equal(asnumpy(cropped), on_host)


@pytest.mark.parametrize(("kernel_size", "sigma"), [(3, (0.1, 2)), (9, (1, 3)), (None, (0.1, 2))], ids=str)
def test_blur_is_that_of_torchvision(kernel_size, sigma):
    functions, there, back = torchvision()
    images = pictures()
    blurred = data.random_blur(images, rng(3), probability=1, sigma=sigma, kernel_size=kernel_size)
    widths = rng(3).uniform(*sigma, len(images))
    size = [kernel_size or 13] * 2
    expected = [back(functions.gaussian_blur(there(picture[None]), size, [width] * 2))
                for picture, width in zip(images, widths, strict=True)]
    assert_rounded(blurred, np.concatenate(expected))


def test_a_kernel_is_no_wider_than_a_mirrored_picture():
    small = pictures()[:, :4, :4]
    assert data.random_blur(small, rng(), probability=1, sigma=(9, 9)).std() < small.std() / 2
    with pytest.raises(ValueError, match="random_blur: kernel_size: expected a whole number from 1 to 7, got 9"):
        data.random_blur(small, rng(), kernel_size=9)


def test_grey_is_that_of_pillow():
    grey = data.random_grey(pictures(), rng(), probability=1)
    for picture, ours in zip(pictures(), grey, strict=True):
        np.testing.assert_array_equal(ours, np.asarray(Image.fromarray(picture).convert("L").convert("RGB")))


def test_inverted_levels_are_those_of_torchvision():
    functions, there, back = torchvision()
    inverted = data.random_solarize(pictures(), rng(), probability=1, threshold=100)
    # of floating-point pictures torchvision takes the largest level to be 1
    expected = back(255 * functions.solarize(there(pictures()) / 255, 100 / 255))
    assert_rounded(inverted, expected)


@pytest.mark.parametrize("step", [data.random_grey, data.random_blur, data.random_solarize])
@pytest.mark.parametrize("probability", [0, 0.25, 1])
def test_each_picture_is_changed_with_a_probability(device, step, probability):
    images = to_device(np.tile(pictures()[:1, :8, :8], (2000, 1, 1, 1)), device)
    changed = (asnumpy(step(images, rng(), probability=probability)) != asnumpy(images)).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(probability, abs=0.12 * probability * (2 - probability))


def test_other_steps_for_another_view():
    samples = data.Samples(data.Dataset(pictures(), name="some"), mean=0.5, std=0.5, steps=[data.random_flip])
    chosen = np.arange(6)
    small = samples.view(chosen, rng(), [lambda images, rng: data.random_resized_crop(images, rng, size=8)])
    assert small.shape == (6, 8, 8, 3)
    expected = data.random_resized_crop(pictures()[:6], rng(), size=8)
    np.testing.assert_array_equal(small, samples.normalised(expected))
    assert samples.view(chosen, rng()).shape == (6, *SHAPE[1:])


@pytest.mark.parametrize(("step", "settings", "message"), [
    (data.random_resized_crop, {"scale": (0.5, 1.5)}, "random_resized_crop: scale: expected a number above 0, up to 1"),
    (data.random_resized_crop, {"ratio": (2, 0.5)}, "random_resized_crop: ratio: expected the smaller number first"),
    (data.random_resized_crop, {"size": 0}, "random_resized_crop: size: expected a whole number of at least 1, got 0"),
    (data.random_resized_crop, {"mode": "bicubc"}, "random_resized_crop: mode: .*did you mean 'bicubic'"),
    (data.random_blur, {"kernel_size": 4}, "random_blur: kernel_size: expected an odd number, got 4"),
    (data.random_blur, {"sigma": (0, 1)}, "random_blur: sigma: expected a number above 0, got 0"),
    (data.random_grey, {"probability": 2}, "random_grey: probability: expected a number from 0 to 1, got 2"),
    (data.random_solarize, {"threshold": -1}, "random_solarize: threshold: expected a number from 0 to 256, got -1"),
])
def test_wrong_settings(step, settings, message):
    with pytest.raises(ValueError, match=message):
        step(pictures(), rng(), **settings)


@pytest.mark.parametrize("step", [data.random_resized_crop, data.random_blur, data.random_grey, data.random_solarize])
def test_normalised_pictures_are_refused(step):
    with pytest.raises(TypeError, match=f"{step.__name__}: expected uint8 images"):
        step(np.zeros((2, 8, 8, 3), np.float32), rng())
