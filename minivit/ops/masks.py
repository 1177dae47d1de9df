"""Picking by place or by mask: triangles, fills, and the one of several."""

import numpy as np

from ..backend import array_module, is_array
from ..engine import primitive
from .operands import as_arrays


@primitive
def tril(x, diagonal=0):
    """The lower triangle of each matrix, and zeros above its diagonal, or the one so many places to the right of it.

    (..., n, m) -> (..., n, m)
    """
    xp = array_module(x)
    return xp.tril(_matrices("tril", x), diagonal), lambda dy: xp.tril(dy, diagonal)


@primitive
def triu(x, diagonal=0):
    """The upper triangle of each matrix, and zeros below its diagonal, or the one so many places to the right of it.

    (..., n, m) -> (..., n, m)
    """
    xp = array_module(x)
    return xp.triu(_matrices("triu", x), diagonal), lambda dy: xp.triu(dy, diagonal)


@primitive
def masked_fill(x, mask, value):
    """x, and `value` (a number, or an array) where the mask holds; both stretch to the shape of x."""
    xp, (mask,), (x, value) = array_module(x), as_arrays(mask), as_arrays(x, value)
    if not is_array(mask) or mask.dtype.kind != "b":
        raise TypeError(f"masked_fill: mask: expected an array of bool, got {getattr(mask, 'dtype', mask)}")
    shapes = mask.shape, getattr(value, "shape", ())
    if np.broadcast_shapes(x.shape, *shapes) != x.shape:
        raise ValueError(f"masked_fill: mask {shapes[0]} and value {shapes[1]} do not stretch to {x.shape}")
    return xp.where(mask, value, x), lambda dy: (
        lambda: xp.where(mask, 0, dy), None, lambda: xp.where(mask, dy, 0))


@primitive
def one_hot(labels, classes, dtype=np.float32):
    """1 at the place of each label (a whole number from 0 to classes - 1), else 0.    (...) -> (..., classes)"""
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot: labels: expected whole numbers, got dtype {labels.dtype}")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"one_hot: labels: expected 0 to {classes - 1}, got {int(labels.min())} to "
                         f"{int(labels.max())}")
    return (labels[..., None] == array_module(labels).arange(classes)).astype(dtype), None


def _matrices(name, x):
    if x.ndim < 2:
        raise ValueError(f"{name}: expected matrices (..., n, m), got {x.shape}")
    return x
