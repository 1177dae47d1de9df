"""Elementwise nonlinearities; the GELU has a file of its own."""

import numpy as np

from ..backend import array_module
from ..engine import primitive
from .checks import of_floats
from .chunks import flat_chunks


@primitive
@of_floats("x")
def relu(x):
    """max(x, 0), with gradient 0 at 0.    (...) -> (...)"""
    xp = array_module(x)
    y = xp.clip(x, 0, np.inf)  # three times as fast as NumPy's maximum of an array and a number

    def backward(dy):
        dx = xp.empty(y.shape, dtype=y.dtype)
        for yi, dyi, out in flat_chunks(y, dy, dx):
            xp.multiply(dyi, (yi > 0).astype(yi.dtype), out=out)
        return dx
    return y, backward


@primitive
@of_floats("x")
def sigmoid(x):
    """1 / (1 + e^-x)    (...) -> (...)"""
    y = _sigmoid(x)
    return y, lambda dy: dy * y * (1 - y)


@primitive
@of_floats("x")
def silu(x):
    """x / (1 + e^-x), also called swish (Elfwing et al., arXiv:1702.03118).    (...) -> (...)"""
    xp = array_module(x)
    y = xp.empty(x.shape, dtype=x.dtype)
    for xi, out in flat_chunks(x, y):
        xp.multiply(xi, _sigmoid(xi), out=out)

    def backward(dy):
        """dx = dy s (1 + x (1 - s)) with s = sigmoid x"""
        dx = xp.empty(x.shape, dtype=x.dtype)
        for xi, dyi, out in flat_chunks(x, dy, dx):
            s = _sigmoid(xi)
            xp.subtract(1, s, out=out)
            out *= xi
            out += 1
            out *= s
            out *= dyi
        return dx
    return y, backward


@primitive
@of_floats("x")
def hardswish(x):
    """x clip(x / 6 + 1 / 2, 0, 1) (Howard et al., arXiv:1905.02244, section 5.2).    (...) -> (...)"""
    xp = array_module(x)
    y = xp.empty(x.shape, dtype=x.dtype)
    for xi, out in flat_chunks(x, y):
        _gate(xi, out)
        out *= xi

    def backward(dy):
        """dx = dy (gate + x / 6), without the second term where the gate is 0 or 1"""
        dx = xp.empty(x.shape, dtype=x.dtype)
        for xi, dyi, out in flat_chunks(x, dy, dx):
            inside = (xp.abs(xi) < 3).astype(xi.dtype)
            inside *= xi
            inside *= 1 / 6
            _gate(xi, out)
            out += inside
            out *= dyi
        return dx
    return y, backward


@primitive
@of_floats("x")
def quick_gelu(x):
    """x / (1 + e^(-1.702 x)), the approximation of gelu in CLIP (Hendrycks and Gimpel, arXiv:1606.08415).

    (...) -> (...)
    """
    def slope(x):
        s = _sigmoid(1.702 * x)
        return s + 1.702 * (x * s * (1 - s))
    return _elementwise(x, lambda x: x * _sigmoid(1.702 * x), slope)


@primitive
@of_floats("x")
def softplus(x):
    """log(1 + e^x), without overflow: relu with a rounded corner.    (...) -> (...)"""
    return _elementwise(x, _softplus, _sigmoid)


@primitive
@of_floats("x")
def mish(x):
    """x tanh(log(1 + e^x)) (Misra, arXiv:1908.08681).    (...) -> (...)"""
    xp = array_module(x)

    def slope(x):
        t = xp.tanh(_softplus(x))
        return t + x * (1 - t * t) * _sigmoid(x)
    return _elementwise(x, lambda x: x * xp.tanh(_softplus(x)), slope)


@primitive
@of_floats("x")
def elu(x, *, alpha=1.0):
    """x where x > 0, alpha (e^x - 1) elsewhere (Clevert et al., arXiv:1511.07289).    (...) -> (...)"""
    xp = array_module(x)

    def value(x):
        return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0)))
    return _elementwise(x, value, lambda x: xp.where(x > 0, 1, alpha * xp.exp(xp.minimum(x, 0))))


@primitive
@of_floats("x")
def leaky_relu(x, *, slope=0.01):
    """x where x > 0, slope x elsewhere (Maas et al., ICML 2013).    (...) -> (...)"""
    xp = array_module(x)
    return _elementwise(x, lambda x: xp.where(x > 0, x, slope * x), lambda x: xp.where(x > 0, 1, slope).astype(x.dtype))


@primitive
@of_floats("x")
def relu6(x):
    """min(max(x, 0), 6), with gradient 0 at 0 and at 6 (Howard et al., arXiv:1704.04861).    (...) -> (...)"""
    xp = array_module(x)
    return _elementwise(x, lambda x: xp.clip(x, 0, 6), lambda x: ((x > 0) & (x < 6)).astype(x.dtype))


@primitive
@of_floats("x")
def hardsigmoid(x):
    """clip(x / 6 + 1 / 2, 0, 1) (Howard et al., arXiv:1905.02244, section 5.2).    (...) -> (...)"""
    xp = array_module(x)
    return _elementwise(x, lambda x: xp.clip(x * (1 / 6) + 0.5, 0, 1),
                        lambda x: (xp.abs(x) < 3).astype(x.dtype) * (1 / 6))


@primitive
@of_floats("x")
def glu(x, *, axis=-1):
    """The first half of the axis times the sigmoid of the second half (Dauphin et al., arXiv:1612.08083).

    (..., 2 n, ...) -> (..., n, ...)
    """
    if not -x.ndim <= axis < x.ndim or x.shape[axis] % 2:
        raise ValueError(f"glu: expected an axis of x {x.shape} of even length, got axis {axis}")
    xp = array_module(x)
    a, b = xp.split(x, 2, axis)
    s = _sigmoid(b)
    return a * s, lambda dy: xp.concatenate([dy * s, dy * a * s * (1 - s)], axis)


def _elementwise(x, value, slope):
    """y = value(x) and its pullback dx = dy slope(x), a piece of the array at a time."""
    xp = array_module(x)

    def in_pieces(function, *arrays):
        result = xp.empty(x.shape, dtype=x.dtype)
        for *pieces, out in flat_chunks(*arrays, result):
            out[...] = function(*pieces)
        return result
    return in_pieces(value, x), lambda dy: in_pieces(lambda dy, x: dy * slope(x), dy, x)


def _softplus(x):
    xp = array_module(x)
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def _gate(x, out):
    xp = array_module(x)
    xp.multiply(x, 1 / 6, out=out)
    out += 0.5
    xp.clip(out, 0, 1, out=out)


def _sigmoid(x):
    xp = array_module(x)
    y = xp.negative(x, out=xp.empty(x.shape, dtype=x.dtype))  # an array also where x has no axes
    with np.errstate(over="ignore"):  # e^-x = inf gives the 0 that is wanted
        xp.exp(y, out=y)
    y += 1
    return xp.reciprocal(y, out=y)
