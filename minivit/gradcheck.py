"""Is a pullback right?  Compare it with a difference quotient along a random direction, in float64.

For a function f of arrays x_1 ... x_k, a random direction v_1 ... v_k and a random weighting w of the outputs,

    sum_i <v_i, d<w, f> / dx_i>   =   lim (<w, f(x + h v)> - <w, f(x - h v)>) / 2h  as h -> 0.

One direction tests every entry of every gradient at once, at the price of a few evaluations instead of one for each.
The right-hand side is extrapolated (Richardson): quotients at h and h/2 cancel the error's h^2 term.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .engine import Tensor, grad
from .types import Array


def gradcheck(function: Callable, *arrays: Array, rng: np.random.Generator, step: float = 1e-3,
              tolerance: float = 1e-7, **settings: Any) -> float:
    """Check the gradients of a differentiable function of Tensors with respect to all floating-point arguments.

    Parameters
    ----------
    function : callable
        Takes Tensors and settings, returns a Tensor of any shape.
    *arrays : numpy.ndarray
        Where to check. Floating-point arrays must be float64; others (labels, masks) are passed on unchanged.
    rng : numpy.random.Generator
        Draws the direction and the weighting.
    step, tolerance : float
        Of the quotient, relative to each array's size; and the largest relative error allowed.

    Returns
    -------
    float
        The relative error.

    Raises
    ------
    AssertionError
        If it is larger than the tolerance; the message gives both numbers.
    """
    differentiable = [isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in arrays]
    if any(a.dtype != np.float64 for a, d in zip(arrays, differentiable, strict=True) if d):
        raise TypeError("gradcheck: floating-point arguments must be float64")
    tensors = [Tensor(a, requires_grad=True) if d else a for a, d in zip(arrays, differentiable, strict=True)]
    output = function(*tensors, **settings)
    weights = rng.standard_normal(output.shape)
    directions = [rng.standard_normal(a.shape) if d else None for a, d in zip(arrays, differentiable, strict=True)]

    def along(h):
        moved = [Tensor(a + h * v) if v is not None else a for a, v in zip(arrays, directions, strict=True)]
        return float((function(*moved, **settings).data * weights).sum())

    def quotient(h):
        return (along(h) - along(-h)) / (2 * h)

    leaves = [t for t, d in zip(tensors, differentiable, strict=True) if d]
    exact = sum(float((g * v).sum()) for g, v in zip(
        grad((output * weights).sum(), leaves), [v for v in directions if v is not None], strict=True))
    # two steps of Richardson's extrapolation: the error is of order h^6
    q1, q2, q3 = quotient(step), quotient(step / 2), quotient(step / 4)
    r1, r2 = (4 * q2 - q1) / 3, (4 * q3 - q2) / 3
    numeric = (16 * r2 - r1) / 15
    size = max(abs(exact), abs(numeric), 1e-8)
    if abs(exact - numeric) > tolerance * size:  # where the gradient is 0, the quotient is nothing but rounding
        size = max(size, _rounding(along, step, 1e-11 * np.abs(weights).sum()) / tolerance)
    error = abs(exact - numeric) / size
    name = getattr(function, "__name__", "function")
    assert error <= tolerance, (f"{name}: the gradient along a random direction is {exact:.12g}, the difference "
                                f"quotient {numeric:.12g}: relative error {error:.2g} > {tolerance:g}")
    return error


def _rounding(along, step, largest):
    """How far rounding moves the quotient, from the sixth differences of the function between the places that it takes.

    A smooth function has next to none, so what is seen is rounding, about thirty times (as in More and Wild,
    "Estimating computational noise", 2011). What is larger than `largest` is no rounding, but an edge of the function.
    """
    values = np.array([along(h) for h in step / 4 * np.arange(-6, 7)])
    seen = 4 * np.abs(np.diff(values, 6)).max()
    return (min(seen, largest) + 30 * np.finfo(float).eps * np.abs(values).max()) / step
