"""Layer normalisation, a row at a time: it stays in the nearest cache for all that is done to it."""

import numpy as np

from ...memory import empty
from .compiler import any_order


@any_order
def _layer_norm(x, w, b, eps, y, mean, r):
    """y = (x - mean) r w + b with r = 1 / sqrt(variance + eps).    (R, D), (D,), (D,) -> (R, D), (R,), (R,)"""
    R, D = x.shape
    for i in range(R):
        total = np.float32(0)
        for j in range(D):
            total += x[i, j]
        centre = total / np.float32(D)
        square = np.float32(0)
        for j in range(D):
            square += (x[i, j] - centre) ** 2
        factor = 1 / np.sqrt(square / np.float32(D) + np.float32(eps))
        for j in range(D):
            y[i, j] = (x[i, j] - centre) * factor * w[j] + b[j]
        mean[i], r[i] = centre, factor


@any_order
def _layer_norm_backward(x, w, mean, r, dy, dx, dw, db):
    """dx = r (g - mean(g) - x^ mean(g x^)) with g = w dy and x^ = (x - mean) r; dw and db are added to."""
    R, D = x.shape
    for i in range(R):
        centre, factor = mean[i], r[i]
        sum_g, sum_gx = np.float32(0), np.float32(0)
        for j in range(D):
            normalised = (x[i, j] - centre) * factor
            g = dy[i, j] * w[j]
            sum_g += g
            sum_gx += g * normalised
            dw[j] += dy[i, j] * normalised
            db[j] += dy[i, j]
        mean_g, mean_gx = sum_g / np.float32(D), sum_gx / np.float32(D)
        for j in range(D):
            dx[i, j] = factor * (dy[i, j] * w[j] - mean_g - (x[i, j] - centre) * factor * mean_gx)


def layer_norm(x, weight, bias, *, eps):
    """(x - mean) / sqrt(variance + eps) * weight + bias    (..., D), (D,), (D,) -> (..., D)"""
    D = x.shape[-1]
    rows = np.ascontiguousarray(x.reshape(-1, D))
    w = np.ones(D, np.float32) if weight is None else np.ascontiguousarray(weight)
    b = np.zeros(D, np.float32) if bias is None else np.ascontiguousarray(bias)
    y, mean, r = empty(rows.shape, np.float32), *empty((2, len(rows)), np.float32)
    _layer_norm(rows, w, b, eps, y, mean, r)

    def backward(dy):
        dx, dw, db = empty(rows.shape, np.float32), *np.zeros((2, D))
        _layer_norm_backward(rows, w, mean, r, np.ascontiguousarray(dy.reshape(-1, D)), dx, dw, db)
        return dx.reshape(x.shape), dw.astype(np.float32), db.astype(np.float32)
    return y.reshape(x.shape), backward
