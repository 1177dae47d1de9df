"""Normalisation of each channel over the batch (Ioffe and Szegedy, arXiv:1502.03167, algorithm 1)."""

import math

import numpy as np

from ..backend import array_module
from ..team import all_sum
from ..engine import primitive
from ..fast_forms import has_fast_form
from .checks import check_eps, of_floats
from .chunks import chunks


@primitive
@of_floats("x", "weight", "bias", "mean", "var")
def batch_norm(x, weight=None, bias=None, mean=None, var=None, *, eps, record=None):
    """(x - mean) / sqrt(var + eps) * weight + bias in each channel.    (B, ..., C), (C,) x 4 -> (B, ..., C)

    Parameters
    ----------
    x : (B, ..., C)
        Channels last: (B, H, W, C) or (B, N, C).
    weight, bias : (C,) or None
    mean, var : (C,) or None
        Running averages, constants for the gradient; None takes the mean and the (biased) variance over all axes of x
        but the last, and over all shares of the batch. One value a channel, or none, has no variance: refused.
    record : callable, optional
        Gets the batch's mean, its biased variance and the number of elements of a channel, to keep averages of them.
    """
    if x.ndim < 2 or (mean is None) != (var is None):
        raise ValueError(f"batch_norm: expected x (B, ..., C), and mean and var both or neither, got x {x.shape}, mean "
                         f"{getattr(mean, 'shape', None)} and var {getattr(var, 'shape', None)}")
    xp, C = array_module(x), x.shape[-1]
    for name, parameter in (("weight", weight), ("bias", bias), ("mean", mean), ("var", var)):
        if parameter is not None and parameter.shape != (C,):
            raise ValueError(f"batch_norm: x {x.shape} needs a {name} of shape {(C,)}, got {parameter.shape}")
    check_eps("batch_norm", eps)
    rows = x.reshape(math.prod(x.shape[:-1]), C)  # (R, C)
    of_batch = mean is None
    if of_batch:
        mean, var, count = _statistics(rows)
        if count < 2:
            raise ValueError(f"batch_norm: x {x.shape} has {count} values for the statistics of a channel, expected at "
                             "least 2; train on more pictures at a time, or switch to eval()")
        if record is not None:
            record(mean, var, count)
    r = 1 / xp.sqrt(var + eps)
    scale = r if weight is None else weight * r
    offset = -mean * scale if bias is None else bias - mean * scale
    y = _affine(rows, scale, offset)

    def backward(dy):
        """With x^ = (x - mean) r:  dx = scale (dy - sum(dy) / n - x^ sum(dy x^) / n), the sums over the whole batch."""
        dy = dy.reshape(rows.shape)
        sums = _gradient_sums(rows, dy, mean)
        sums[1] *= r
        if of_batch:
            of_dy, of_product = all_sum(sums) / count
            dx = _through_batch_norm(rows, dy, mean, scale, scale * r * of_product, scale * of_dy)
        else:
            dx = dy * scale
        return dx.reshape(x.shape), sums[1], sums[0], lambda: -scale * sums[0], lambda: scale * r * sums[1] / -2
    return y.reshape(x.shape), backward


def _statistics(rows):
    """Mean and biased variance of each column over the shares of the whole team, and their number of rows.

    (R, C) -> (C,), (C,), int. One pass over the data: the sums of x - a and (x - a)^2 give both, and lose no digits to
    cancellation if a is close to the mean. The shares' results are joined as in Chan et al., "Updating formulae and a
    pairwise algorithm for computing sample variances", 1979.
    """
    n = len(rows)
    a = rows[:1024].sum(0) / min(max(n, 1), 1024)  # a share may be empty
    total, squares = _centred_sums(rows, a)
    own_mean = a + total / max(n, 1)
    count = int(all_sum(np.array(n)))
    mean = all_sum(n * own_mean) / max(count, 1)
    deviation = squares - total * total / max(n, 1) + n * (own_mean - mean) ** 2
    return mean, all_sum(deviation) / max(count, 1), count


@has_fast_form
def _affine(rows, scale, offset):
    """x scale + offset    (R, C), (C,), (C,) -> (R, C)"""
    xp = array_module(rows)
    y = xp.empty(rows.shape, dtype=rows.dtype)
    for xi, out in chunks(rows, y):
        xp.multiply(xi, scale, out=out)
        out += offset
    return y


@has_fast_form
def _centred_sums(rows, a):
    """The sums of x - a and of (x - a)^2 over the rows.    (R, C), (C,) -> (2, C)"""
    xp = array_module(rows)
    sums = xp.zeros((2, rows.shape[1]), dtype=rows.dtype)
    for xi, in chunks(rows):
        ones = xp.ones(len(xi), dtype=rows.dtype)
        shifted = xi - a
        sums[0] += ones @ shifted
        shifted *= shifted
        sums[1] += ones @ shifted
    return sums


@has_fast_form
def _gradient_sums(rows, dy, mean):
    """The sums of dy and of dy (x - mean) over the rows.    (R, C), (R, C), (C,) -> (2, C)"""
    xp = array_module(rows)
    sums = xp.zeros((2, rows.shape[1]), dtype=rows.dtype)
    for xi, dyi in chunks(rows, dy):
        ones = xp.ones(len(xi), dtype=rows.dtype)
        centred = xi - mean
        centred *= dyi
        sums[0] += ones @ dyi
        sums[1] += ones @ centred
    return sums


@has_fast_form
def _through_batch_norm(rows, dy, mean, scale, slope, offset):
    """dy scale - (x - mean) slope - offset    (R, C), (R, C), (C,) x 4 -> (R, C)"""
    xp = array_module(rows)
    dx = xp.empty(rows.shape, dtype=rows.dtype)
    for xi, dyi, out in chunks(rows, dy, dx):
        xp.multiply(dyi, scale, out=out)
        centred = xi - mean
        centred *= slope
        out -= centred
        out -= offset
    return dx
