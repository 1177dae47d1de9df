"""The Gaussian error linear unit (Hendrycks and Gimpel, arXiv:1606.08415).

    gelu(x) = x Phi(x),    gelu'(x) = Phi(x) + x phi(x),

where Phi(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution function and phi(x) = Phi'(x) its density.

NumPy has no erf, and SciPy computes it one number at a time, ten times slower than a tanh. In float32 Phi and phi are
therefore read from a table. The slope is found on the way, and kept instead of x.
"""

import functools
import math

import numpy as np

from ..backend import array_module, normal_cdf
from ..memory import empty
from ..engine import is_recording, primitive
from ..fast_forms import has_fast_form
from .checks import of_floats
from .chunks import flat_chunks


@primitive
@of_floats("x")
def gelu(x):
    """x Phi(x), where Phi is the normal distribution function.    (...) -> (...)"""
    y, slope = _gelu_and_slope(x)
    return y, lambda dy: dy * slope


@has_fast_form
def _gelu_and_slope(x):
    """x Phi(x) and Phi(x) + x phi(x)    (...) -> (...), (...)"""
    if array_module(x) is np and x.dtype == np.float32:
        return _from_table(x)
    cdf = normal_cdf(x)
    return x * cdf, cdf + x * _density(x)


def _density(x):
    """phi(x) = exp(-x^2 / 2) / sqrt(2 pi)"""
    return array_module(x).exp(-x * x / 2) / math.sqrt(2 * math.pi)


@functools.cache
def _table():
    """Phi and -phi / 2 at j / 2048, for j = 0 ... 32767 and then -32768 ... -1."""
    x = np.arange(2 ** 16, dtype=np.uint16).view(np.int16) / 2048
    return normal_cdf(x).astype(np.float32), (-_density(x) / 2).astype(np.float32)


def _from_table(x):
    """x Phi(x) and its slope in float32; the relative error of Phi is below 1.8e-7 where it is no denormal (x > -12.9).

    With x0 = j / 2048 the nearest point of the table, d = x - x0 and u = x0 d, Taylor's formula is

        Phi(x) = Phi(x0) + phi(x0) d (1 - u / 2) + O(d^3)    and    phi(x) = phi(x0) (1 - u + u^2 / 2) + O(d^2),

    where the rests are below 6e-9 Phi(x) and 4e-8 phi(x) as long as x > -14. What remains are the roundings of the
    table, of the sum and of the product with x, 6e-8 each at most.
    """
    cdf, half_density = _table()
    y, slope = empty(x.shape, np.float32), empty(x.shape, np.float32)
    for xi, d, u in flat_chunks(x, y, slope):
        np.clip(xi, -15.5, 15.5, out=d)
        # Between 4096 and 8192 neighbouring float32 numbers differ by 1/2048: the sum is rounded to a point of the
        # table, and its last 16 bits are j.
        x0 = np.add(d, np.float32(6144), out=u)
        j = (x0.view(np.int32) & 0xFFFF).astype(np.intp)
        x0 -= 6144
        d -= x0
        u *= d
        h = half_density.take(j, mode="wrap")  # the quickest mode; no j lies outside
        p = u - 2
        d *= p
        d *= h
        d += cdf.take(j, mode="wrap")  # Phi(x)
        if is_recording():
            u *= p
            u += 2
            u *= h  # -phi(x)
            with np.errstate(invalid="ignore"):  # 0 times infinity
                u *= xi
            np.subtract(d, u, out=u)
        d *= xi
    return y, slope


@primitive
@of_floats("x")
def gelu_tanh(x):
    """x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3): an approximation of gelu.    (...) -> (...)"""
    xp = array_module(x)
    c, c3 = math.sqrt(2 / math.pi), 0.044715 * math.sqrt(2 / math.pi)
    y = xp.empty(x.shape, dtype=x.dtype)
    for xi, out in flat_chunks(x, y):
        _tanh_u(xi, c, c3, out)
        out += 1
        out *= 0.5  # before x, twice which could be too large a number
        out *= xi

    def backward(dy):
        """dx = dy ((1 + t) + x (1 - t^2) u') / 2 with t = tanh u"""
        dx = xp.empty(x.shape, dtype=x.dtype)
        for xi, dyi, out in flat_chunks(x, dy, dx):
            t = _tanh_u(xi, c, c3, xp.empty_like(xi))
            xp.multiply(xi, xi, out=out)
            out *= 3 * c3
            out += c
            out *= xi
            slope = t * t
            xp.subtract(1, slope, out=slope)
            out *= slope
            out += t
            out += 1
            out *= dyi
            out *= 0.5
        return dx
    return y, backward


def _tanh_u(x, c, c3, out):
    """tanh(c x + c3 x^3), in `out`"""
    xp = array_module(x)
    xp.multiply(x, x, out=out)
    out *= c3
    out += c
    out *= x
    return xp.tanh(out, out=out)
