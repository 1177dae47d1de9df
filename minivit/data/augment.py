"""Augmentation of whole batches, on the device where they lie.

A step is a function `step(images, rng)` of pictures (B, H, W, C) and a NumPy generator. It returns new pictures and
leaves its argument alone, and draws for every picture anew: on the host, so that a batch meets the same fate on every
device. Only what was drawn goes to a GPU, and nothing comes back, so that the host never waits: pictures and pixels are
chosen by their numbers, since CuPy lets the host count a mask. A pipeline is a list of steps, with their settings fixed
by `functools.partial`:

    steps = [partial(random_crop, padding=4), random_flip, partial(rand_augment, magnitude=5)]
    images = normalise(augment(images, rng, steps), mean, std)
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..backend import array_module
from ..names import expect
from ..settings import expect_number, expect_whole
from ..types import Array, Numbers, Step
from . import colour
from .checks import expect_array, expect_pictures


def augment(images: Array, rng: np.random.Generator, steps: Sequence[Step]) -> Array:
    """Apply the steps of a pipeline in turn.    (B, H, W, C) -> (B, H, W, C)"""
    for step in steps:
        images = step(images, rng)
    return images


def normalise(images: Array, mean: Numbers, std: Numbers) -> Array:
    """(images / 255 - mean) / std, channel by channel.    uint8 (B, H, W, C), (C,), (C,) -> float32 (B, H, W, C)

    `mean` and `std` are those of the training set: see `channel_statistics`.
    """
    expect_array("normalise", "images", images)
    if images.dtype != np.uint8:
        raise TypeError(f"normalise: expected uint8 images, got {images.dtype}")
    xp = array_module(images)
    if array_module(std) is np and not np.all(np.asarray(std) > 0):  # on a GPU, the host would wait for the answer
        raise ValueError(f"normalise: expected std above 0, got {std}")
    mean, std = (xp.asarray(value, dtype=np.float32) for value in (mean, std))
    return images * (1 / (255 * std)) - mean / std


def random_crop(images: Array, rng: np.random.Generator, *, padding: int = 4, mode: str = "constant") -> Array:
    """Pad every side, then cut out a window of the old size.    (B, H, W, C) -> (B, H, W, C)

    What ResNet was trained with on CIFAR: He et al., CVPR 2016, arXiv:1512.03385, section 4.2.

    Parameters
    ----------
    mode : {"constant", "reflect"}
        Whether the padding is black or mirrors the picture.
    """
    expect_pictures("random_crop", images)
    expect_whole("random_crop: padding", padding, 0)
    expect("random_crop: mode", mode, ("constant", "reflect"))
    xp = array_module(images)
    batch, height, width, channels = images.shape
    padded = xp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode=mode)
    rows = padded.reshape(batch, height + 2 * padding, -1)  # (B, H + 2p, (W + 2p)*C)
    windows = xp.lib.stride_tricks.sliding_window_view(rows, (height, width * channels), axis=(1, 2))
    top, left = xp.asarray(rng.integers(2 * padding + 1, size=(2, batch)))
    return windows[xp.arange(batch), top, channels * left].reshape(images.shape)  # (B, H, W*C) -> (B, H, W, C)


def random_flip(images: Array, rng: np.random.Generator, *, probability: float = 0.5) -> Array:
    """Mirror left and right, each picture with a probability.    (B, H, W, C) -> (B, H, W, C)"""
    expect_pictures("random_flip", images)
    expect_number("random_flip: probability", probability, 0, 1)
    return change_some(images, rng, probability, lambda some, _: some[:, :, ::-1])


def change_some(images: Array, rng: np.random.Generator, probability: float,
                change: Callable[[Array, np.ndarray], Array]) -> Array:
    """A copy of the pictures in which each, with a probability, is what `change` makes of it.

    change(some, chosen) gets the pictures (b, H, W, C) that chance has chosen, and their numbers (b,) on the host.
    """
    chosen = np.flatnonzero(rng.random(len(images)) < probability)
    changed = images.copy()
    if len(chosen):
        on_device = array_module(images).asarray(chosen)
        changed[on_device] = change(images[on_device], chosen)
    return changed


def random_erasing(images: Array, rng: np.random.Generator, *, probability: float = 0.5,
                   area: tuple[float, float] = (0.02, 0.4), aspect: tuple[float, float] = (0.3, 1 / 0.3)) -> Array:
    """Fill a rectangle with noise, each picture with a probability.    (B, H, W, C) -> (B, H, W, C)

    Zhong et al., "Random erasing data augmentation", AAAI 2020, arXiv:1708.04896, algorithm 1. The noise is uniform
    over the levels of a uint8 picture, and standard normal in a floating-point one, which is taken to be normalised.
    Departures from the paper: the aspect ratio is drawn on a logarithmic scale, so that a rectangle is as often wide as
    high; of ten rectangles the first that fits into the picture is used, and its place drawn from those where it fits.

    Parameters
    ----------
    area : (float, float)
        Range of the rectangle's share of the picture.
    aspect : (float, float)
        Range of its height by its width.
    """
    expect_pictures("random_erasing", images)
    expect_number("random_erasing: probability", probability, 0, 1)
    expect_range("random_erasing: area", area, 1)
    expect_range("random_erasing: aspect", aspect)
    xp = array_module(images)
    batch, height, width, _ = images.shape
    areas = height * width * rng.uniform(*area, (batch, 10))
    narrowest, widest = np.log(aspect)
    ratios = np.exp(rng.uniform(narrowest, widest, (batch, 10)))
    heights, widths = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))  # (B, 10)
    fits = (heights <= height) & (widths <= width)
    first = np.arange(batch), fits.argmax(axis=1)
    erased = fits[first] & (rng.random(batch) < probability)
    h, w = heights[first] * erased, widths[first] * erased
    top, left = np.floor(rng.random(batch) * (height - h + 1)), np.floor(rng.random(batch) * (width - w + 1))
    pixels = np.flatnonzero(rectangle_masks(np, top, top + h, left, left + w, (height, width)))
    shape = len(pixels), images.shape[-1]
    if images.dtype == np.uint8:
        noise = rng.integers(256, size=shape, dtype=np.uint8)
    else:
        noise = rng.standard_normal(shape).astype(images.dtype)
    images = xp.array(images, order="C")
    images.reshape(-1, images.shape[-1])[xp.asarray(pixels)] = xp.asarray(noise)  # (B*H*W, C)
    return images


def expect_range(what, ends, high=math.inf) -> None:
    """Raise an error unless `ends` are two numbers above 0, up to `high`, of which the second is not the smaller."""
    if not isinstance(ends, tuple | list) or len(ends) != 2:
        raise TypeError(f"{what}: expected two numbers, got {ends!r}")
    for end in ends:
        expect_number(what, end, 0, high, above=True)
    if ends[0] > ends[1]:
        raise ValueError(f"{what}: expected the smaller number first, got {ends}")


def rectangle_masks(xp, top, bottom, left, right, shape: tuple[int, ...]):
    """Which pixels lie in rows top to bottom - 1 and columns left to right - 1.    (B,) each -> bool (B, H, W)"""
    top, bottom, left, right = (xp.asarray(edge)[:, None, None] for edge in (top, bottom, left, right))
    y, x = xp.arange(shape[0])[:, None], xp.arange(shape[1])
    return (top <= y) & (y < bottom) & (left <= x) & (x < right)


def colour_jitter(images: Array, rng: np.random.Generator, *, brightness: float = 0.4, contrast: float = 0.4,
                  saturation: float = 0.4, hue: float = 0.1, probability: float = 1.0) -> Array:
    """Change brightness, contrast, saturation and hue, in this order, by random amounts.    uint8 (B, H, W, 3) -> same

    Each picture is changed with a probability. Each amount is half the width of a range: of factors around 1, of turns
    of the hue around 0. The defaults are those of SimCLR for CIFAR-10: Chen et al., ICML 2020, arXiv:2002.05709,
    appendix A with the strength 0.5 of appendix B.9.
    """
    expect_pictures("colour_jitter", images, kind="u")
    for setting, amount, high in (("brightness", brightness, 1), ("contrast", contrast, 1),
                                  ("saturation", saturation, 1), ("hue", hue, 0.5)):
        expect_number(f"colour_jitter: {setting}", amount, 0, high)
    expect_number("colour_jitter: probability", probability, 0, 1)
    halves = [(1, brightness), (1, contrast), (1, saturation), (0, hue)]
    amounts = [rng.uniform(middle - half, middle + half, len(images)) for middle, half in halves]

    def jitter(some, chosen):
        for change, amount in zip((colour.brightness, colour.contrast, colour.saturation, colour.hue), amounts,
                                  strict=True):
            some = change(some, amount[chosen])
        return some
    return change_some(images, rng, probability, jitter)
