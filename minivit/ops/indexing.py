"""Picking elements: the gradient goes back to where they came from."""

import operator

from ..backend import array_module, is_array, scatter_add
from ..engine import primitive
from .operands import axis_in


@primitive
def getitem(x, *index):
    """x[index], with NumPy's rules: integers, slices, None, ..., and arrays (or lists ...) of integers or of bool."""
    xp, shape = array_module(x), x.shape
    index = tuple(part if _names_one_place(part) else _places(xp, part) for part in index)
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
    xp, shape, axis = array_module(x), x.shape, axis_in("take", axis, x)
    indices = _integers("take", _places(xp, indices))
    index = (slice(None),) * axis + (indices,)

    def backward(dy):
        dx = xp.zeros(shape, dtype=dy.dtype)
        scatter_add(dx, index, dy)
        return dx
    return xp.take(x, indices, axis), backward


@primitive
def take_along_axis(x, indices, axis):
    """Along the axis, element i of the result is x[indices[i]], for each position on the other axes."""
    xp, shape, axis = array_module(x), x.shape, axis_in("take_along_axis", axis, x)
    indices = _integers("take_along_axis", _places(xp, indices))
    if indices.ndim != x.ndim:
        raise ValueError(f"take_along_axis: indices: expected as many axes as x {shape} has, got {indices.shape}")
    places = places_along(axis, indices, shape)

    def backward(dy):
        dx = xp.zeros(shape, dtype=dy.dtype)
        scatter_add(dx, places, dy)
        return dx
    return x[places], backward


def places_along(axis, indices, shape=None):
    """The index of x[indices[i]] along an axis, for each position on the other axes of x, which has this shape."""
    xp, shape = array_module(indices), shape or indices.shape
    return tuple(indices if a == axis else xp.arange(n).reshape([-1 if b == a else 1 for b in range(len(shape))])
                 for a, n in enumerate(shape))


def _names_one_place(part):
    """Whether a part of an index is basic: a slice, None, ..., or an integer; but not an array without axes."""
    if is_array(part) or part is None or part is ... or isinstance(part, (slice, int)):
        return True
    try:
        operator.index(part)
    except TypeError:
        return False
    return not hasattr(part, "__array__")


def _places(xp, part):
    """A list, a tuple, or whatever NumPy makes an array of, as an array of its own; an empty one of integers."""
    array = part if is_array(part) else xp.array(part)
    return array if array.size or is_array(part) else array.astype(int)


def _integers(name, indices):
    if indices.dtype.kind not in "iu":
        raise IndexError(f"{name}: indices: expected integers, got dtype {indices.dtype}")
    return indices
