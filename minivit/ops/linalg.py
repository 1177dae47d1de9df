"""Matrix products.  Inner dimensions are summed, the dimensions before the last two broadcast, as in NumPy.

    z = x y   =>   dx = dz y^T   and   dy = x^T dz
"""

import numpy as np

from ..backend import array_module
from ..engine import primitive
from .operands import products
from .products import multiply


@primitive
@products
def matmul(x, y):
    """x @ y.    (..., n, k), (..., k, m) -> (..., n, m); a vector (k,) on either side drops its axis from the result"""
    _check_inner("matmul", x, y)
    z = x @ y if y.ndim == 1 else multiply(x, y)  # (..., n, m)

    def backward(dz):
        left = x.reshape(1, -1) if x.ndim == 1 else x  # (..., n, k)
        right = y.reshape(-1, 1) if y.ndim == 1 else y  # (..., k, m)
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        dz = dz.reshape(*batch, left.shape[-2], right.shape[-1])  # (..., n, m)

        def dx():
            if right.ndim == 2:
                return multiply(dz, right.T).reshape(x.shape)  # (..., n, k)
            return multiply(dz, right.swapaxes(-1, -2)).reshape(batch + x.shape[-2:])  # (..., n, k)

        def dy():
            if right.ndim == 2:
                return multiply(_rows(left).T, _rows(dz)).reshape(y.shape)  # (k, m)
            return multiply(left.swapaxes(-1, -2), dz).reshape(batch + y.shape[-2:])  # (..., k, m)
        return dx, dy
    return z, backward


@primitive
@products
def linear(x, w, b=None):
    """y = x w + b, in one two-dimensional product.    (..., n), (n, m), (m,) -> (..., m)"""
    _check_inner("linear", x, w)
    if w.ndim != 2 or (b is not None and b.shape != w.shape[1:]):
        raise ValueError(f"linear: expected weights (n, m) and a bias (m,), got {w.shape} and "
                         f"{None if b is None else b.shape}")
    y = multiply(x, w)
    if b is not None:
        y += b

    def backward(dy):
        rows = _rows(dy)  # (..., m) -> (R, m)
        ones = array_module(dy).ones(len(rows), dtype=dy.dtype)
        return lambda: multiply(dy, w.T), lambda: multiply(_rows(x).T, rows), lambda: multiply(ones, rows)
    return y, backward


def _rows(x):
    """(..., n) -> (product of ..., n)"""
    return x.reshape(-1, x.shape[-1])


def _check_inner(name, x, y):
    x_shape, y_shape = getattr(x, "shape", ()), getattr(y, "shape", ())
    if not x_shape or not y_shape:
        raise ValueError(f"{name}: {x_shape} @ {y_shape}: expected at least one axis on both sides; numbers take *")
    inner = x_shape[-1], y_shape[max(len(y_shape) - 2, 0)]
    if inner[0] != inner[1]:
        raise ValueError(f"{name}: {x_shape} @ {y_shape}: inner sizes {inner[0]} and {inner[1]} differ")
