"""Fast forms: a second form of a function, compiled for one processor.

An operation is defined once, in a few lines of NumPy. `minivit.kernels` may have a fast form of it, or of its inner
loop, with the same name, arguments and results, which takes fewer walks through memory: one for the CPU, one for the
GPU, or either. Nothing needs them: without the library that compiles them, with MINIVIT_KERNELS=0, and for arrays other
than float32, the definition does the work. So it does for arrays for which a fast form returns NotImplemented.
"""

import functools
import importlib
import os

import numpy as np

from .backend import device_of

FLOAT32 = np.dtype(np.float32)


def has_fast_form(function):
    """Let the fast form of `function` do its work, if there is one where the float32 arrays (or None) lie."""
    name = function.__name__.strip("_")

    @functools.wraps(function)
    def run(*arrays, **settings):
        first = arrays[0]
        fast = getattr(compiled(device_of(first)), name, None)
        if fast and not switched_off() and all(
                array is None or (array.dtype == FLOAT32 and type(array) is type(first)) for array in arrays):
            result = fast(*arrays, **settings)
            if result is not NotImplemented:
                return result
        return function(*arrays, **settings)
    return run


def switched_off():
    """Whether MINIVIT_KERNELS=0 asks for the definitions."""
    return os.environ.get("MINIVIT_KERNELS") == "0"


@functools.cache
def compiled(device="cpu"):
    """The module of fast forms for a device, or None: the library that compiles them is missing, or has nowhere to."""
    try:
        return importlib.import_module(f".kernels.{device}", __package__)
    except (ImportError, RuntimeError):
        return None
