"""Reductions over one axis, several (a tuple or a list), or all (None), as in NumPy."""

import math

import numpy as np

from ..backend import add_up, array_module
from ..engine import primitive
from .operands import axes_in, axis_in, floating, half_in_single, in_64_bits


@primitive
def sum(x, axis=None, keepdims=False):
    """The sum over the axes."""
    shape, axes = x.shape, axes_in("sum", axis, x)
    x, = in_64_bits(x)
    return add_up(x, _numpys(axis, axes), keepdims), lambda dy: _spread(dy, shape, axes)


@primitive
@floating
def mean(x, axis=None, keepdims=False):
    """The mean over the axes."""
    shape, axes = x.shape, axes_in("mean", axis, x)
    n = _count(shape, axes)
    return x.mean(_numpys(axis, axes), keepdims=keepdims), lambda dy: _spread(dy / n, shape, axes)


@primitive
@floating
def var(x, axis=None, keepdims=False, ddof=0):
    """The sum of (x - mean)^2 over the axes, divided by their number of elements minus ddof."""
    axes = axes_in("var", axis, x)
    n = _more_than(ddof, "var", x, axes)

    def backward(dy):
        return _spread(dy * (2 / n), x.shape, axes) * (x - x.mean(axes, keepdims=True))
    return x.var(_numpys(axis, axes), ddof=ddof, keepdims=keepdims), backward


@primitive
@floating
def std(x, axis=None, keepdims=False, ddof=0):
    """The square root of `var`; where it is 0, the gradient is 0."""
    axes = axes_in("std", axis, x)
    n = _more_than(ddof, "std", x, axes)
    y = x.std(_numpys(axis, axes), ddof=ddof, keepdims=keepdims)

    def backward(dy):
        return _spread(_over(dy / n, y), x.shape, axes) * (x - x.mean(axes, keepdims=True))
    return y, backward


@primitive
@floating
def norm(x, axis=None, keepdims=False):
    """The Euclidean length, sqrt(sum of x^2) over the axes; where it is 0, the gradient is 0."""
    axes = axes_in("norm", axis, x)
    y = array_module(x).sqrt((x * x).sum(_numpys(axis, axes), keepdims=keepdims))
    return y, lambda dy: _spread(_over(dy, y), x.shape, axes) * x


@primitive
@half_in_single
def prod(x, axis=None, keepdims=False):
    """The product over the axes."""
    axes, (x,) = axes_in("prod", axis, x), in_64_bits(x)
    y = x.prod(_numpys(axis, axes), keepdims=keepdims)

    def backward(dy):
        """dx_i = dy times the product of the others: of those before i and of those behind it, as x_i may be 0."""
        xp, kept = array_module(x), [a for a in range(x.ndim) if a not in axes]
        order = (*kept, *axes)
        moved = x.transpose(order)  # the reduced axes last
        rows = moved.reshape(math.prod(moved.shape[:len(kept)]), _count(x.shape, axes))  # (R, n)
        others = xp.ones_like(rows)
        others[:, 1:] = xp.cumprod(rows[:, :-1], 1)
        others[:, :-1] *= xp.cumprod(rows[:, :0:-1], 1)[:, ::-1]
        return _spread(dy, x.shape, axes) * others.reshape(moved.shape).transpose(np.argsort(order).tolist())
    return y, backward


@primitive
@half_in_single
def cumsum(x, axis=None):
    """y_i = x_0 + ... + x_i along an axis; None flattens x first."""
    shape, (x,) = x.shape, in_64_bits(x)
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis_in("cumsum", axis, x))
    xp = array_module(x)
    return xp.cumsum(x, axis), lambda dy: xp.flip(xp.cumsum(xp.flip(dy, axis), axis), axis).reshape(shape)


@primitive
def max(x, axis=None, keepdims=False):
    """The largest element; equal ones share the gradient evenly, as in PyTorch's amax."""
    axes = axes_in("max", axis, x)
    y = x.max(_numpys(axis, axes), keepdims=keepdims)
    return y, lambda dy: _to_extremes(dy, x, y, axes)


