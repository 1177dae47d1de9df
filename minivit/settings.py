"""Settings that are numbers, checked where they are given, so that a wrong one is told by its name."""

import math
from numbers import Integral, Real


def expect_number(what, value, low, high=math.inf, *, above=False):
    """Raise an error unless `value` is a finite number from `low` to `high`; with `above`, more than `low`.

    Raises
    ------
    TypeError
        If it is no real number.
    ValueError
        If it is out of the range, infinite or not a number.
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{what}: expected a number, got {value!r}")
    if not (math.isfinite(value) and low <= value <= high) or (above and value == low):
        raise ValueError(f"{what}: expected a number {_range(low, high, above)}, got {value}")


def expect_whole(what, value, low, high=math.inf):
    """Raise an error unless `value` is a whole number from `low` to `high`, as Python or NumPy has it.

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is out of the range.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{what}: expected a whole number, got {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{what}: expected a whole number {_range(low, high)}, got {value}")


def _range(low, high, above=False):
    if high == math.inf:
        return f"above {low}" if above else f"of at least {low}"
    return f"above {low}, up to {high}" if above else f"from {low} to {high}"
