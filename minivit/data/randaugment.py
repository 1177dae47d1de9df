"""RandAugment.    Cubuk et al., "RandAugment: practical automated data augmentation", 2019, arXiv:1909.13719.

N operations, drawn from fourteen with equal probability, one after another, all at one magnitude M: two numbers to
search instead of a policy. The ranges of the operations are AutoAugment's (arXiv:1805.09501), whose ends are at M = 10
(section 3); translations, there up to 150 of 331 pixels, reach 0.45 of a side.

Departures from the paper's implementation, where a larger M could mean a weaker change: posterize and solarize grow
stronger with M, and an enhancement has the factor 1 plus or minus 0.09 M.
"""

import numpy as np

from ..backend import array_module
from ..settings import expect_number, expect_whole
from .checks import expect_pictures
from .colour import autocontrast, brightness, contrast, equalize, posterize, saturation, sharpness, solarize

GREY = 128


def affine(images, matrices):
    """Pixel (x, y) takes the nearest pixel of the source at `matrix` (x, y, 1), or grey outside the picture.

    (B, H, W, C), (B, 2, 3) -> (B, H, W, C). Coordinates are those of pixel centres: 0.5, 1.5, ...
    """
    xp = array_module(images)
    batch, height, width, channels = images.shape
    x, y = xp.arange(width) + 0.5, xp.arange(height)[:, None] + 0.5
    rows = xp.asarray(matrices)[:, :, :, None, None]  # (B, 2, 3, 1, 1)
    source = xp.floor(rows[:, :, 0] * x + rows[:, :, 1] * y + rows[:, :, 2]).astype(np.int64)  # (B, 2, H, W)
    column, row = source[:, 0], source[:, 1]
    outside = (column < 0) | (column >= width) | (row < 0) | (row >= height)
    pixel = xp.arange(batch)[:, None, None] * height * width + row * width + column
    moved = images.reshape(-1, channels)[xp.where(outside, 0, pixel)]  # (B*H*W, C) -> (B, H, W, C)
    xp.copyto(moved, GREY, where=outside[..., None])
    return moved


def rotate(images, degrees):
    """Turn each picture around its centre, counter-clockwise.    (B, H, W, C), (B,) -> (B, H, W, C)"""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y = images.shape[2] / 2, images.shape[1] / 2
    return affine(images, _matrices(cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y))


def shear(images, across, down):
    """Shift rows by `across` times their height in the picture, and columns likewise by `down`."""
    return affine(images, _matrices(1, across, 0, down, 1, 0))


def translate(images, across, down):
    """Take each pixel from so many pixels to its right and below."""
    return affine(images, _matrices(1, 0, across, 0, 1, down))


def _matrices(*entries):
    """Six numbers, or arrays of one for each picture, as matrices.    -> (B, 2, 3)"""
    return np.stack(np.broadcast_arrays(*entries), axis=-1).reshape(-1, 2, 3)  # (B, 6) -> (B, 2, 3)


# Each takes pictures (B, H, W, 3) and levels (B,) from -1 to 1: the magnitude, with a random sign.
OPERATIONS = {
    "identity": lambda images, level: images,
    "autocontrast": lambda images, level: autocontrast(images),
    "equalize": lambda images, level: equalize(images),
    "rotate": lambda images, level: rotate(images, 30 * level),
    "solarize": lambda images, level: solarize(images, 256 * (1 - np.abs(level))),
    "color": lambda images, level: saturation(images, 1 + 0.9 * level),
    "posterize": lambda images, level: posterize(images, 8 - np.rint(4 * np.abs(level)).astype(int)),
    "contrast": lambda images, level: contrast(images, 1 + 0.9 * level),
    "brightness": lambda images, level: brightness(images, 1 + 0.9 * level),
    "sharpness": lambda images, level: sharpness(images, 1 + 0.9 * level),
    "shear-x": lambda images, level: shear(images, 0.3 * level, 0),
    "shear-y": lambda images, level: shear(images, 0, 0.3 * level),
    "translate-x": lambda images, level: translate(images, 0.45 * images.shape[2] * level, 0),
    "translate-y": lambda images, level: translate(images, 0, 0.45 * images.shape[1] * level),
}


def rand_augment(images, rng, *, operations=2, magnitude=9):
    """Apply random operations to each picture.    uint8 (B, H, W, 3) -> uint8 (B, H, W, 3)

    Parameters
    ----------
    operations : int
        N, how many operations a picture goes through.
    magnitude : float
        M, from 0 to 10.
    """
    expect_pictures("rand_augment", images, kind="u")
    expect_whole("rand_augment: operations", operations, 0)
    expect_number("rand_augment: magnitude", magnitude, 0, 10)
    xp = array_module(images)
    images = images.copy()
    for _ in range(operations):
        chosen = rng.integers(len(OPERATIONS), size=len(images))
        levels = magnitude / 10 * rng.choice([-1, 1], size=len(images))
        for k, operation in enumerate(OPERATIONS.values()):
            index = np.flatnonzero(chosen == k)
            if len(index):
                on_device = xp.asarray(index)
                images[on_device] = operation(images[on_device], levels[index])
    return images
