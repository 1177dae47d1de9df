"""Pictures at another size, by interpolation: what PyTorch's `interpolate` does with align_corners=False.

    y = R x C^T    (H', H), (H, W), (W, W') -> (H', W'), for each channel

A row of R says what a row of y is made of: the centre of row i lies at (i + 1/2) H / H' - 1/2 in x, and a kernel weighs
the rows around it. The matrices are small, and the gradient of x is the same product with R^T and C^T.
Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29, 1981 (eq. 8 has the kernel).
"""

import functools

import numpy as np

from ..backend import array_module
from ..engine import primitive
from .windows import pair


@primitive
def resize(x, size, *, mode="bilinear", antialias=False):
    """(B, H, W, C) -> (B, H', W', C)

    Parameters
    ----------
    size : int or (int, int)
        H' and W'.
    mode : "bilinear" or "bicubic"
        The kernel: a hat, or Keys' cubic.
    antialias : bool
        Whether to stretch the kernel where the picture shrinks, so that every pixel of x counts. As in PyTorch and
        PIL, the cubic has a = -0.5 then, and -0.75 otherwise.
    """
    if mode not in ("bilinear", "bicubic"):
        raise ValueError(f"resize: expected mode 'bilinear' or 'bicubic', got {mode!r}")
    if x.ndim != 4 or min(*x.shape[1:3], *pair(size)) < 1:
        raise ValueError(f"resize: expected pictures (B, H, W, C) and a size of at least 1, got {x.shape} and {size}")
    return mix(x, *(_interpolation(old, new, mode, antialias)
                    for old, new in zip(x.shape[1:3], pair(size), strict=True)))


def mix(x, rows, columns):
    """y = R x C^T and its pullback.    (B, H, W, C), R (H', H), C (W', W) -> (B, H', W', C)"""
    xp = array_module(x)
    rows, columns = xp.asarray(rows, dtype=x.dtype), xp.asarray(columns, dtype=x.dtype)
    return _mix(x, rows, columns), lambda dy: _mix(dy, rows.T, columns.T)


def _mix(x, rows, columns):
    B, H, W, C = x.shape
    x = (rows @ x.reshape(B, H, W * C)).reshape(-1, W, C)           # (B H', W, C)
    return (columns @ x).reshape(B, len(rows), len(columns), C)     # (B, H', W', C)


@functools.lru_cache(maxsize=64)
def _interpolation(old, new, mode, antialias):
    """The matrix (new, old) along one axis."""
    scale = old / new
    centres = (np.arange(new)[:, None] + 0.5) * scale - 0.5
    if antialias:
        weights = _kernel((np.arange(old) - centres) / max(scale, 1), mode, a=-0.5)
        return weights / weights.sum(1, keepdims=True)
    positions = np.floor(centres) + np.arange(-1, 3)
    matrix = np.zeros((new, old))
    pixels = positions.clip(0, old - 1).astype(int)  # beyond the edge, the last pixel is repeated
    np.add.at(matrix, (np.arange(new)[:, None], pixels), _kernel(positions - centres, mode, a=-0.75))
    return matrix


def _kernel(t, mode, a):
    """The weight at distance t from the centre."""
    t = np.abs(t)
    if mode == "bilinear":
        return np.maximum(1 - t, 0)
    near, far = (a + 2) * t ** 3 - (a + 3) * t ** 2 + 1, a * (t ** 3 - 5 * t ** 2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0))
