"""Augmentation for learning from several views of a picture: crops of any size, blur, grey, inverted levels.

They are what SimCLR (arXiv:2002.05709) and BYOL (arXiv:2006.07733, appendix B) made the custom, and what MoCo v3 and
DINO took over. A crop that is resized and a blur are the same thing, a product with two matrices, one for the rows and
one for the columns, of which every picture has its own:

    y = R x C^T    (H', H), (H, W), (W, W') -> (H', W'), for each channel
"""

import math
from collections.abc import Sequence

import numpy as np

from ..backend import array_module
from ..names import expect
from ..ops.resize import KERNELS, kernel
from ..settings import expect_number, expect_whole
from ..types import Array, Size
from . import colour
from .augment import change_some, expect_range
from .checks import expect_pictures


def random_resized_crop(images: Array, rng: np.random.Generator, *, size: Size | None = None,
                        scale: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3),
                        mode: str = "bilinear", antialias: bool = True) -> Array:
    """Cut out a rectangle of random area and shape, and resize it.    uint8 (B, H, W, C) -> uint8 (B, H', W', C)

    Szegedy et al., "Going deeper with convolutions", CVPR 2015, arXiv:1409.4842, section 6; drawn and resized as
    torchvision does it: of ten rectangles the first that fits is taken, else the largest in the middle whose shape is
    within `ratio`.

    Parameters
    ----------
    size : int or (int, int), optional
        H' and W', by default H and W.
    scale : (float, float)
        Range of the rectangle's share of the picture.
    ratio : (float, float)
        Range of its width by its height.
    mode : "bilinear" or "bicubic"
    antialias : bool
        Whether every pixel of a crop counts that is larger than its new size.
    """
    expect_pictures("random_resized_crop", images, kind="u")
    expect_range("random_resized_crop: scale", scale, 1)
    expect_range("random_resized_crop: ratio", ratio)
    expect("random_resized_crop: mode", mode, KERNELS)
    size = images.shape[1:3] if size is None else size if isinstance(size, Sequence) else (size, size)
    for pixels in size:
        expect_whole("random_resized_crop: size", pixels, 1)
    xp = array_module(images)
    batch, old_height, old_width, _ = images.shape
    rectangles = draw_rectangles(rng, batch, old_height, old_width, scale, ratio)
    top, left, height, width = xp.asarray(rectangles, dtype=np.float32)
    rows = _window_matrices(top, height, old_height, size[0], mode, antialias)
    columns = _window_matrices(left, width, old_width, size[1], mode, antialias)
    return _mixed(images, rows, columns)


