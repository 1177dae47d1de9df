"""Noise for training: numbers, or whole branches, set to 0 by chance, the others scaled so that the mean stays.

    y = x m / (1 - rate),    m = 0 with probability `rate`, else 1
"""

from ..backend import array_module
from ..engine import primitive


@primitive
def dropout(x, *, rate, rng):
    """Each number by itself (Srivastava et al., JMLR 2014, section 4).    (...) -> (...)

    Parameters
    ----------
    rate : float
        The probability of 0, at least 0 and less than 1.
    rng : numpy.random.Generator or cupy.random.Generator
        On the device of x.
    """
    return _drop("dropout", x, x.shape, rate, rng)


@primitive
def drop_path(x, *, rate, rng):
    """Whole pictures at a time, for the branch of a residual block (Huang et al., arXiv:1603.09382).

    (B, ...) -> (B, ...); settings as for `dropout`.
    """
    return _drop("drop_path", x, (len(x),) + (1,) * (x.ndim - 1), rate, rng)


def _drop(name, x, shape, rate, rng):
    if not 0 <= rate < 1:
        raise ValueError(f"{name}: rate must be at least 0 and less than 1, got {rate}")
    kept = rng.random(shape, dtype=array_module(x).float32) >= rate  # bool: a quarter of the memory of a float mask
    scale = 1 / (1 - rate)

    def backward(dy):
        dx = dy * kept
        dx *= scale
        return dx
    y = x * kept
    y *= scale
    return y, backward
