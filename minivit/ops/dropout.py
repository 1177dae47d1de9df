"""Noise for training: numbers, or whole branches, set to 0 by chance, the others scaled so that the mean stays.

    y = x m / (1 - rate),    m = 0 with probability `rate`, else 1
"""

import numpy as np

from ..backend import array_module, device_of
from ..engine import primitive
from .checks import check_rate, of_floats
from .chunks import flat_chunks


@primitive
@of_floats("x")
def dropout(x, *, rate, rng):
    """Each number by itself (Srivastava et al., JMLR 2014, section 4).    (...) -> (...)

    Parameters
    ----------
    rate : float
        The probability of 0, at least 0 and less than 1.
    rng : numpy.random.Generator or cupy.random.Generator
        On the device of x.
    """
    check_rate("dropout", "rate", rate)
    check_generator("dropout", rng, x)
    keep = keep_mask(x.shape, rate, rng)
    scale = 1 / (1 - rate)

    def masked(array):
        xp = array_module(array)
        result = xp.empty(array.shape, dtype=array.dtype)
        for ai, ki, out in flat_chunks(array, keep, result):
            xp.multiply(ai, ki.astype(array.dtype), out=out)
            out *= scale
        return result
    return masked(x), masked


@primitive
@of_floats("x")
def drop_path(x, *, rate, rng):
    """Whole samples at a time, for the branch of a residual block (Huang et al., arXiv:1603.09382).

    (B, ...) -> (B, ...); settings as for `dropout`.
    """
    check_rate("drop_path", "rate", rate)
    check_generator("drop_path", rng, x)
    if not x.ndim:
        raise ValueError("drop_path: expected a batch of samples, (B, ...), got a number without axes")
    factor = keep_mask((len(x), *[1] * (x.ndim - 1)), rate, rng).astype(x.dtype)  # (B, 1, ...)
    factor *= 1 / (1 - rate)
    return x * factor, lambda dy: dy * factor


def keep_mask(shape, rate, rng):
    """An array of bool, False with probability `rate` up to 2^-17: two random bytes decide about each element."""
    return rng.integers(0, 1 << 16, shape, dtype=np.uint16) >= round(rate * (1 << 16))


def check_generator(name, rng, x):
    """Refuse what is no generator of random numbers, or one for another device than that of x."""
    if not hasattr(rng, "integers") or isinstance(rng, np.random.Generator) != (array_module(x) is np):
        raise TypeError(f"{name}: expected rng as a random Generator for arrays on {device_of(x)}, got "
                        f"{type(rng).__module__}.{type(rng).__name__}")
