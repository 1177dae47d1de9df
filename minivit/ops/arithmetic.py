"""Elementwise arithmetic with broadcasting: the rules of calculus, one after the other.

Shapes follow NumPy: arguments are stretched to a common shape; the engine sums the gradients back.
"""

import math

from ..backend import array_module, is_array
from ..backend import erf as error_function
from ..engine import Tensor, primitive
from .operands import as_arrays, elementwise, floating, in_64_bits


@primitive
@elementwise
def add(x, y):
    """x + y"""
    return x + y, lambda dz: (dz, dz)


@primitive
@elementwise
def sub(x, y):
    """x - y"""
    return x - y, lambda dz: (dz, lambda: -dz)


@primitive
@elementwise
def mul(x, y):
    """x * y"""
    if not is_array(y):
        return x * y, lambda dz: dz * y  # x need not stay in memory
    return x * y, lambda dz: (lambda: dz * y, lambda: dz * x)


@primitive
@elementwise
def div(x, y):
    """x / y"""
    z = x / y
    if not is_array(y):
        return z, lambda dz: dz / y
    return z, lambda dz: (lambda: dz / y, lambda: -dz * z / y)


@primitive
@elementwise
def neg(x):
    """-x"""
    return -x, lambda dy: -dy


@primitive
@elementwise
def pow(x, y):
    """x ** y, where y is a number or an array. At x = 0 the gradient of y is 0, its limit, for y >= 0, else -inf."""
    xp = array_module(x, y)
    z = x ** y
    if not is_array(y):
        return z, lambda dz: dz * (y * x ** (y - 1 if y else 1))
    x = x if is_array(x) else xp.asarray(x, dtype=z.dtype)
    return z, lambda dz: (lambda: dz * y * x ** xp.where(y == 0, 1, y - 1),  # y = 0: 0 * x, where 0 * 0 ** -1 is NaN
                          lambda: dz * z * xp.log(xp.where((x == 0) & (y >= 0), 1, x)))


@primitive
@floating
def exp(x):
    """e ** x"""
    y = array_module(x).exp(x)
    return y, lambda dy: dy * y


@primitive
@floating
def log(x):
    """The natural logarithm of x."""
    return array_module(x).log(x), lambda dy: dy / x


@primitive
@floating
def sqrt(x):
    """The square root of x."""
    y = array_module(x).sqrt(x)
    return y, lambda dy: dy / (2 * y)


@primitive
@floating
def sin(x):
    """The sine of x, in radians."""
    xp = array_module(x)
    return xp.sin(x), lambda dy: dy * xp.cos(x)


@primitive
@floating
def cos(x):
    """The cosine of x, in radians."""
    xp = array_module(x)
    return xp.cos(x), lambda dy: -dy * xp.sin(x)


@primitive
@floating
def tanh(x):
    """(e^x - e^-x) / (e^x + e^-x)"""
    y = array_module(x).tanh(x)
    return y, lambda dy: dy * (1 - y * y)


@primitive
@floating
def erf(x):
    """The error function, 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x."""
    xp = array_module(x)
    return error_function(x), lambda dy: dy * (2 / math.sqrt(math.pi) * xp.exp(-x * x))


@primitive
@elementwise
def abs(x):
    """|x|, with gradient 0 at 0."""
    xp = array_module(x)
    return xp.abs(x), lambda dy: dy * xp.sign(x)


@primitive
def where(condition, x, y):
    """x where the condition holds, y elsewhere."""
    xp = array_module(condition, x, y)
    condition, x, y = as_arrays(condition, x, y)
    if not is_array(x) and not is_array(y):  # two numbers: np.where alone would give float64
        x, y = Tensor([x, y])._array
    x, y = in_64_bits(x, y)
    return xp.where(condition, x, y), lambda dz: (
        None, lambda: xp.where(condition, dz, 0), lambda: xp.where(condition, 0, dz))


@primitive
@elementwise
def maximum(x, y):
    """The larger of x and y; where they are equal, each gets half of the gradient."""
    xp = array_module(x, y)
    return xp.maximum(x, y), lambda dz: (lambda: _share(xp, x < y, x == y, dz), lambda: _share(xp, y < x, x == y, dz))


@primitive
@elementwise
def minimum(x, y):
    """The smaller of x and y; where they are equal, each gets half of the gradient."""
    xp = array_module(x, y)
    return xp.minimum(x, y), lambda dz: (lambda: _share(xp, x > y, x == y, dz), lambda: _share(xp, y > x, x == y, dz))


def _share(xp, passed_over, tied, dz):
    """The gradient of an element that was chosen, or is NaN; half of it where both were equal."""
    return xp.where(passed_over, 0, xp.where(tied, dz / 2, dz))


@primitive
@elementwise
def clip(x, low, high):
    """x, moved to the nearer end where it is outside [low, high]; the end gets the gradient there. None is no limit."""
    xp = array_module(x, low, high)

    def backward(dz):
        above = x > (math.inf if high is None else high)
        if low is not None and high is not None:
            above |= low > high  # then everything is moved to `high`
        below = (x < (-math.inf if low is None else low)) & ~above
        return xp.where(below | above, 0, dz), lambda: xp.where(below, dz, 0), lambda: xp.where(above, dz, 0)
    return xp.clip(x, low, high), backward


@primitive
def astype(x, dtype):
    """x as another dtype; the gradient comes back in the dtype of x."""
    before = x.dtype
    return x.astype(dtype, copy=False), lambda dy: dy.astype(before)
