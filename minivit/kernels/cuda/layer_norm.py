"""Layer normalisation: a warp for each row, and column sums in two stages.

The formulas are those of `minivit.ops.normalise`.
"""

import numpy as np

from ...backend import array_module
from .launch import LANES, Kernels, ceiling
from .warp import WARP

KERNELS = Kernels(WARP + """
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

// dw = sum dy x^ and db = sum dy over every n-th group of 8 rows, n the number of groups that work side by side.
// A block has 8 x 32 threads, for 8 rows and 32 columns at a time; dw and db are (n, columns).
extern "C" __global__ void layer_norm_dw_db(const float* x, const float* mean, const float* r, const float* dy,
                                            float* dw, float* db, long long rows, long long columns)
{
    const int height = 8;
    __shared__ float of_w[height][lanes], of_b[height][lanes];
    long long j = (long long)blockIdx.x * lanes + threadIdx.x;
    float sum_w = 0, sum_b = 0;
    if (j < columns)
        for (long long i = blockIdx.y * height + threadIdx.y; i < rows; i += gridDim.y * height) {
            sum_w += dy[i * columns + j] * (x[i * columns + j] - mean[i]) * r[i];
            sum_b += dy[i * columns + j];
        }
    of_w[threadIdx.y][threadIdx.x] = sum_w;
    of_b[threadIdx.y][threadIdx.x] = sum_b;
    for (int half = height / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
            of_w[threadIdx.y][threadIdx.x] += of_w[threadIdx.y + half][threadIdx.x];
            of_b[threadIdx.y][threadIdx.x] += of_b[threadIdx.y + half][threadIdx.x];
        }
    }
    if (threadIdx.y == 0 && j < columns) {
        dw[blockIdx.y * columns + j] = of_w[0][threadIdx.x];
        db[blockIdx.y * columns + j] = of_b[0][threadIdx.x];
    }
}
""")
HEIGHT = 8  # rows that a block of layer_norm_dw_db reads at a time
GROUPS = 128  # blocks side by side, at most: enough to keep a GPU busy, few enough to be added up quickly


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
        groups = max(1, min(GROUPS, ceiling(len(rows), 8 * HEIGHT)))
        parts = xp.empty((2, groups, D), np.float32)
        KERNELS.launch("layer_norm_dw_db", (ceiling(D, LANES), groups), (LANES, HEIGHT),
                       rows, mean, r, dy, *parts, *rows.shape)
        dw, db = parts.sum(1)
        return dx.reshape(x.shape), dw, db
    return y.reshape(x.shape), backward
