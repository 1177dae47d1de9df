"""Reductions over one axis, several (a tuple), or all (None), as in NumPy."""

import math

from ..backend import array_module
from ..engine import primitive


@primitive
def sum(x, axis=None, keepdims=False):
    """The sum over the axes."""
    shape = x.shape
    return x.sum(axis, keepdims=keepdims), lambda dy: _spread(dy, shape, axis)


@primitive
def mean(x, axis=None, keepdims=False):
    """The mean over the axes."""
    shape, n = x.shape, _count(x.shape, axis)
    return x.mean(axis, keepdims=keepdims), lambda dy: _spread(dy / n, shape, axis)


@primitive
def var(x, axis=None, keepdims=False, ddof=0):
    """The sum of (x - mean)^2 over the axes, divided by their number of elements minus ddof."""
    n = _count(x.shape, axis) - ddof

    def backward(dy):
        return _spread(dy * (2 / n), x.shape, axis) * (x - x.mean(axis, keepdims=True))
    return x.var(axis, ddof=ddof, keepdims=keepdims), backward


@primitive
def max(x, axis=None, keepdims=False):
    """The largest element; equal ones share the gradient evenly, as in PyTorch's amax."""
    y = x.max(axis, keepdims=keepdims)
    return y, lambda dy: _to_extremes(dy, x, y, axis)


@primitive
def min(x, axis=None, keepdims=False):
    """The smallest element; equal ones share the gradient evenly, as in PyTorch's amin."""
    y = x.min(axis, keepdims=keepdims)
    return y, lambda dy: _to_extremes(dy, x, y, axis)


@primitive
def logsumexp(x, axis=None, keepdims=False):
    """log(sum of e^x over the axes), without overflow."""
    xp = array_module(x)
    largest = x.max(axis, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, 0)  # -inf - -inf would be NaN
    y = xp.log(xp.exp(x - largest).sum(axis, keepdims=True)) + largest

    def backward(dy):
        return _spread(dy, x.shape, axis) * xp.exp(x - xp.where(xp.isfinite(y), y, 0))
    return y if keepdims else y.squeeze(axis), backward


@primitive
def any(x, axis=None, keepdims=False):
    """Whether x holds anywhere along the axes; no gradient."""
    return x.any(axis, keepdims=keepdims), None


@primitive
def all(x, axis=None, keepdims=False):
    """Whether x holds everywhere along the axes; no gradient."""
    return x.all(axis, keepdims=keepdims), None


@primitive
def argmax(x, axis=None):
    """The position of the largest element along the axis, in the flattened array if it is None; no gradient."""
    return x.argmax(axis), None


@primitive
def argmin(x, axis=None):
    """The position of the smallest element along the axis, in the flattened array if it is None; no gradient."""
    return x.argmin(axis), None


@primitive
def argsort(x, axis=-1):
    """The positions of the elements along the axis, from the smallest to the largest; no gradient."""
    return x.argsort(axis), None


def _axes(axis, ndim):
    """The axes as a tuple of non-negative int."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(a % ndim for a in axes)


def _count(shape, axis):
    return math.prod(shape[a] for a in _axes(axis, len(shape)))


def _keepdims(y, shape, axis):
    """A reduced array with its axes of length 1 put back."""
    axes = _axes(axis, len(shape))
    return y.reshape(tuple(1 if a in axes else n for a, n in enumerate(shape)))  # (..., 1, ...)


def _spread(dy, shape, axis):
    return array_module(dy).broadcast_to(_keepdims(dy, shape, axis), shape)


def _to_extremes(dy, x, y, axis):
    chosen = (x == _keepdims(y, x.shape, axis)).astype(x.dtype)
    return chosen * _keepdims(dy, x.shape, axis) / chosen.sum(_axes(axis, x.ndim), keepdims=True)
