"""The Gaussian error linear unit (Hendrycks and Gimpel, arXiv:1606.08415).

    gelu(x) = x Phi(x),    where Phi(x) = (1 + erf(x / sqrt 2)) / 2 is the normal distribution function.

NumPy has no erf, and SciPy computes it one number at a time, ten times slower than a tanh. In float32 Phi is therefore
read from a table.
"""

import functools
import math

import numpy as np

from ..backend import array_module, normal_cdf
from ..engine import primitive
from .chunks import flat_chunks


@primitive
def gelu(x):
    """x Phi(x), where Phi is the normal distribution function.    (...) -> (...)"""
    xp = array_module(x)
    in_table = xp is np and x.dtype == np.float32
    y = _times_tabulated_cdf(x) if in_table else x * normal_cdf(x)

    def backward(dy):
        """dx = dy (Phi(x) + x phi(x)), where Phi(x) = y / x: a linear layer that follows keeps y in any case."""
        dx = xp.empty(x.shape, dtype=x.dtype)
        for xi, yi, dyi, out in flat_chunks(x, y, dy, dx):
            with np.errstate(invalid="ignore"):
                cdf = yi / xi
            xp.copyto(cdf, 0.5, where=xi == 0)
            xp.multiply(xi, xi, out=out)
            out *= -0.5
            xp.exp(out, out=out)
            out *= 1 / math.sqrt(2 * math.pi)
            out *= xi
            out += cdf
            out *= dyi
        return dx
    return y, backward


@functools.cache
def _table():
    """Phi and -phi / 2 at j / 2048, for j = 0 ... 32767 and then -32768 ... -1."""
    x = np.arange(2 ** 16, dtype=np.uint16).view(np.int16) / 2048
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return normal_cdf(x).astype(np.float32), (-density / 2).astype(np.float32)


def _times_tabulated_cdf(x):
    """x Phi(x) in float32, with a relative error below 1.8e-7 as long as Phi(x) is no denormal number (x > -12.9).

    With x0 = j / 2048 the nearest point of the table, d = x - x0, and because phi'(x) = -x phi(x), Taylor's formula is

        Phi(x) = Phi(x0) + phi(x0) (d - x0 d^2 / 2) + O(d^3),

    where the rest is below 6e-9 Phi(x) as long as x > -14. What remains are the roundings of the table, of the sum and
    of the product with x, 6e-8 each at most.
    """
    cdf, half_density = _table()
    y = np.empty(x.shape, dtype=np.float32)
    for xi, out in flat_chunks(x, y):
        d = np.clip(xi, -15.5, 15.5, out=out)
        # Between 4096 and 8192 neighbouring float32 numbers differ by 1/2048: the sum is rounded to a point of the
        # table, and its last 16 bits are j.
        x0 = d + np.float32(6144)
        j = (x0.view(np.int32) & 0xFFFF).astype(np.intp)
        x0 -= 6144
        d -= x0
        p = x0  # becomes Phi(x), in the place of x0
        p *= d
        p -= 2
        p *= d
        p *= half_density.take(j, mode="wrap")  # the quickest mode; no j lies outside
        p += cdf.take(j, mode="wrap")
        np.multiply(p, xi, out=out)
    return y


@primitive
def gelu_tanh(x):
    """x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3): an approximation of gelu.    (...) -> (...)"""
    xp = array_module(x)
    c, c3 = math.sqrt(2 / math.pi), 0.044715 * math.sqrt(2 / math.pi)
    y = xp.empty(x.shape, dtype=x.dtype)
    for xi, out in flat_chunks(x, y):
        _tanh_u(xi, c, c3, out)
        out += 1
        out *= xi
        out *= 0.5

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
