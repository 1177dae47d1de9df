"""Layer normalisation: a warp for each row, and column sums in two stages.

The formulas are those of `minivit.ops.normalise`.
"""

import numpy as np

from ...backend import array_module
from .columns import COLUMNS, column_sums
from .launch import Kernels
from .warp import WARP

KERNELS = Kernels(WARP + COLUMNS + """
extern "C" __global__ void layer_norm(const float* x, const float* w, const float* b, float* y, float* mean, float* r,
                                      float eps, long long rows, long long columns)
{
    long long row = row_of_warp();
    if (row >= rows)
        return;
    x += row * columns;
    y += row * columns;
    float sum = 0;
    for (long long j = threadIdx.x; j < columns; j += lanes)
        sum += x[j];
    float centre = warp_sum(sum) / columns;
    float square = 0;
    for (long long j = threadIdx.x; j < columns; j += lanes)
        square += (x[j] - centre) * (x[j] - centre);
    float factor = 1 / sqrtf(warp_sum(square) / columns + eps);
    for (long long j = threadIdx.x; j < columns; j += lanes)
        y[j] = (x[j] - centre) * factor * w[j] + b[j];
    if (threadIdx.x == 0) {
        mean[row] = centre;
        r[row] = factor;
    }
}

// dx = r (g - mean(g) - x^ mean(g x^)) with g = w dy and x^ = (x - mean) r
extern "C" __global__ void layer_norm_dx(const float* x, const float* w, const float* mean, const float* r,
                                         const float* dy, float* dx, long long rows, long long columns)
{
    long long row = row_of_warp();
    if (row >= rows)
        return;
    x += row * columns;
    dy += row * columns;
    dx += row * columns;
    float centre = mean[row], factor = r[row];
    float sum_g = 0, sum_gx = 0;
    for (long long j = threadIdx.x; j < columns; j += lanes) {
        float g = w[j] * dy[j];
        sum_g += g;
        sum_gx += g * (x[j] - centre) * factor;
    }
    float mean_g = warp_sum(sum_g) / columns, mean_gx = warp_sum(sum_gx) / columns;
    for (long long j = threadIdx.x; j < columns; j += lanes)
        dx[j] = factor * (w[j] * dy[j] - mean_g - (x[j] - centre) * factor * mean_gx);
}

// dw = sum dy x^ and db = sum dy over the rows of a group
extern "C" __global__ void layer_norm_dw_db(const float* x, const float* mean, const float* r, const float* dy,
                                            float* dw, float* db, long long rows, long long columns)
{
    long long j = column_of_thread();
    float sum_w = 0, sum_b = 0;
    if (j < columns)
        for (long long i = first_row(); i < rows; i += to_next_row()) {
            sum_w += dy[i * columns + j] * (x[i * columns + j] - mean[i]) * r[i];
            sum_b += dy[i * columns + j];
        }
    write_sum(sum_w, dw, columns);
    write_sum(sum_b, db, columns);
}
""")


def layer_norm(x, weight, bias, *, eps):
    """(x - mean) / sqrt(variance + eps) * weight + bias    (..., D), (D,), (D,) -> (..., D)"""
    xp, D = array_module(x), x.shape[-1]
    rows = xp.ascontiguousarray(x.reshape(-1, D))  # (R, D)
    w = xp.ones(D, np.float32) if weight is None else xp.ascontiguousarray(weight)
    b = xp.zeros(D, np.float32) if bias is None else xp.ascontiguousarray(bias)
    y = xp.empty(rows.shape, np.float32)
    mean, r = xp.empty((2, len(rows)), np.float32)
    KERNELS.on_rows("layer_norm", rows, w, b, y, mean, r, float(eps))

    def backward(dy):
        dy = xp.ascontiguousarray(dy.reshape(-1, D))
        dx = xp.empty(rows.shape, np.float32)
        KERNELS.on_rows("layer_norm_dx", rows, w, mean, r, dy, dx)
        dw, db = column_sums(KERNELS, "layer_norm_dw_db", 2, rows, mean, r, dy)
        return dx.reshape(x.shape), dw, db
    return y.reshape(x.shape), backward
