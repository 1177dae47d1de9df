"""Convolution of every channel by itself, as in MobileNet (Howard et al., 2017, arXiv:1704.04861, section 3.1).

    y[h, w, c] = sum over (k, l) of x[s h + d k, s w + d l, c] w[k, l, c]    (s stride, d dilation)

There is no sum over channels, so there is no matrix product either. What einsum does for one pixel of the window, it
does along the longest stretch of memory that it finds: with stride 1, that is a whole line of the picture.
"""

import math

from ..backend import array_module
from .windows import batch_slices


def forward(x, w, windows):
    """(B, H, W, C), (kh, kw, 1, C) -> (B, H', W', C)"""
    xp = array_module(x)
    y = xp.empty((len(x), *windows.grid, x.shape[-1]), dtype=x.dtype)
    lines = xp.repeat(w, windows.grid[1], axis=2)  # (kh, kw, W', C): the weights of all the pixels of a line
    for pictures, padded in windows.pad_by_slice(x, _slices(x, windows)):
        y[pictures] = xp.einsum("nhklwc,klwc->nhwc", _lines(padded, windows), lines)
    return y


def weight_gradient(x, dy, windows):
    """(B, H, W, C), (B, H', W', C) -> (kh, kw, 1, C)"""
    xp = array_module(x)
    dw = xp.zeros((*windows.kernel, windows.grid[1], x.shape[-1]), dtype=x.dtype)  # (kh, kw, W', C)
    for pictures, padded in windows.pad_by_slice(x, _slices(x, windows)):
        dw += xp.einsum("nhklwc,nhwc->klwc", _lines(padded, windows), dy[pictures])
    return dw.sum(2, keepdims=True)


def input_gradient(dy, w, windows):
    """(B, H', W', C), (kh, kw, 1, C) -> (B, H, W, C)"""
    turned = windows.turned()
    if turned:
        return forward(dy, w[::-1, ::-1], turned)
    dx = array_module(dy).empty((len(dy), *windows.image, dy.shape[-1]), dtype=dy.dtype)
    for pictures in _slices(dx, windows):
        dx[pictures] = windows.add(dy[pictures][:, :, :, None, None] * w[:, :, 0])  # (n, H', W', kh, kw, C) added up
    return dx


def _lines(padded, windows):
    """All windows, as a view, with what one line of y needs of a pixel side by side.    (n, H', kh, kw, W', C)"""
    return windows.view(padded).transpose(0, 1, 3, 4, 2, 5)


def _slices(x, windows):
    return batch_slices(len(x), math.prod((*windows.grid, *windows.kernel, x.shape[-1])), array_module(x))
