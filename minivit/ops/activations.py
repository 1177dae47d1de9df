"""Elementwise nonlinearities; the GELU has a file of its own."""

import numpy as np

from ..backend import array_module
from ..engine import primitive
from .chunks import flat_chunks


@primitive
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
def sigmoid(x):
    """1 / (1 + e^-x)    (...) -> (...)"""
    y = _sigmoid(x)
    return y, lambda dy: dy * y * (1 - y)


@primitive
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


def _gate(x, out):
    xp = array_module(x)
    xp.multiply(x, 1 / 6, out=out)
    out += 0.5
    xp.clip(out, 0, 1, out=out)


def _sigmoid(x):
    xp = array_module(x)
    with np.errstate(over="ignore"):  # e^-x = inf gives the 0 that is wanted
        y = xp.exp(-x)
    y += 1
    return xp.reciprocal(y, out=y)
