"""Overlapping patches of a picture as tokens, and back: the soft split of T2T-ViT (Yuan et al., arXiv:2101.11986).

The L = H' W' windows come row by row. The last axis holds one window in the order (kh, kw, C): its pixels row by row,
the channels of a pixel side by side. `nn.patchify` is the case of windows that neither overlap nor leave gaps.
"""

import math

from ..engine import primitive
from .checks import check_array, of_floats
from .windows import Windows


@primitive
def unfold(x, kernel, *, stride=1, padding=0, dilation=1):
    """The windows of pictures.    (B, H, W, C) -> (B, L, kh kw C)"""
    check_array("unfold", "x", x)
    if x.ndim != 4:
        raise ValueError(f"unfold: expected pictures (B, H, W, C), got {x.shape}")
    B, H, W, C = x.shape
    windows = Windows((H, W), kernel, stride=stride, padding=padding, dilation=dilation)
    return _unfold(x, windows), lambda dy: _fold(dy, windows)


@primitive
@of_floats("y")
def fold(y, image, kernel, *, stride=1, padding=0, dilation=1):
    """Windows laid on pictures of H x W = `image` pixels and added up.    (B, L, kh kw C) -> (B, H, W, C)

    The adjoint of `unfold`; its inverse where windows do not overlap.
    """
    windows = Windows(image, kernel, stride=stride, padding=padding, dilation=dilation)
    (kh, kw), (rows, columns) = windows.kernel, windows.grid
    if y.ndim != 3 or y.shape[1] != rows * columns or y.shape[2] % (kh * kw):
        raise ValueError(f"fold: expected {rows} x {columns} = {rows * columns} windows of {kh} x {kw} pixels, "
                         f"(B, {rows * columns}, {kh * kw} C), got {y.shape}")
    return _fold(y, windows), lambda dx: _unfold(dx, windows)


def _unfold(x, windows):
    B, *_, C = x.shape
    (kh, kw), (rows, columns) = windows.kernel, windows.grid
    return windows.view(windows.pad(x)).reshape(B, rows * columns, kh * kw * C)  # (B, L, kh kw C)


def _fold(y, windows):
    B, _, width = y.shape
    pixels = y.reshape(B, *windows.grid, *windows.kernel, width // math.prod(windows.kernel))  # (B, H', W', kh, kw, C)
    return windows.add(pixels)  # (B, H, W, C)
