"""Normalisation of each token or picture by itself: shifted and scaled to mean 0, variance 1, then by learned numbers.

All three have the same pullback. With x^ = (x - mean) r and r = 1 / sqrt(variance + eps), y = w x^ + b and g = w dy,

    dx = r (g - mean(g) - x^ mean(g x^)),    dw = sum dy x^,    db = sum dy,

where the means run over what was normalised together; without centring, mean(g) is left out. Kept for it are x and
two numbers for each group; x^ is cheaper to compute again, piece by piece, than to write to memory and read back.

Sums over rows and columns are products with a vector: BLAS is several times as fast at them as NumPy's sum.
"""

import math

from ..backend import array_module
from ..engine import primitive
from ..fast_forms import has_fast_form
from .checks import check_eps, of_floats, whole
from .chunks import chunks


@primitive
@of_floats("x", "weight", "bias")
def layer_norm(x, weight=None, bias=None, *, eps):
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last axis (Ba et al., arXiv:1607.06450).

    (..., D), (D,), (D,) -> (..., D)
    """
    _check("layer_norm", x, weight, bias, eps)
    return _layer_norm(x, weight, bias, eps=eps)


@has_fast_form
def _layer_norm(x, weight, bias, *, eps):
    xp, D = array_module(x), x.shape[-1]
    rows = _rows(x)  # (R, D)
    y = xp.empty(rows.shape, dtype=x.dtype)
    mean, r = xp.empty((2, len(rows), 1), dtype=x.dtype)
    average = xp.full((D, 1), 1 / max(D, 1), dtype=x.dtype)
    for xi, yi, mi, ri in chunks(rows, y, mean, r):
        xp.matmul(xi, average, out=mi)
        xp.subtract(xi, mi, out=yi)
        ri[...] = _reciprocal_root(yi, eps)
        yi *= ri
        if weight is not None:
            yi *= weight
        if bias is not None:
            yi += bias

    def backward(dy):
        dx = xp.empty(rows.shape, dtype=x.dtype)
        w = xp.ones(D, dtype=x.dtype) if weight is None else weight
        dw, db = xp.zeros((2, D), dtype=x.dtype)
        for xi, dyi, out, mi, ri in chunks(rows, _rows(dy), dx, mean, r):
            centred = xi - mi
            product = dyi * centred
            dw += ri[:, 0] @ product
            db += xp.ones(len(xi), dtype=x.dtype) @ dyi
            xp.multiply(dyi, w, out=out)
            out -= (dyi @ w / D)[:, None]
            centred *= ri * ri * (product @ w / D)[:, None]
            out -= centred
            out *= ri
        return dx.reshape(x.shape), dw, db
    return y.reshape(x.shape), backward


@primitive
@of_floats("x", "weight")
def rms_norm(x, weight=None, *, eps):
    """x / sqrt(mean of x^2 + eps) * weight over the last axis (Zhang and Sennrich, arXiv:1910.07467).

    (..., D), (D,) -> (..., D)
    """
    _check("rms_norm", x, weight, None, eps)
    xp, D = array_module(x), x.shape[-1]
    rows = _rows(x)  # (R, D)
    y = xp.empty(rows.shape, dtype=x.dtype)
    r = xp.empty((len(rows), 1), dtype=x.dtype)
    for xi, yi, ri in chunks(rows, y, r):
        ri[...] = _reciprocal_root(xi, eps)
        xp.multiply(xi, ri, out=yi)
        if weight is not None:
            yi *= weight

    def backward(dy):
        dx = xp.empty(rows.shape, dtype=x.dtype)
        w = xp.ones(D, dtype=x.dtype) if weight is None else weight
        dw = xp.zeros(D, dtype=x.dtype)
        for xi, dyi, out, ri in chunks(rows, _rows(dy), dx, r):
            normalised = xi * ri
            product = dyi * normalised
            dw += xp.ones(len(xi), dtype=x.dtype) @ product
            xp.multiply(dyi, w, out=out)
            normalised *= (product @ w / D)[:, None]
            out -= normalised
            out *= ri
        return dx.reshape(x.shape), dw
    return y.reshape(x.shape), backward


def _reciprocal_root(rows, eps):
    """1 / sqrt(mean of x^2 + eps) of each row.    (R, D) -> (R, 1)"""
    xp = array_module(rows)
    square = xp.einsum("ij,ij->i", rows, rows)[:, None]  # (R, 1)
    return 1 / xp.sqrt(square / max(rows.shape[1], 1) + eps)


@primitive
@of_floats("x", "weight", "bias")
def group_norm(x, weight=None, bias=None, *, groups, eps):
    """Each sample's channels, in groups of C / groups, together with all positions (Wu and He, arXiv:1803.08494).

    (B, ..., C), (C,), (C,) -> (B, ..., C)
    """
    _check("group_norm", x, weight, bias, eps, axes=2)
    xp, B, C, positions = array_module(x), len(x), x.shape[-1], math.prod(x.shape[1:-1])
    if C % whole("group_norm", "groups", groups):
        raise ValueError(f"group_norm: {C} channels are not divisible into {groups} groups")
    grid = x.reshape(B, positions, C)  # (B, P, C)
    ones = xp.ones(grid.shape[1], dtype=x.dtype)  # (P,)
    w = xp.ones(C, dtype=x.dtype) if weight is None else weight

    def mean(values):
        """The mean over positions and the channels of a group, at each channel.    (B, P, C) -> (B, 1, C)"""
        sums = (ones @ values).reshape(B, groups, C // groups)  # (B, C) -> (B, G, C/G)
        return xp.repeat(sums.mean(2) / max(positions, 1), C // groups, 1)[:, None]  # (B, G) -> (B, 1, C)

    centre = mean(grid)
    centred = grid - centre
    r = 1 / xp.sqrt(mean(centred * centred) + eps)  # (B, 1, C)
    y = centred * (r * w)
    if bias is not None:
        y += bias

    def backward(dy):
        dy = dy.reshape(B, positions, C)
        normalised = (grid - centre) * r
        product = dy * normalised
        dw, db = (ones @ product).sum(0), (ones @ dy).sum(0)
        dx = dy * w
        normalised *= mean(product * w)
        dx -= normalised
        dx -= mean(dy * w)
        dx *= r
        return dx.reshape(x.shape), dw, db
    return y.reshape(x.shape), backward


@primitive
@of_floats("x")
def l2_normalise(x, *, axis=-1, eps=1e-12):
    """x / max(sqrt(sum of x^2), eps) along an axis: vectors of length 1.    (..., n, ...) -> (..., n, ...)"""
    check_eps("l2_normalise", eps)
    xp = array_module(x)
    length = xp.sqrt((x * x).sum(axis, keepdims=True))  # (..., 1, ...)
    divisor = xp.maximum(length, eps)
    y = x / divisor

    def backward(dy):
        """dx = (dy - y (dy . y)) / length; dy / eps where the length is below eps"""
        return (dy - y * ((dy * y).sum(axis, keepdims=True) * (length >= eps))) / divisor
    return y, backward


def _rows(x):
    """(..., D) -> (R, D), also where D is 0"""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _check(name, x, weight, bias, eps, axes=1):
    if x.ndim < axes:
        raise ValueError(f"{name}: expected x with at least {axes} axes, got {x.shape}")
    for what, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != x.shape[-1:]:
            raise ValueError(f"{name}: x {x.shape} needs a {what} of shape {x.shape[-1:]}, got {parameter.shape}")
    check_eps(name, eps)
