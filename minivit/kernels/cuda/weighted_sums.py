"""A vector times a matrix, as weighted sums over the rows: the gradient of a bias is ones @ dy, with many rows.

A library of products would give each block of columns to one processor of the GPU, and let the others look on.
"""

from .columns import COLUMNS, column_sums
from .launch import Kernels
from .warp import WARP

KERNELS = Kernels(WARP + COLUMNS + """
extern "C" __global__ void weighted_sums(const float* y, const float* x, float* sums, long long rows,
                                         long long columns)
{
    long long j = column_of_thread();
    float sum = 0;
    if (j < columns)
        for (long long i = first_row(); i < rows; i += to_next_row())
            sum += x[i] * y[i * columns + j];
    write_sum(sum, sums, columns);
}
""")


def weighted_sums(x, y):
    """x @ y    (R,), (R, C) -> (C,)"""
    return column_sums(KERNELS, "weighted_sums", 1, y, x)[0]
