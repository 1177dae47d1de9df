"""Convolution of every channel by itself, as in MobileNet (Howard et al., 2017, arXiv:1704.04861, section 3.1).

    y[h, w, c] = sum over (i, j) of x[s h + d i, s w + d j, c] w[i, j, c]    (s stride, d dilation)

There is no sum over channels, so no matrix product either: it is kh kw shifted pictures, multiplied and added.
"""

import math

from ..backend import array_module
from .windows import batch_slices


def forward(x, w, windows):
    """(B, H, W, C), (kh, kw, 1, C) -> (B, H', W', C)"""
    xp = array_module(x)
    y = xp.empty((len(x), *windows.grid, x.shape[-1]), dtype=x.dtype)
    weights = _lines(w, windows)
    for pictures in _slices(x, windows):
        total, product = y[pictures], xp.empty_like(y[pictures])
        first, *others = zip(windows.pixels(windows.pad(x[pictures])), weights, strict=True)
        xp.multiply(*first, out=total)
        for pixel, weight in others:
            total += xp.multiply(pixel, weight, out=product)
    return y


def weight_gradient(x, dy, windows):
    """(B, H, W, C), (B, H', W', C) -> (kh, kw, 1, C)"""
    xp, C = array_module(x), x.shape[-1]
    dw = xp.zeros((math.prod(windows.kernel), C), dtype=x.dtype)
    for pictures in _slices(x, windows):
        dy_chunk = dy[pictures]
        ones = xp.ones(dy_chunk.size // C, dtype=dy.dtype)
        for i, pixel in enumerate(windows.pixels(windows.pad(x[pictures]))):
            dw[i] += ones @ (pixel * dy_chunk).reshape(-1, C)
    return dw.reshape(*windows.kernel, 1, C)


def input_gradient(dy, w, windows):
    """(B, H', W', C), (kh, kw, 1, C) -> (B, H, W, C)"""
    xp, turned, C = array_module(dy), windows.turned(), dy.shape[-1]
    if turned:
        return forward(dy, w[::-1, ::-1], turned)
    dx = xp.empty((len(dy), *windows.image, C), dtype=dy.dtype)
    for pictures in _slices(dx, windows):
        dx[pictures] = windows.add(dy[pictures][:, :, :, None, None] * w[:, :, 0])
    return dx


def _lines(w, windows):
    """The weights of each pixel of the window, repeated along a line of the picture.

    NumPy then multiplies a line in one go instead of pixel by pixel.    (kh, kw, 1, C) -> kh kw times (W', C)
    """
    w = w.reshape(-1, 1, w.shape[-1])  # (kh kw, 1, C)
    return array_module(w).repeat(w, windows.grid[1], 1)


def _slices(x, windows):
    return batch_slices(len(x), 2 * math.prod(windows.padded) * x.shape[-1], array_module(x))