@primitive
def min(x, axis=None, keepdims=False):
    """The smallest element; equal ones share the gradient evenly, as in PyTorch's amin."""
    axes = axes_in("min", axis, x)
    y = x.min(_numpys(axis, axes), keepdims=keepdims)
    return y, lambda dy: _to_extremes(dy, x, y, axes)


@primitive
@floating
def logsumexp(x, axis=None, keepdims=False):
    """log(sum of e^x over the axes), without overflow."""
    xp, axes = array_module(x), axes_in("logsumexp", axis, x)
    largest = largest_number(x, axes)
    largest = xp.where(largest == math.inf, 0, largest)  # inf - inf would be NaN
    y = xp.log(xp.exp(x - largest).sum(axes, keepdims=True)) + largest

    def backward(dy):
        return _spread(dy, x.shape, axes) * xp.exp(x - xp.where(y == -math.inf, 0, y))  # -inf - -inf would be NaN
    return y if keepdims else y.squeeze(axes), backward


@primitive
def any(x, axis=None, keepdims=False):
    """Whether x holds anywhere along the axes; no gradient."""
    return x.any(_numpys(axis, axes_in("any", axis, x)), keepdims=keepdims), None


@primitive
def all(x, axis=None, keepdims=False):
    """Whether x holds everywhere along the axes; no gradient."""
    return x.all(_numpys(axis, axes_in("all", axis, x)), keepdims=keepdims), None


@primitive
def argmax(x, axis=None):
    """The position of the largest element along the axis, in the flattened array if it is None; no gradient."""
    return x.argmax(_one("argmax", axis, x)), None


@primitive
def argmin(x, axis=None):
    """The position of the smallest element along the axis, in the flattened array if it is None; no gradient."""
    return x.argmin(_one("argmin", axis, x)), None


def largest_number(x, axes):
    """The largest numbers over the axes, to be subtracted before e^x; 0 for -inf, as -inf - -inf would be NaN.

    (..., n, ...) -> (..., 1, ...).  What is NaN stays NaN, and so does all that is computed with it.
    """
    xp = array_module(x)
    if not _count(x.shape, axes):
        return xp.zeros(tuple(1 if a in axes else n for a, n in enumerate(x.shape)), x.dtype)
    largest = x.max(axes, keepdims=True)
    return xp.where(largest == -math.inf, 0, largest)


def _one(name, axis, x):
    return None if axis is None or x.ndim == 0 and axis in (0, -1) else axis_in(name, axis, x)


def _numpys(axis, axes):
    """The axes as NumPy takes them: None and a single one as they are, which keeps the order of its sums."""
    return None if axis is None else axes[0] if len(axes) == 1 else axes


def _count(shape, axes):
    return math.prod(shape[a] for a in axes)


def _more_than(ddof, name, x, axes):
    n = _count(x.shape, axes)
    if n and n <= ddof:
        raise ValueError(f"{name}: ddof: expected less than the {n} elements that are averaged, got {ddof}")
    return n - ddof or math.nan  # NaN for no elements at all


def _over(dy, y):
    """dy / y, and 0 where y is 0."""
    zero = y == 0
    return array_module(dy).where(zero, y.dtype.type(0), dy / (y + zero))


def _keepdims(y, shape, axes):
    """A reduced array with its axes of length 1 put back."""
    return y.reshape(tuple(1 if a in axes else n for a, n in enumerate(shape)))  # (..., 1, ...)


def _spread(dy, shape, axes):
    return array_module(dy).broadcast_to(_keepdims(dy, shape, axes), shape)


def _to_extremes(dy, x, y, axes):
    chosen = (x == _keepdims(y, x.shape, axes)).astype(x.dtype)
    return chosen * _keepdims(dy, x.shape, axes) / add_up(chosen, axes, keepdims=True)