def draw_rectangles(rng: np.random.Generator, count: int, rows: int, columns: int, scale: tuple[float, float],
                    ratio: tuple[float, float]) -> np.ndarray:
    """Top, left, height and width of `count` random rectangles in a picture (rows, columns).    -> int (4, count)"""
    areas = rows * columns * rng.uniform(*scale, (count, 10))
    narrowest, widest = np.log(ratio)
    ratios = np.exp(rng.uniform(narrowest, widest, (count, 10)))
    widths, heights = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))  # (count, 10)
    fits = (widths > 0) & (widths <= columns) & (heights > 0) & (heights <= rows)
    first = np.arange(count), fits.argmax(axis=1)
    nearest = min(max(columns / rows, ratio[0]), ratio[1])  # the largest rectangle of the shape nearest the picture's
    height = np.where(fits[first], heights[first], min(rows, np.rint(columns / nearest)))
    width = np.where(fits[first], widths[first], min(columns, np.rint(rows * nearest)))
    free = np.stack([rows - height, columns - width])  # (2, count)
    corners = np.where(fits[first], np.floor(rng.random((2, count)) * (free + 1)), free // 2)
    return np.stack([*corners, height, width]).astype(np.int64)


def random_blur(images: Array, rng: np.random.Generator, *, probability: float = 0.5,
                sigma: tuple[float, float] = (0.1, 2.0), kernel_size: int | None = None) -> Array:
    """Smooth by a Gaussian of random width, each picture with a probability.    uint8 (B, H, W, C) -> uint8

    As torchvision's: the Gaussian is cut off where the kernel ends, and beyond the edge the picture is mirrored.

    Parameters
    ----------
    sigma : (float, float)
        Range of the standard deviation in pixels.
    kernel_size : int, optional
        An odd number of pixels, by default so many that three standard deviations fit on either side.
    """
    expect_pictures("random_blur", images, kind="u")
    expect_number("random_blur: probability", probability, 0, 1)
    expect_range("random_blur: sigma", sigma)
    reach = min(images.shape[1:3]) - 1  # a mirrored picture has no more
    if kernel_size is None:
        kernel_size = 2 * min(math.ceil(3 * sigma[1]), reach) + 1
    expect_whole("random_blur: kernel_size", kernel_size, 1, 2 * reach + 1)
    if kernel_size % 2 == 0:
        raise ValueError(f"random_blur: kernel_size: expected an odd number, got {kernel_size}")
    widths = rng.uniform(*sigma, len(images))

    def blur(some, chosen):
        xp = array_module(some)
        deviation = xp.asarray(widths[chosen], dtype=np.float32)[:, None]
        distances = xp.arange(kernel_size, dtype=np.float32) - kernel_size // 2
        weights = xp.exp(-0.5 * (distances / deviation) ** 2)                # (b, kernel_size)
        weights /= weights.sum(axis=1, keepdims=True)
        return _mixed(some, *(_smoothing_matrices(weights, length) for length in some.shape[1:3]))
    return change_some(images, rng, probability, blur)


def random_grey(images: Array, rng: np.random.Generator, *, probability: float = 0.2) -> Array:
    """Take the colour away, each picture with a probability.    uint8 (B, H, W, 3) -> uint8 (B, H, W, 3)"""
    expect_pictures("random_grey", images, kind="u")
    expect_number("random_grey: probability", probability, 0, 1)
    return change_some(images, rng, probability, lambda some, _: colour.luminance(some)[..., None])


def random_solarize(images: Array, rng: np.random.Generator, *, probability: float = 0.2,
                    threshold: float = 128) -> Array:
    """Invert the levels from a threshold on, each picture with a probability.    uint8 (B, H, W, C) -> uint8"""
    expect_pictures("random_solarize", images, kind="u")
    expect_number("random_solarize: probability", probability, 0, 1)
    expect_number("random_solarize: threshold", threshold, 0, 256)
    return change_some(images, rng, probability,
                       lambda some, chosen: colour.solarize(some, np.full(len(chosen), threshold)))


def _window_matrices(start, length, old, new, mode, antialias):
    """What each new row is made of, where rows start .. start + length - 1 of `old` are kept.    (B,) -> (B, new, old)

    As `minivit.ops.resize` weighs them, for a window that each picture has to itself.
    """
    xp = array_module(start)
    start, length = start[:, None, None], length[:, None, None]
    scale = length / new
    centres = (xp.arange(new, dtype=np.float32)[:, None] + 0.5) * scale - 0.5    # (B, new, 1), in the window
    rows = xp.arange(old, dtype=np.float32) - start                                    # (B, 1, old)
    inside = (rows >= 0) & (rows < length)
    if antialias:
        weights = kernel((rows - centres) / xp.maximum(scale, 1), mode, a=-0.5) * inside
        return weights / weights.sum(axis=2, keepdims=True)
    weights = xp.zeros((len(start), new, old), np.float32)
    for tap in range(-1, 3):
        positions = xp.floor(centres) + tap
        pixels = xp.clip(positions, 0, length - 1)                           # beyond the edge, the last is repeated
        weights += (rows == pixels) * kernel(positions - centres, mode, a=-0.75)
    return weights


def _smoothing_matrices(weights, length):
    """Rows of a kernel along a line that is mirrored at its ends.    (B, kernel_size) -> (B, length, length)"""
    xp, taps = array_module(weights), weights.shape[1]
    sources = abs(xp.arange(length) + xp.arange(taps)[:, None] - taps // 2)  # (kernel_size, length)
    sources = length - 1 - abs(length - 1 - sources)
    taken = (sources[..., None] == xp.arange(length)).astype(np.float32)     # (kernel_size, length, length)
    return (weights @ taken.reshape(taps, -1)).reshape(-1, length, length)   # (B, length length)


def _mixed(images, rows, columns):
    """y = R x C^T, rounded to levels.    (B, H, W, C), (B, H', H), (B, W', W) -> uint8 (B, H', W', C)"""
    xp, (B, H, W, C) = array_module(images), images.shape
    y = rows @ images.reshape(B, H, W * C).astype(np.float32)                # (B, H', W C)
    y = y.reshape(B, -1, W, C).transpose(0, 2, 1, 3).reshape(B, W, -1)       # (B, W, H' C)
    y = xp.clip(xp.rint(columns @ y), 0, 255).astype(np.uint8)               # (B, W', H' C)
    return y.reshape(B, columns.shape[1], -1, C).transpose(0, 2, 1, 3)       # (B, H', W', C)
