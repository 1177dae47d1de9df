"""Fast twins: a second form of a function, compiled for one processor.

An operation is defined once, in a few lines of NumPy. `minivit.kernels` may have a twin of it, or of its inner loop,
with the same name, arguments and results, which takes fewer walks through memory. Nothing needs the twins: without the
library that compiles them, with MINIVIT_KERNELS=0, and for arrays other than float32, the definition does the work.
"""

import functools
import importlib
import os

import numpy as np

from .backend import array_module


def has_twin(function):
    """Let the twin of `function` do its work, where there is one, on float32 arrays of the CPU (or None among them)."""
    name = function.__name__.strip("_")

    @functools.wraps(function)
    def run(*arrays, **settings):
        suits = os.environ.get("MINIVIT_KERNELS") != "0" and all(
            array is None or (array_module(array) is np and array.dtype == np.float32) for array in arrays)
        twin = getattr(compiled(), name, None) if suits else None
        return (twin or function)(*arrays, **settings)
    return run


@functools.cache
def compiled():
    """The module of twins for the CPU, or None: Numba is missing, or has no folder to keep what it compiled."""
    try:
        return importlib.import_module(".kernels.cpu", __package__)
    except (ImportError, RuntimeError):
        return None
