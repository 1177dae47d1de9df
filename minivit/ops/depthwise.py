"""Convolution of every channel by itself, as in MobileNet (Howard et al., 2017, arXiv:1704.04861, section 3.1).

    y[h, w, c] = sum over (k, l) of x[s h + d k, s w + d l, c] w[k, l, c]    (s stride, d dilation)

There is no sum over channels, so there is no matrix product either. einsum multiplies and adds along the longest
stretch of memory that it finds: one pixel, or, with stride 1, a whole line of the picture.
"""

import math

from ..backend import array_module
from ..memory import empty
from .windows import batch_slices


def forward(x, w, windows):
    """(B, H, W, C), (kh, kw, 1, C) -> (B, H', W', C)"""
    xp = array_module(x)
    y = empty((len(x), *windows.grid, x.shape[-1]), x.dtype, xp)
    weights = xp.repeat(w, windows.grid[1], axis=2)  # (kh, kw, W', C): those of each pixel of a line
    for pictures, padded in windows.pad_by_slice(x, _slices(x, windows)):
        lines = _lines(padded, windows)
        y_lines = xp.einsum("nhklwc,klwc->nhwc", lines, weights.reshape(lines.shape[2:]))
        y[pictures] = y_lines.reshape(y[pictures].shape)  # (n, H', W', C)
    return y


def weight_gradient(x, dy, windows):
    """(B, H, W, C), (B, H', W', C) -> (kh, kw, 1, C)"""
    xp = array_module(x)
    dw = xp.zeros((*windows.kernel, x.shape[-1]), dtype=x.dtype)
    for pictures, padded in windows.pad_by_slice(x, _slices(x, windows)):
        dw += xp.einsum("nhwklc,nhwc->klc", windows.view(padded), dy[pictures])
    return dw[:, :, None]  # (kh, kw, 1, C)


def input_gradient(dy, w, windows):
    """(B, H', W', C), (kh, kw, 1, C) -> (B, H, W, C)"""
    turned = windows.turned()
    if turned:
        return forward(dy, w[::-1, ::-1], turned)
    dx = empty((len(dy), *windows.image, dy.shape[-1]), dy.dtype, array_module(dy))
    for pictures in _slices(dx, windows):
        dx[pictures] = windows.add(dy[pictures][:, :, :, None, None] * w[:, :, 0])  # (n, H', W', kh, kw, C) added up
    return dx


def _lines(padded, windows):
    """What each line of y reads, for each pixel of the windows, as a view.

    (n, H', kh, kw, W', C), or (n, H', kh, kw, 1, W' C) where the line is one stretch of memory
    """
    lines = windows.view(padded).transpose(0, 1, 3, 4, 2, 5)  # (n, H', kh, kw, W', C)
    return lines.reshape(*lines.shape[:4], 1, -1) if windows.stride[1] == 1 else lines


def _slices(x, windows):
    return batch_slices(len(x), math.prod((*windows.grid, *windows.kernel, x.shape[-1])), array_module(x))
