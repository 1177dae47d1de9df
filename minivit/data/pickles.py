"""Reading pickles that hold nothing but arrays, lists, dictionaries, strings and numbers.

A pickle is a program: it may call whatever its reader can import (docs.python.org/3/library/pickle.html, "Restricting
Globals"). This reader knows the few names that NumPy's arrays are made of and refuses every other.
"""

import pickle

import numpy as np


def load_arrays(path):
    """What the pickle in a file holds; strings that Python 2 wrote become str, byte by byte.

    Raises
    ------
    ValueError
        If the pickle asks for anything but arrays, or cannot be read.
    """
    with open(path, "rb") as file:
        try:
            return ArrayUnpickler(file, encoding="latin1").load()
        except Exception as error:  # a damaged pickle can fail in any way
            raise ValueError(f"{path}: not a pickle of plain arrays: {error}") from error


def latin1_bytes(text, encoding):
    """Stands in for `_codecs.encode`, by which Python 3 writes bytes in the old pickle protocols."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the codec {encoding!r}")
    return text.encode("latin1")


class ArrayUnpickler(pickle.Unpickler):
    """An unpickler that can build nothing but NumPy arrays and Python's own containers, strings and numbers."""

    reconstruct = np.empty(0).__reduce__()[0]
    allowed = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        ("_codecs", "encode"): latin1_bytes,
    }

    def find_class(self, module, name):
        """The object of this name, if it is one of the few allowed."""
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.allowed[module, name]
