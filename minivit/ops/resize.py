"""Pictures at another size, by interpolation: what PyTorch's `interpolate` does.

    y = R x C^T    (H', H), (H, W), (W, W') -> (H', W'), for each channel

A row of R says what a row of y is made of: the centre of row i lies at (i + 1/2) H / H' - 1/2 in x, and a kernel weighs
the rows around it; with align_corners at i (H - 1) / (H' - 1), so that the first and the last rows fall together. The
matrices are small, and the gradient of x is the same product with R^T and C^T.
Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29, 1981 (eq. 8 has the kernel).
"""

import functools

import numpy as np

from ..backend import array_module, device_of, to_device
from ..engine import primitive
from .checks import check_array, check_floating, of_floats, pair

KERNELS, NEAREST = ("bilinear", "bicubic"), ("nearest", "nearest-exact")


@primitive
def resize(x, size, *, mode="bilinear", antialias=False, align_corners=False):
    """(B, H, W, C) -> (B, H', W', C)

    Parameters
    ----------
    size : int or (int, int)
        H' and W'.
    mode : "bilinear", "bicubic", "nearest" or "nearest-exact"
        The kernel: a hat, or Keys' cubic; or one pixel of x, whatever its dtype: for row i row floor(i H / H') or, in
        the middle of what row i covers, floor((i + 1/2) H / H').
    antialias : bool
        Whether to stretch the kernel where the picture shrinks, so that every pixel of x counts. As in PyTorch and
        PIL, the cubic has a = -0.5 then, and -0.75 otherwise.
    align_corners : bool
        Whether the centres of the corner pixels stay where they are, and not the borders of the picture.
    """
    if mode not in KERNELS + NEAREST:
        raise ValueError(f"resize: expected mode 'bilinear', 'bicubic', 'nearest' or 'nearest-exact', got {mode!r}")
    if (antialias or align_corners) and mode in NEAREST or antialias and align_corners:
        raise ValueError(f"resize: antialias={antialias} and align_corners={align_corners} do not go with mode "
                         f"{mode!r}: at most one of them, and neither with the nearest pixel")
    check_array("resize", "x", x)
    if x.ndim != 4 or min(*x.shape[1:3], *pair(size)) < 1:
        raise ValueError(f"resize: expected pictures (B, H, W, C) and a size of at least 1, got {x.shape} and {size}")
    lengths = list(zip(x.shape[1:3], pair(size), strict=True))
    if mode in NEAREST:
        return _pick(x, *(_nearest(old, new, mode) for old, new in lengths))
    check_floating("resize", "x", x)
    return mix(x, *(_matrix(*length, mode, antialias, align_corners, x.dtype, device_of(x)) for length in lengths))


def _pick(x, rows, columns):
    """Row rows[i] and column columns[j] of x, for all i, j, and the pullback.    (B, H, W, C) -> (B, H', W', C)"""
    xp, (_, H, W, _) = array_module(x), x.shape

    def backward(dy):
        chosen = [xp.asarray(index == np.arange(n)[:, None], dtype=dy.dtype)  # (H, H'), (W, W')
                  for index, n in ((rows, H), (columns, W))]
        return _mix(dy, *chosen)
    return x[:, xp.asarray(rows)][:, :, xp.asarray(columns)], backward


@functools.lru_cache(maxsize=64)
def _nearest(old, new, mode):
    """The pixel of x for each of y along one axis, in float32 as PyTorch computes it.    -> (new,)"""
    middle = np.float32(0 if mode == "nearest" else 0.5)
    pixels = np.floor((np.arange(new, dtype=np.float32) + middle) * np.float32(old / new))
    return pixels.astype(int).clip(0, old - 1)


@of_floats("x")
def mix(x, rows, columns):
    """y = R x C^T and its pullback.    (B, H, W, C), R (H', H), C (W', W) -> (B, H', W', C)"""
    xp = array_module(x)
    rows, columns = xp.asarray(rows, dtype=x.dtype), xp.asarray(columns, dtype=x.dtype)
    return _mix(x, rows, columns), lambda dy: _mix(dy, rows.T, columns.T)


def _mix(x, rows, columns):
    B, H, W, C = x.shape
    x = (rows @ x.reshape(B, H, W * C)).reshape(B * len(rows), W, C)    # (B H', W, C)
    return (columns @ x).reshape(B, len(rows), len(columns), C)         # (B, H', W', C)


@functools.lru_cache(maxsize=64)
def _matrix(old, new, mode, antialias, align_corners, dtype, device):
    """`_interpolation` where it is used, put there once: a CUDA graph copies nothing from the host."""
    return to_device(_interpolation(old, new, mode, antialias, align_corners).astype(dtype), device)


def _interpolation(old, new, mode, antialias, align_corners):
    """The matrix (new, old) along one axis."""
    scale = old / new
    centres = (np.arange(new)[:, None] + 0.5) * scale - 0.5
    if align_corners:
        centres = np.arange(new)[:, None] * ((old - 1) / max(new - 1, 1))
    if antialias:
        weights = kernel((np.arange(old) - centres) / max(scale, 1), mode, a=-0.5)
        return weights / weights.sum(1, keepdims=True)
    positions = np.floor(centres) + np.arange(-1, 3)
    matrix = np.zeros((new, old))
    pixels = positions.clip(0, old - 1).astype(int)  # beyond the edge, the last pixel is repeated
    np.add.at(matrix, (np.arange(new)[:, None], pixels), kernel(positions - centres, mode, a=-0.75))
    return matrix


def kernel(t, mode, a):
    """The weight at distance t from the centre: a hat, or Keys' cubic with its free number a.    (...) -> (...)"""
    xp, t = array_module(t), abs(t)
    if mode == "bilinear":
        return xp.maximum(1 - t, 0)
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, a * (((t - 5) * t + 8) * t - 4)
    return xp.where(t <= 1, near, xp.where(t < 2, far, 0))
