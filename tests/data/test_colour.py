"""Values against Pillow, level by level."""

import colorsys

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from minivit.backend import asnumpy, to_device
from minivit.data import colour


def pictures():
    """Noise, pale noise, one level, two levels, and a picture of few levels: every case of the definitions."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (12, 24, 20, 3), dtype=np.uint8)
    noise[1:4] = noise[1:4] // 4 + 90
    noise[4] = 77
    noise[5, ..., 1] = 200
    noise[6] = np.where(noise[6] < 30, 10, 250)
    noise[7] = noise[7] // 64 * 64
    noise[8] = 255
    return noise


IMAGES = pictures()
FACTORS = np.array([0, 0.1, 0.5, 0.9, 1, 1, 1.1, 1.5, 1.9, 0.3, 0.77, 1.33])


def with_pillow(function, amounts=None):
    arguments = [()] * len(IMAGES) if amounts is None else [(amount,) for amount in amounts.tolist()]
    return np.stack([np.asarray(function(Image.fromarray(image), *argument))
                     for image, argument in zip(IMAGES, arguments, strict=True)])


def check(device, function, expected, *amounts, levels=0):
    before = to_device(IMAGES.copy(), device)
    after = function(before, *amounts)
    assert after.dtype == np.uint8
    np.testing.assert_array_equal(asnumpy(before), IMAGES)
    assert np.abs(asnumpy(after).astype(int) - expected.astype(int)).max() <= levels


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "sharpness"])
def test_enhancements(device, name):
    pillow = getattr(ImageEnhance, "Color" if name == "saturation" else name.capitalize())
    expected = with_pillow(lambda image, factor: pillow(image).enhance(factor), FACTORS)
    # Whether a compiler rounds a + b * c once or twice decides between two levels where the value is a whole number.
    check(device, getattr(colour, name), expected, FACTORS, levels=1)
    exact = asnumpy(getattr(colour, name)(to_device(IMAGES, device), FACTORS)) == expected
    assert exact.mean() > 0.99


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
def test_histogram_operations(device, name):
    check(device, getattr(colour, name), with_pillow(getattr(ImageOps, name)))


def test_solarize(device):
    thresholds = np.array([0, 1, 50, 100, 128, 200, 255, 256, 77, 90, 10, 250])
    check(device, colour.solarize, with_pillow(ImageOps.solarize, thresholds), thresholds)


def test_posterize(device):
    bits = np.array([1, 2, 3, 4, 5, 6, 7, 8, 4, 5, 6, 7])
    check(device, colour.posterize, with_pillow(ImageOps.posterize, bits), bits)


def test_luminance(device):
    expected = with_pillow(lambda image: image.convert("L"))
    np.testing.assert_array_equal(asnumpy(colour.luminance(to_device(IMAGES, device))), expected)


def test_hue(device):
    turns = np.linspace(-0.5, 0.5, len(IMAGES))
    expected = np.empty(IMAGES.shape)
    for picture, turn in enumerate(turns):
        for y, x in np.ndindex(IMAGES.shape[1:3]):
            hue, saturation, value = colorsys.rgb_to_hsv(*(IMAGES[picture, y, x] / 255))
            expected[picture, y, x] = 255 * np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
    check(device, colour.hue, np.rint(expected), turns, levels=1)


def test_no_turn_of_the_hue_changes_nothing(device):
    check(device, colour.hue, IMAGES, np.zeros(len(IMAGES)))
