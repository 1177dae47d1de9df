"""From numbers to probabilities along one axis, and their logarithms."""

from ..backend import array_module
from ..engine import primitive
from ..fast_forms import has_fast_form
from .operands import axes_in, floating
from .reduce import largest_number


@primitive
@floating
def softmax(x, axis=-1):
    """y_i = e^x_i / sum_j e^x_j.    (..., n, ...) -> (..., n, ...)

    Where every x_i is -inf, so that nothing is left to choose from, y is 0. Where one is NaN or +inf, all y are NaN.
    """
    if not axes_in("softmax", axis, x):  # a number
        return array_module(x).exp(x - x), lambda dy: 0 * dy
    return _softmax(x, axis=axis)


@has_fast_form
def _softmax(x, *, axis):
    xp, y = array_module(x), _shifted(x, axis, "softmax")
    xp.exp(y, out=y)
    total = y.sum(axis, keepdims=True)
    y /= xp.where(total == 0, 1, total)

    def backward(dy):
        """dx_i = y_i (dy_i - sum_j dy_j y_j)"""
        dx = dy * y
        dx -= y * dx.sum(axis, keepdims=True)
        return dx
    return y, backward


@primitive
@floating
def log_softmax(x, axis=-1):
    """y_i = x_i - log sum_j e^x_j.    (..., n, ...) -> (..., n, ...)"""
    y = log_probabilities(x, axis)
    return y, lambda dy: dy - array_module(y).exp(y) * dy.sum(axis, keepdims=True)


def log_probabilities(x, axis=-1):
    """log_softmax of an array."""
    xp, y = array_module(x), _shifted(x, axis, "log_softmax")
    y -= xp.log(xp.exp(y).sum(axis, keepdims=True))
    return y


def _shifted(x, axis, name):
    """x less its largest number, so that e^x cannot overflow: neither result changes."""
    return x - largest_number(x, axes_in(name, axis, x))
