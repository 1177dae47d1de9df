"""Arrays in blocks that fit the processor's cache, for chains of elementwise operations."""

import numpy as np

from ..backend import array_module

SIZE = 1 << 15  # floats; a handful of such blocks fit a level 2 cache


def blocks(*arrays):
    """Views of arrays of one shape, cut together along the first axis into blocks of about 32,000 numbers.

    Never copies, whatever the order of the axes in memory: what is written to a view is written to the array.
    An array on a GPU stays in one piece.
    """
    first = arrays[0]
    if array_module(first) is not np or first.size <= SIZE:
        return [arrays]
    rows = max(1, SIZE * len(first) // first.size)
    return [tuple(array[start:start + rows] for array in arrays) for start in range(0, len(first), rows)]
