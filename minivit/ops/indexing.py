"""Picking elements: the gradient goes back to where they came from."""

from ..backend import array_module, is_array, scatter_add
from ..engine import primitive


@primitive
def getitem(x, *index):
    """x[index], with NumPy's rules: integers, slices, None, ..., and arrays of integers or of bool."""
    xp, shape = array_module(x), x.shape
    index = tuple(xp.asarray(part, dtype=None if part else int) if isinstance(part, list) else part for part in index)
    repeats = any(is_array(part) and part.dtype.kind != "b" for part in index)  # only integers can name a place twice

    def backward(dy):
        dx = xp.zeros(shape, dtype=dy.dtype)
        if repeats:
            scatter_add(dx, index, dy)
        else:
            dx[index] = dy
        return dx
    return x[index], backward


@primitive
def take(x, indices, axis=0):
    """The slices of x at `indices` (integers, any shape) along an axis.    (n, d), (...) -> (..., d)"""
    xp, shape = array_module(x), x.shape
    index = (slice(None),) * (axis % x.ndim) + (indices,)

    def backward(dy):
        dx = xp.zeros(shape, dtype=dy.dtype)
        scatter_add(dx, index, dy)
        return dx
    return xp.take(x, indices, axis), backward


@primitive
def take_along_axis(x, indices, axis):
    """Along the axis, element i of the result is x[indices[i]], for each position on the other axes."""
    xp, shape, axis = array_module(x), x.shape, axis % x.ndim
    index = tuple(indices if a == axis else xp.arange(n).reshape([-1 if b == a else 1 for b in range(len(shape))])
                  for a, n in enumerate(shape))

    def backward(dy):
        dx = xp.zeros(shape, dtype=dy.dtype)
        scatter_add(dx, index, dy)
        return dx
    return x[index], backward
