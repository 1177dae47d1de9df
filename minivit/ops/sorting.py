"""Elements in order along an axis; the gradient goes back to where each element came from."""

from ..backend import array_module
from ..engine import primitive
from .indexing import getitem, places_along, take_along_axis
from .operands import axis_in, lengths_in, settings_here, tensor_of
from .shape import flip


@primitive
def argsort(x, axis=-1):
    """The positions of the elements along the axis, from the smallest to the largest; no gradient."""
    return x.argsort(axis_in("argsort", axis, x) if x.ndim else -1), None


@primitive
def sort(x, axis=-1):
    """The elements along the axis, from the smallest to the largest; NaN last."""
    axis = axis_in("sort", axis, x)
    order = x.argsort(axis)
    places = places_along(axis, order)

    def backward(dy):
        dx = array_module(dy).empty(dy.shape, dy.dtype)
        dx[places] = dy  # an order names each place once
        return dx
    return x[places], backward


@settings_here
def topk(x, k, axis=-1):
    """The k largest elements along the axis, the largest first, and their positions; NaN counts as larger than all.

    (..., n, ...) -> (..., k, ...), (..., k, ...)
    """
    x, (k,) = tensor_of(x), lengths_in("topk", k)
    axis = axis_in("topk", axis, x)
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(f"topk: k: expected 0 to {x.shape[axis]}, the length of axis {axis} of {x.shape}, got {k}")
    positions = getitem(flip(argsort(x, axis), axis), *[slice(None)] * axis, slice(k))  # (..., k, ...)
    return take_along_axis(x, positions, axis), positions
