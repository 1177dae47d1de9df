"""The four walks of batch normalisation through rows (R, C): see `minivit.ops.batch_norm`."""

import numpy as np

from ...backend import array_module
from .columns import COLUMNS, column_sums
from .launch import Kernels
from .warp import WARP

KERNELS = Kernels(WARP + COLUMNS + """
extern "C" __global__ void affine(const float* x, const float* scale, const float* offset, float* y, long long columns,
                                  long long n)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = x[i] * scale[i % columns] + offset[i % columns];
}

extern "C" __global__ void through_batch_norm(const float* x, const float* dy, const float* mean, const float* scale,
                                              const float* slope, const float* offset, float* dx, long long columns,
                                              long long n)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    long long j = i % columns;
    dx[i] = dy[i] * scale[j] - (x[i] - mean[j]) * slope[j] - offset[j];
}

extern "C" __global__ void centred_sums(const float* x, const float* a, float* total, float* squares, long long rows,
                                        long long columns)
{
    long long j = column_of_thread();
    float sum = 0, square = 0;
    if (j < columns)
        for (long long i = first_row(); i < rows; i += to_next_row()) {
            float shifted = x[i * columns + j] - a[j];
            sum += shifted;
            square += shifted * shifted;
        }
    write_sum(sum, total, columns);
    write_sum(square, squares, columns);
}

extern "C" __global__ void gradient_sums(const float* x, const float* dy, const float* mean, float* of_dy,
                                         float* of_product, long long rows, long long columns)
{
    long long j = column_of_thread();
    float sum = 0, product = 0;
    if (j < columns)
        for (long long i = first_row(); i < rows; i += to_next_row()) {
            sum += dy[i * columns + j];
            product += dy[i * columns + j] * (x[i * columns + j] - mean[j]);
        }
    write_sum(sum, of_dy, columns);
    write_sum(product, of_product, columns);
}
""")


def affine(rows, scale, offset):
    """x scale + offset    (R, C), (C,), (C,) -> (R, C)"""
    return _on_elements("affine", rows, scale, offset)


def through_batch_norm(rows, dy, mean, scale, slope, offset):
    """dy scale - (x - mean) slope - offset    (R, C), (R, C), (C,) x 4 -> (R, C)"""
    return _on_elements("through_batch_norm", rows, dy, mean, scale, slope, offset)


def centred_sums(rows, a):
    """The sums of x - a and of (x - a)^2 over the rows.    (R, C), (C,) -> (2, C)"""
    return column_sums(KERNELS, "centred_sums", 2, *_contiguous(rows, a))


def gradient_sums(rows, dy, mean):
    """The sums of dy and of dy (x - mean) over the rows.    (R, C), (R, C), (C,) -> (2, C)"""
    return column_sums(KERNELS, "gradient_sums", 2, *_contiguous(rows, dy, mean))


def _on_elements(name, rows, *others):
    result = array_module(rows).empty(rows.shape, np.float32)
    KERNELS.on_elements(name, *_contiguous(rows, *others), result, rows.shape[1])
    return result


def _contiguous(*arrays):
    return [array_module(array).ascontiguousarray(array) for array in arrays]
