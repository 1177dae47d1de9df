"""Sums over the rows of an array, for each column: CUDA source that others begin with, behind that of warps.

A block has 8 x 32 threads, for 8 rows and 32 columns at a time. Several groups of rows are added side by side, and then
their sums.
"""

import numpy as np

from ...backend import array_module
from .launch import LANES, ceiling

COLUMNS = """
const int height = 8;

// A thread works on one row of every 8 of its group, and on every n-th of these eights if there are n groups.
__device__ long long first_row()
{
    return (long long)blockIdx.y * height + threadIdx.y;
}

__device__ long long to_next_row()
{
    return (long long)gridDim.y * height;
}

// The column of a thread, which may lie behind the last.
__device__ long long column_of_thread()
{
    return (long long)blockIdx.x * lanes + threadIdx.x;
}

// Write the sum over the 8 threads of each column to sums (groups, columns). All threads of a block must get here.
__device__ void write_sum(float value, float* sums, long long columns)
{
    __shared__ float values[height][lanes];
    __syncthreads();
    values[threadIdx.y][threadIdx.x] = value;
    for (int half = height / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half)
            values[threadIdx.y][threadIdx.x] += values[threadIdx.y + half][threadIdx.x];
    }
    long long j = column_of_thread();
    if (threadIdx.y == 0 && j < columns)
        sums[blockIdx.y * columns + j] = values[0][threadIdx.x];
}
"""
HEIGHT = 8  # rows that a block reads at a time
GROUPS = 128  # blocks side by side, at most: enough to keep a GPU busy, few enough to be added up quickly


def column_sums(kernels, name, count, *arrays):
    """What a kernel of that name adds up for each column of the first array (R, C): `count` sums.    -> (count, C)

    Its arguments are the arrays, an array (groups, C) for each of the sums, R and C.
    """
    rows, columns = arrays[0].shape
    groups = max(1, min(GROUPS, ceiling(rows, 8 * HEIGHT)))
    parts = array_module(arrays[0]).empty((count, groups, columns), np.float32)
    kernels.launch(name, (ceiling(columns, LANES), groups), (LANES, HEIGHT), *arrays, *parts, rows, columns)
    return parts.sum(1)
