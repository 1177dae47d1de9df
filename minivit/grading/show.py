"""What a check cell calls: it shows values; the verdict is found elsewhere."""

import numpy as np
from IPython.display import display

MIME = "application/vnd.minivit.values+json"
DIGITS = 8  # of the largest entry: enough to judge by, and the same on every machine


def show(**values):
    """Output named numbers and arrays: as text for the reader, as JSON for the grader."""
    arrays = {name: _array(value) for name, value in values.items()}
    text = "\n".join(f"{name} {array.shape}\n{_text(array)}" for name, array in arrays.items())
    display({"text/plain": text, MIME: {name: _numbers(array) for name, array in arrays.items()}}, raw=True)


def _array(value):
    """An array of numbers where a value holds them in any form: lists, objects, complex without an imaginary part.

    None stays None: it is said as that.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O" and not any(item is None for item in array.flat):
            array = np.array(array.tolist(), dtype=float)
    except (TypeError, ValueError):  # lists of different lengths, or no numbers at all
        array = np.asarray(_several(value) if isinstance(value, (tuple, list)) else str(value))
    return array.real if array.dtype.kind == "c" and not array.imag.any() else array


def _several(values):
    """What stands for values that make no array together: how many, and the shapes of the first."""
    kinds = [str(value.shape) if isinstance(value, np.ndarray) else type(value).__name__ for value in values[:4]]
    return ", ".join([f"{len(values)} values", *kinds])


def _numbers(array):
    """{"shape", "data": flat list}, rounded; what JSON cannot hold (NaN, infinity, objects) becomes text."""
    if array.dtype.kind == "f":
        finite = array[np.isfinite(array)].astype(float)
        largest = np.abs(finite).max(initial=0.0)
        decimals = min(DIGITS - 1 - int(np.floor(np.log10(largest))), 300) if largest > 0 else 0
        array = np.round(array.astype(float), decimals) + 0.0  # + 0.0: no negative zero
        data = [x if np.isfinite(x) else str(x) for x in array.ravel().tolist()]
    elif array.dtype.kind in "biu":
        data = array.ravel().tolist()
    else:
        data = [str(x) for x in array.ravel().tolist()]
    return {"shape": list(array.shape), "data": data}


def _text(array):
    if array.dtype.kind == "f":
        array = np.round(array.astype(float), 4) + 0.0
    return np.array2string(array, precision=4, suppress_small=True, threshold=60, edgeitems=2)
