"""From numbers to probabilities along one axis, and their logarithms."""

from ..backend import array_module
from ..engine import primitive


@primitive
def softmax(x, axis=-1):
    """y_i = e^x_i / sum_j e^x_j.    (..., n, ...) -> (..., n, ...)

    Where every x_i is -inf, so that nothing is left to choose from, y is 0.
    """
    y = _shifted(x, axis)
    xp = array_module(x)
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
    y = _shifted(x, axis)
    xp = array_module(x)
    y -= xp.log(xp.exp(y).sum(axis, keepdims=True))
    return y, lambda dy: dy - xp.exp(y) * dy.sum(axis, keepdims=True)


def _shifted(x, axis):
    """x less its largest number, so that e^x cannot overflow: neither result changes."""
    xp = array_module(x)
    largest = x.max(axis, keepdims=True)
    return x - xp.where(xp.isfinite(largest), largest, 0)  # -inf - -inf would be NaN
