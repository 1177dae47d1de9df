"""From numbers to probabilities along one axis, and their logarithms."""

from ..backend import array_module
from ..engine import primitive
from ..fast_forms import has_fast_form


@primitive
def softmax(x, axis=-1):
    """y_i = e^x_i / sum_j e^x_j.    (..., n, ...) -> (..., n, ...)

    Where every x_i is -inf, so that nothing is left to choose from, y is 0.
    """
    return _softmax(x, axis=axis)


@has_fast_form
def _softmax(x, *, axis):
    xp, y = array_module(x), _shifted(x, axis)
    xp.exp(y, out=y)
    total = y.sum(axis, keepdims=True)
    y /= xp.where(total > 0, total, 1)

    def backward(dy):
        """dx_i = y_i (dy_i - sum_j dy_j y_j)"""
        dx = dy * y
        dx -= y * dx.sum(axis, keepdims=True)
        return dx
    return y, backward


@primitive
def log_softmax(x, axis=-1):
    """y_i = x_i - log sum_j e^x_j.    (..., n, ...) -> (..., n, ...)"""
    y = log_probabilities(x, axis)
    return y, lambda dy: dy - array_module(y).exp(y) * dy.sum(axis, keepdims=True)


def log_probabilities(x, axis=-1):
    """log_softmax of an array."""
    xp, y = array_module(x), _shifted(x, axis)
    y -= xp.log(xp.exp(y).sum(axis, keepdims=True))
    return y


def _shifted(x, axis):
    """x less its largest number, so that e^x cannot overflow: neither result changes."""
    xp = array_module(x)
    largest = x.max(axis, keepdims=True)
    return x - xp.where(xp.isfinite(largest), largest, 0)  # -inf - -inf would be NaN
