"""What operations ask of their arguments: each error names the argument, what was expected, and what came.

float16 is a way to keep numbers, not to compute with them: nothing above 65,504 exists, so that sums of squares become
infinite and counts do, and with three digits every intermediate result loses one. An operation on it runs in float32
and is rounded once, at its end. (NumPy, which has no float16 in its products, is also much faster that way.)
"""

import functools
import inspect
import operator
from collections.abc import Iterable

import numpy as np

from ..backend import is_array
from ..engine import Tensor


def of_floats(*names):
    """Decorate an operation whose arguments of these names are floating-point arrays (or None, if that is a default).

    Integers and bool are refused: rounded to them, most results would be 0, and sums of uint8 begin again after 255.
    """
    def decorate(function):
        name, parameters = function.__name__.strip("_"), inspect.signature(function).parameters
        places = [(place, what, parameters[what].default is None) for place, what in enumerate(parameters)
                  if what in names]

        @functools.wraps(function)
        def run(*arrays, **settings):
            for place, what, is_optional in places:
                array = arrays[place] if place < len(arrays) else settings.get(what)
                if not (is_optional and array is None):
                    check_floating(name, what, array)
            if any(map(_is_half, arrays)) or any(map(_is_half, settings.values())):
                return _through_float32(function, arrays, settings)
            return function(*arrays, **settings)
        return run
    return decorate


def check_floating(name, what, array):
    """Refuse everything but an array of floating-point numbers."""
    check_array(name, what, array)
    if array.dtype.kind != "f":
        raise TypeError(f"{name}: expected {what} in floating-point numbers, got {array.dtype}; convert it with "
                        '.astype("float32")')


def check_array(name, what, array):
    """Refuse lists, numbers and None."""
    if not is_array(array):
        raise TypeError(f"{name}: expected {what} as a Tensor or an array, got {type(array).__name__}; "
                        "np.array(...) makes one")


def _is_half(array):
    return is_array(array) and array.dtype == np.float16


def _through_float32(function, arrays, settings):
    def widened(array):
        return array.astype(np.float32) if _is_half(array) else array

    def narrowed(gradient):
        if callable(gradient):
            return lambda: narrowed(gradient())
        return None if gradient is None else _rounded(gradient)

    value, backward = function(*map(widened, arrays), **{key: widened(array) for key, array in settings.items()})

    def half_backward(dy):
        gradients = backward(widened(dy))
        return tuple(map(narrowed, gradients)) if isinstance(gradients, tuple) else narrowed(gradients)
    return _rounded(value), half_backward


def _rounded(array):
    with np.errstate(over="ignore"):  # what float16 cannot hold is infinite
        return array.astype(np.float16)


def whole(name, what, value, least=1):
    """A setting as an int, NumPy's integers included; refused where it is something else, or below `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected {what} as a whole number, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name}: {what} must be at least {least}, got {number}")
    return number


def pair(setting, what="size"):
    """One whole number for rows and columns, or two: n or (n, m) -> (n, m)"""
    try:
        return tuple(map(operator.index, two(setting, what)))
    except TypeError:
        raise TypeError(f"{what}: expected whole numbers, got {setting!r}") from None


def two(setting, what):
    """One setting for rows and columns, or two."""
    settings = tuple(setting) if isinstance(setting, Iterable) and not isinstance(setting, str) else (setting, setting)
    if len(settings) != 2:
        raise ValueError(f"{what}: expected one for rows and columns, or two, got {setting!r}")
    return settings


def check_rate(name, what, rate):
    """Refuse a probability of dropping something outside [0, 1)."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name}: {what} must be at least 0 and less than 1, got {rate}")


def check_eps(name, eps):
    """Refuse what would make a square root of something below 0."""
    if not eps >= 0:
        raise ValueError(f"{name}: eps must be at least 0, got {eps}")


def constant(name, what, values):
    """A setting that is a number, list, array or Tensor, as an array of float64, or None. It gets no gradient."""
    if isinstance(values, Tensor):
        if values.requires_grad:
            raise TypeError(f"{name}: {what} gets no gradient, but came as a Tensor that requires one; pass its .data")
        values = values.data
    if values is None or is_array(values):
        return None if values is None else values.astype(np.float64)
    return np.asarray(values, np.float64)
