"""Pooling: a window of pixels becomes one pixel.  Global pooling is x.mean((1, 2)) or x.max((1, 2)).

(B, H, W, C) -> (B, H', W', C) with H' = floor((H + 2 padding - kernel) / stride) + 1, and W' likewise.
"""

import math

import numpy as np

from ..backend import array_module
from ..memory import empty
from ..engine import primitive
from .checks import check_array, of_floats, pair
from .resize import mix
from .windows import Windows, batch_slices


@primitive
def max_pool2d(x, kernel, *, stride=None, padding=0):
    """The largest number of each window, padding apart. The gradient goes to the first pixel that holds it.

    Of integers and bool too; a window with a NaN gives NaN.
    Windows lie side by side (the stride is the kernel's size) unless another stride is given.
    """
    xp, windows, least = array_module(x), _windows("max_pool2d", x, kernel, stride, padding), _least(x.dtype)
    y = empty((len(x), *windows.grid, x.shape[-1]), x.dtype, xp)
    slices = batch_slices(len(x), 2 * math.prod(x.shape[1:]), xp)
    for pictures in slices:
        first, *others = windows.pixels(windows.pad(x[pictures], least))
        largest = y[pictures]
        largest[...] = first
        for pixel in others:
            xp.maximum(largest, pixel, out=largest)

    def backward(dy):
        dx = empty(x.shape, dy.dtype, xp)
        for pictures in slices:
            padded = windows.pad(x[pictures], least)
            gradient, undecided = xp.zeros(padded.shape, dtype=dy.dtype), xp.ones(y[pictures].shape, dtype=bool)
            for pixel, to_pixel in zip(windows.pixels(padded), windows.pixels(gradient), strict=True):
                chosen = undecided > (pixel < y[pictures])  # undecided and not smaller: NaN is never equal
                undecided ^= chosen
                to_pixel += dy[pictures] * chosen
            dx[pictures] = gradient[windows.inside]
        return dx
    return y, backward


@primitive
@of_floats("x")
def avg_pool2d(x, kernel, *, stride=None, padding=0, count_include_pad=True):
    """The mean of each window; the zeros of the padding count as pixels if count_include_pad.

    Windows lie side by side (the stride is the kernel's size) unless another stride is given.
    """
    windows = _windows("avg_pool2d", x, kernel, stride, padding)
    means = []
    for n, m, k, s, (before, _) in zip(windows.image, windows.grid, windows.kernel, windows.stride, windows.padding,
                                       strict=True):
        start = np.arange(m) * s - before
        inside = _spans(n, start, start + k)
        means.append(inside / (k if count_include_pad else inside.sum(1, keepdims=True)))
    return mix(x, *means)


@primitive
@of_floats("x")
def adaptive_avg_pool2d(x, size):
    """The mean of each of H' x W' windows of nearly equal size.    (B, H, W, C), (H', W') -> (B, H', W', C)

    Row i of the result covers rows floor(i H / H') to ceil((i + 1) H / H') - 1 of x, as in PyTorch.
    """
    if x.ndim != 4 or min(pair(size)) < 1:
        raise ValueError(f"adaptive_avg_pool2d: expected pictures (B, H, W, C) and a size of at least 1, got {x.shape} "
                         f"and {size}")
    means = []
    for n, m in zip(x.shape[1:3], pair(size), strict=True):
        i = np.arange(m)
        inside = _spans(n, i * n // m, -(-(i + 1) * n // m))
        means.append(inside / inside.sum(1, keepdims=True))
    return mix(x, *means)


def _least(dtype):
    """What no number of the dtype is smaller than."""
    return -math.inf if dtype.kind == "f" else np.iinfo(dtype).min if dtype.kind in "iu" else False


def _spans(n, start, end):
    """Row i is 1 from start_i to end_i - 1 and 0 elsewhere.    (m,), (m,) -> (m, n)"""
    position = np.arange(n)
    return (start[:, None] <= position) & (position < end[:, None])


def _windows(name, x, kernel, stride, padding):
    check_array(name, "x", x)
    if x.ndim != 4:
        raise ValueError(f"{name}: expected pictures (B, H, W, C), got {x.shape}")
    windows = Windows(x.shape[1:3], kernel, stride=kernel if stride is None else stride, padding=padding)
    for k, sides in zip(windows.kernel, windows.padding, strict=True):
        if 2 * max(sides) > k:
            raise ValueError(f"{name}: padding {padding} is more than half of the kernel {kernel}; a window could miss "
                             "the picture")
    return windows
