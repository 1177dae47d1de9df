"""x Phi(x) and its slope in one walk, in float64 inside, so that only what is written down is rounded."""

import math

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from scipy.special import erfcx

from ...memory import empty
from ...engine import is_recording
from .compiler import rounded_once


def _polynomial(function, low, high, degree):
    """The coefficients of the polynomial through `function` at the Chebyshev points of [low, high]."""
    series = Chebyshev.interpolate(function, degree, domain=[low, high])
    return tuple(float(c) for c in series.convert(kind=Polynomial).coef)


# 2^f for |f| <= 1/2, to 2e-9
E0, E1, E2, E3, E4, E5, E6 = _polynomial(np.exp2, -0.5, 0.5, 6)
LOG2_E = 1 / math.log(2)
ROUND = 1.5 * 2.0 ** 52  # the float64 numbers near it are the integers

# With t = 1 / (1 + a / 4): Phi(-a) = exp(-a^2 / 2) t p(t), to 3e-8, for a up to FAR, where Phi(-a) = 0 in float32
FAR = 37.0
T0, T1, T2, T3, T4, T5, T6, T7, T8, T9 = _polynomial(
    lambda t: erfcx(4 * (1 / t - 1) / math.sqrt(2)) / (2 * t), 1 / (1 + FAR / 4), 1, 9)
DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)


@rounded_once
def _power_of_two(v):
    """2^v of a float64 number, -1000 < v < 1000: the nearest integer goes into the exponent, the rest into a series."""
    shifted = v + ROUND
    f = v - (shifted - ROUND)
    scale = np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)
    return scale * (E0 + f * (E1 + f * (E2 + f * (E3 + f * (E4 + f * (E5 + f * E6))))))


@rounded_once
def _normal(x):
    """Phi(x) and exp(-x^2 / 2) of a float64 number."""
    a = min(abs(x), FAR)
    e = _power_of_two(-0.5 * LOG2_E * a * a)
    t = 1 / (1 + 0.25 * a)
    p = T0 + t * (T1 + t * (T2 + t * (T3 + t * (T4 + t * (T5 + t * (T6 + t * (T7 + t * (T8 + t * T9))))))))
    tail = e * t * p
    return tail if x < 0 else 1 - tail, e


@rounded_once
def _gelu_and_slope(x, y, slope):
    for i in range(x.size):
        cdf, e = _normal(np.float64(x[i]))
        y[i] = x[i] * cdf
        slope[i] = cdf + x[i] * (DENSITY_AT_0 * e)


@rounded_once
def _gelu(x, y):
    for i in range(x.size):
        y[i] = x[i] * _normal(np.float64(x[i]))[0]


def gelu_and_slope(x):
    """x Phi(x) and Phi(x) + x phi(x); the second is None where nobody will ask for it.    (...) -> (...), (...)"""
    y = empty(x.shape, np.float32)
    if not is_recording():
        _gelu(x.reshape(-1), y.reshape(-1))
        return y, None
    slope = empty(x.shape, np.float32)
    _gelu_and_slope(x.reshape(-1), y.reshape(-1), slope.reshape(-1))
    return y, slope
