"""Long arrays in short pieces.

A chain of elementwise operations on a large array moves every intermediate result through main memory. Taken piece by
piece, about 130,000 numbers at a time, the intermediate results stay in the processor's cache. Smaller pieces would
stay closer to it, but NumPy takes Python's lock back after every operation, and threads then spend their time waiting
for each other. A GPU has no such cache and is only busy with large arrays: there one piece is everything.
"""

import numpy as np

from ..backend import array_module

NUMBERS = 1 << 17


def chunks(*arrays, numbers=NUMBERS):
    """The same rows of several arrays, about `numbers` of the first at a time.    (n, ...) -> (m, ...) with m <= n

    Never copies, whatever the order of the axes in memory: what is written to a view is written to the array.
    """
    first = arrays[0]
    if array_module(first) is not np or first.size <= numbers:
        yield list(arrays)
        return
    step = max(1, numbers * len(first) // first.size)
    for start in range(0, len(first), step):
        yield [array[start:start + step] for array in arrays]


def flat_chunks(*arrays):
    """The elements of several arrays of one shape, piece by piece.    (...) -> (m,)

    An array that is written to must be contiguous.
    """
    return chunks(*(a.reshape(-1) for a in arrays))
