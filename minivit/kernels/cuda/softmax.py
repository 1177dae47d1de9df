"""Softmax and its pullback, a warp for each row: for the operation, and for the scores of attention."""

import numpy as np

from ...backend import array_module
from .launch import Kernels, in_rows
from .warp import WARP

KERNELS = Kernels(WARP + """
// y = exp(x - L) with L = log sum exp(x); y may be x. A row of -inf gives zeros, and L = 0: its maximum is taken to be
// the lowest finite number, since -inf - -inf would be NaN.
extern "C" __global__ void softmax(const float* x, float* y, float* log_sum, long long rows, long long columns)
{
    long long row = row_of_warp();
    if (row >= rows)
        return;
    x += row * columns;
    y += row * columns;
    float largest = row_max(x, columns), sum = 0;
    for (long long j = threadIdx.x; j < columns; j += lanes) {
        y[j] = expf(x[j] - largest);
        sum += y[j];
    }
    sum = warp_sum(sum);
    float factor = sum == 0 ? 0 : 1 / sum;
    for (long long j = threadIdx.x; j < columns; j += lanes)
        y[j] *= factor;
    if (threadIdx.x == 0)
        log_sum[row] = sum == 0 ? 0 : largest + logf(sum);
}

// dx_i = y_i (dy_i - sum_j dy_j y_j); dx may be dy
extern "C" __global__ void through_softmax(const float* y, const float* dy, float* dx, long long rows,
                                           long long columns)
{
    long long row = row_of_warp();
    if (row >= rows)
        return;
    y += row * columns;
    dy += row * columns;
    dx += row * columns;
    float product = 0;
    for (long long j = threadIdx.x; j < columns; j += lanes)
        product += y[j] * dy[j];
    product = warp_sum(product);
    for (long long j = threadIdx.x; j < columns; j += lanes)
        dx[j] = y[j] * (dy[j] - product);
}
""")


def softmax(x, *, axis):
    """y_i = e^x_i / sum_j e^x_j.    (..., n, ...) -> (..., n, ...)"""
    xp = array_module(x)

    def rows(array):
        return xp.ascontiguousarray(xp.moveaxis(array, axis, -1)).reshape(-1, x.shape[axis])  # (R, n)

    def back(array):
        moved = xp.moveaxis(x, axis, -1).shape
        return xp.moveaxis(array.reshape(moved), -1, axis)  # (..., n, ...)
    xs = rows(x)
    y = xp.empty(xs.shape, np.float32)
    KERNELS.on_rows("softmax", xs, y, xp.empty(len(xs), np.float32))

    def backward(dy):
        dx = xp.empty(y.shape, np.float32)
        KERNELS.on_rows("through_softmax", y, rows(dy), dx)
        return back(dx)
    return back(y), backward


def scores_to_probabilities(s):
    """Turn S into P in place; return L.    (..., M) -> (..., 1)"""
    log_sum = array_module(s).empty((*s.shape[:-1], 1), np.float32)
    with in_rows(s) as s:
        rows = s.reshape(-1, s.shape[-1])  # (R, M)
        KERNELS.on_rows("softmax", rows, rows, log_sum)
    return log_sum


def scores_gradient(ds, p, dout, out):
    """Turn dP into dS in place: dO . O is the sum of P dP over the keys.    (..., M), (..., M), (..., e) x 2"""
    with in_rows(ds) as ds:
        rows = ds.reshape(-1, ds.shape[-1])  # (R, M)
        KERNELS.on_rows("through_softmax", array_module(p).ascontiguousarray(p).reshape(rows.shape), rows, rows)
