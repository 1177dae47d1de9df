"""How kernels are compiled and started.

CuPy hands a kernel pointers and numbers, and checks neither their types nor how the arrays lie in memory. All kernels
here therefore take arrays of float that lie row after row, numbers that are `long long` or `float`, and structs. It
starts at least one block, also for an array of no numbers, and compiles with -ftz=true: numbers below 1.2e-38 are 0.
(CuPy 14: cupy/cuda/function.pyx and compiler.py)
"""

import contextlib
import functools

import numpy as np

from ...backend import array_module

LANES, WARPS = 32, 4  # threads of a warp, and warps of a block
THREADS = 256  # of a block that works on elements one by one


class Kernels:
    """The kernels of one CUDA source, by name."""

    def __init__(self, source):
        self.source = source

    def on_elements(self, name, *arguments):
        """Start a kernel with a thread for each element of the first array; its last argument is their number."""
        n = arguments[0].size
        self.launch(name, (ceiling(n, THREADS),), (THREADS,), *arguments, n)

    def on_rows(self, name, *arguments):
        """Start a kernel with a warp for each row of the first array (R, C); its last arguments are R and C."""
        rows, columns = arguments[0].shape
        self.launch(name, (ceiling(rows, WARPS),), (LANES, WARPS), *arguments, rows, columns)

    def launch(self, name, grid, block, *arguments):
        """Start a kernel with a grid of blocks of threads; it runs on while Python goes on."""
        function = _compiled(array_module(*arguments), self.source, name)
        function(grid, block, tuple(_checked(name, argument) for argument in arguments))


@contextlib.contextmanager
def in_rows(array):
    """An array to be changed in place; if it does not lie row after row, a copy that is written back at the end."""
    if array.flags.c_contiguous:
        yield array
    else:
        copy = array_module(array).ascontiguousarray(array)
        yield copy
        array[...] = copy


def ceiling(n, size):
    """How many times `size` is needed for n."""
    return -(-n // size)


@functools.cache
def _compiled(cupy, source, name):
    return cupy.RawModule(code=source).get_function(name)


def _checked(name, argument):
    if isinstance(argument, int):
        return np.int64(argument)
    if isinstance(argument, float):
        return np.float32(argument)
    if isinstance(argument, np.ndarray) and argument.shape == (1,) and argument.dtype.names:
        return argument  # a struct, which CuPy copies
    if argument.dtype != np.float32 or not argument.flags.c_contiguous:
        raise ValueError(f"{name}: the kernel needs float32 arrays that lie row after row in memory, got "
                         f"{argument.dtype} {argument.shape} with strides {argument.strides}")
    return argument
