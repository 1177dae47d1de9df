from functools import partial

import numpy as np
import pytest

from minivit import data
from minivit.backend import asnumpy, to_device

# Every pixel of a picture is different from all others: what came from where can be read off.
HEIGHT, WIDTH = 7, 9
POSITIONS = np.arange(1, 1 + HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
CHANNELS = np.uint8([0, 64, 128])


def pictures(count, device, dtype=np.uint8):
    images = np.broadcast_to(POSITIONS[..., None] + CHANNELS, (count, HEIGHT, WIDTH, 3)).astype(dtype)
    return to_device(images, device)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_random_crop_cuts_every_window_of_the_padded_picture(device, mode, dtype):
    images = pictures(2000, device, dtype)
    cropped = data.random_crop(images, rng(), padding=2, mode=mode)
    assert cropped.shape == images.shape
    assert cropped.dtype == dtype
    padded = np.pad(asnumpy(images)[0], ((2, 2), (2, 2), (0, 0)), mode=mode)
    windows = {padded[y:y + HEIGHT, x:x + WIDTH].tobytes(): (y, x) for y in range(5) for x in range(5)}
    offsets = np.array([windows[picture.tobytes()] for picture in asnumpy(cropped)])
    counts = np.bincount(offsets @ [5, 1], minlength=25)
    assert counts.min() > 80 * 0.6
    assert counts.max() < 80 * 1.5


def test_random_crop_without_padding_changes_nothing(device):
    np.testing.assert_array_equal(asnumpy(data.random_crop(pictures(5, device), rng(), padding=0)),
                                  asnumpy(pictures(5, device)))


@pytest.mark.parametrize("probability", [0, 0.2, 0.5, 1])
def test_random_flip(device, probability):
    images = pictures(4000, device)
    flipped = asnumpy(data.random_flip(images, rng(), probability=probability))
    mirrored = (flipped == asnumpy(images)[:, :, ::-1]).all(axis=(1, 2, 3))
    untouched = (flipped == asnumpy(images)).all(axis=(1, 2, 3))
    assert (mirrored ^ untouched).all()
    assert mirrored.mean() == pytest.approx(probability, abs=4 * np.sqrt(0.25 / 4000))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_random_erasing_fills_one_rectangle(device, dtype):
    images = to_device(np.full((3000, 32, 24, 3), 300 if dtype == np.float32 else 7, dtype), device)
    erased = asnumpy(data.random_erasing(images, rng(), probability=0.4, area=(0.1, 0.3)))
    assert erased.dtype == dtype
    changed = (erased != asnumpy(images)).any(axis=-1)
    hit = changed.any(axis=(1, 2))
    assert hit.mean() == pytest.approx(0.4, abs=0.04)

    boxes = data.shapes10.boxes_around(changed[hit])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share = width * height / (32 * 24)
    assert (changed[hit].sum(axis=(1, 2)) >= 0.95 * width * height).all()  # noise may be the level that was there
    assert 0.08 < share.min() < 0.13
    assert 0.27 < share.max() < 0.33
    assert share.mean() == pytest.approx(0.2, abs=0.01)
    assert (height / width).min() == pytest.approx(0.3, abs=0.08)
    assert (height / width).max() == pytest.approx(1 / 0.3, abs=0.5)
    assert boxes[:, :2].min() == 0
    assert boxes[:, 2].max() == 24
    assert boxes[:, 3].max() == 32
    assert changed.any(axis=0).all()

    noise = erased[changed].astype(np.float64)
    middle, deviation = (127.5, 255 / np.sqrt(12)) if dtype == np.uint8 else (0, 1)
    assert noise.mean() == pytest.approx(middle, abs=0.02 * deviation)
    assert noise.std() == pytest.approx(deviation, rel=0.02)


def test_random_erasing_leaves_a_picture_where_no_rectangle_fits(device):
    images = pictures(20, device)
    erased = data.random_erasing(images, rng(), probability=1, area=(0.5, 1), aspect=(50, 60))
    np.testing.assert_array_equal(asnumpy(erased), asnumpy(images))


def test_colour_jitter_draws_for_each_picture(device):
    images = to_device(np.full((500, 4, 4, 3), (90, 120, 60), np.uint8), device)
    jittered = asnumpy(data.colour_jitter(images, rng()))
    assert jittered.dtype == np.uint8
    assert len(np.unique(jittered[:, 0, 0], axis=0)) > 400
    only_bright = asnumpy(data.colour_jitter(images, rng(), brightness=0.5, contrast=0, saturation=0, hue=0))
    factors = only_bright[:, 0, 0] / [90, 120, 60]
    assert np.ptp(factors, axis=1).max() < 0.02
    assert factors.min() == pytest.approx(0.5, abs=0.02)
    assert factors.max() == pytest.approx(1.5, abs=0.02)


def test_colour_jitter_of_some_pictures(device):
    images = to_device(np.full((2000, 2, 2, 3), (90, 120, 60), np.uint8), device)
    jittered = asnumpy(data.colour_jitter(images, rng(), probability=0.3))
    assert (jittered != asnumpy(images)).any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.05)


def test_normalise(device):
    images, mean, std = pictures(3, device), np.array([0.4, 0.5, 0.6]), np.array([0.1, 0.2, 0.3])
    normalised = data.normalise(images, mean, std)
    assert normalised.dtype == np.float32
    np.testing.assert_allclose(asnumpy(normalised), (asnumpy(images) / 255 - mean) / std, atol=1e-5)


def test_normalise_by_the_measured_statistics():
    images = rng().integers(0, 200, (300, 8, 8, 3), dtype=np.uint8)
    normalised = data.normalise(images, *data.channel_statistics(images)).astype(np.float64)
    np.testing.assert_allclose(normalised.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_normalise_refuses_floating_point():
    with pytest.raises(TypeError, match="normalise: expected uint8 images, got float64"):
        data.normalise(np.zeros((1, 2, 2, 3)), 0.5, 0.5)


@pytest.mark.parametrize("name", data.STEPS)
def test_steps_by_name_leave_their_argument_alone_and_repeat(device, name):
    step = data.augmentation(name)
    images = to_device(rng().integers(0, 256, (64, 16, 16, 3), dtype=np.uint8), device)
    before = asnumpy(images).copy()
    first, again = step(images, rng(1)), step(images, rng(1))
    assert first is not images
    np.testing.assert_array_equal(asnumpy(first), asnumpy(again))
    np.testing.assert_array_equal(asnumpy(images), before)
    assert (asnumpy(step(images, rng(2))) != asnumpy(first)).any()
    assert (asnumpy(first) == asnumpy(step(to_device(before, "cpu"), rng(1)))).mean() > 0.999


def test_unknown_step():
    with pytest.raises(ValueError, match="augmentation: 'random_corp' does not exist; did you mean 'random_crop'?"):
        data.augmentation("random_corp")


def test_pipeline(device):
    images = pictures(50, device)
    steps = [partial(data.random_crop, padding=1), data.random_flip]
    together = data.augment(images, rng(), steps)
    one_by_one = rng()
    expected = data.random_flip(data.random_crop(images, one_by_one, padding=1), one_by_one)
    np.testing.assert_array_equal(asnumpy(together), asnumpy(expected))
