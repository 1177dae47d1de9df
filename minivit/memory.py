"""Memory of arrays: where it begins, how NumPy buffers it, and who keeps it when it is freed."""

import contextlib
import ctypes
import math

import numpy as np


def empty(shape, dtype, xp=np):
    """An array of `xp` to be filled; NumPy's begins at a multiple of 64 bytes, if it is of 16 KB or more.

    NumPy itself begins large arrays 16 bytes after one: every vector of 64 bytes then lies in two lines of the cache,
    and sums of arrays that are in the cache take two to three times as long.
    """
    if xp is not np:
        return xp.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < 1 << 14:  # too small to gain what finding the place would cost
        return np.empty(shape, dtype)
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size].view(dtype).reshape(shape)


@contextlib.contextmanager
def unbuffered():
    """Inside the `with` block (or the function, as a decorator), NumPy computes on views where they lie.

    Otherwise it first copies stretches of less than half its buffer together, into the buffer of 8,192 numbers, and
    sums of views take twice as long. Not for arrays of different dtypes, which are converted in that buffer.
    """
    size = np.setbufsize(16)
    try:
        yield
    finally:
        np.setbufsize(size)


def keep_freed_memory():
    """Tell glibc's allocator to keep freed memory for the next step instead of giving it back to the kernel.

    A fresh array is otherwise mapped and zeroed page by page in every step. Threads that start afterwards share one
    heap: those that glibc makes for single threads are of 64 MiB, and given back whenever one is empty. Where the C
    library has no `mallopt` (Windows, macOS, musl) nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    mallopt(arena_max, 1)
    mallopt(mmap_threshold, 1 << 25)  # the most that glibc accepts
    mallopt(trim_threshold, 1 << 30)
