"""The four walks of batch normalisation. Sums over columns run in float64."""

import numpy as np

from ...memory import empty
from .compiler import any_order, rounded_once


def centred_sums(rows, a):
    """The sums of x - a and of (x - a)^2 over the rows.    (R, C), (C,) -> (2, C)"""
    sums = np.zeros((2, rows.shape[1]))
    _centred_sums(rows, a, *sums)
    return sums.astype(np.float32)


@any_order
def _centred_sums(rows, a, total, squares):
    R, C = rows.shape
    for i in range(R):
        for j in range(C):
            shifted = rows[i, j] - a[j]
            total[j] += shifted
            squares[j] += shifted * shifted


def affine(rows, scale, offset):
    """x scale + offset    (R, C), (C,), (C,) -> (R, C)"""
    y = empty(rows.shape, np.float32)
    _affine(rows, scale, offset, y)
    return y


@rounded_once
def _affine(rows, scale, offset, y):
    R, C = rows.shape
    for i in range(R):
        for j in range(C):
            y[i, j] = rows[i, j] * scale[j] + offset[j]


def gradient_sums(rows, dy, mean):
    """The sums of dy and of dy (x - mean) over the rows.    (R, C), (R, C), (C,) -> (2, C)"""
    sums = np.zeros((2, rows.shape[1]))
    _gradient_sums(rows, dy, mean, *sums)
    return sums.astype(np.float32)


@any_order
def _gradient_sums(rows, dy, mean, of_dy, of_product):
    R, C = rows.shape
    for i in range(R):
        for j in range(C):
            of_dy[j] += dy[i, j]
            of_product[j] += dy[i, j] * (rows[i, j] - mean[j])


def through_batch_norm(rows, dy, mean, scale, slope, offset):
    """dy scale - (x - mean) slope - offset    (R, C), (R, C), (C,) x 4 -> (R, C)"""
    dx = empty(rows.shape, np.float32)
    _through_batch_norm(rows, dy, mean, scale, slope, offset, dx)
    return dx


@rounded_once
def _through_batch_norm(rows, dy, mean, scale, slope, offset, dx):
    R, C = rows.shape
    for i in range(R):
        for j in range(C):
            dx[i, j] = dy[i, j] * scale[j] - (rows[i, j] - mean[j]) * slope[j] - offset[j]
