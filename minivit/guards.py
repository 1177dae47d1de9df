"""What an operation refuses, so that nothing is silently wrong, and how it says so."""

import inspect
import re

import numpy as np

from .backend import array_module, device_of, is_array
from .tensor import Tensor


# What a user who knows another library writes, and the name of the same here.
OTHER_NAMES = {"dim": "axis", "dims": "axes", "keepdim": "keepdims", "unbiased": "ddof", "correction": "ddof",
               "a": "x", "input": "x", "index": "indices", "min": "low", "max": "high"}
KINDS = {IndexError: IndexError, ValueError: (ValueError, OverflowError, ZeroDivisionError),
         TypeError: (TypeError, AttributeError)}  # what is raised instead of which errors
EXPLAINED = (IndexError, ValueError, OverflowError, ZeroDivisionError, TypeError, AttributeError)


def plain_settings(name, settings):
    """Settings with NumPy's numbers as Python's. A Tensor among them is refused: the engine looks for those among the
    positional arguments only, and it would get no gradient.
    """
    for setting, given in settings.items():
        if isinstance(given, Tensor):
            raise TypeError(f"{name}: {setting} is a Tensor; pass it by position, so that it can get a gradient")
    return {setting: given.item() if isinstance(given, np.generic) else given for setting, given in settings.items()}


def with_an_array(arguments):
    """Arguments that are all numbers or lists of them, the first one as the array that a Tensor of it would hold."""
    if isinstance(arguments[0], (int, float, list, tuple)) and not any(map(is_array, arguments)):
        return [Tensor(arguments[0])._array, *arguments[1:]]
    return arguments


def refuse_widening(name, value, arrays):
    """float32 with float64, or with an array of integers, would give float64: that is the caller's to decide."""
    dtypes = [array.dtype for array in arrays if is_array(array)]
    if len(dtypes) < 2 or value.dtype.kind != "f":
        return
    floats = {dtype for dtype in dtypes if dtype.kind == "f"}
    if floats and floats != {value.dtype}:
        given = ", ".join(map(str, dtypes))
        raise TypeError(f"{name}: arguments of dtype {given} would give {value.dtype}; convert one with .astype")


def may_change(value, args):
    """Whether a value outside the graph shows memory that somebody can write to without the graph's knowledge."""
    for argument in args:
        if isinstance(argument, Tensor):
            if argument.node is None and argument.version is None:
                continue
            argument = argument._array
        if type(argument) is type(value) and array_module(value).may_share_memory(argument, value):
            return True
    return False


def explained(error, name, function, arguments):
    """The error again, with the name of the operation and what its arguments are in the message."""
    arrays = [array for array in arguments if is_array(array)]
    devices = sorted({device_of(array) for array in arrays})
    if len(devices) > 1:
        return TypeError(f"{name}: arguments on {' and '.join(devices)}; move them to one device with .to(device)")
    refuse_other_names(name, function, re.findall(r"unexpected keyword argument '(\w+)'", str(error)))
    kind = next(kind for kind, errors in KINDS.items() if isinstance(error, errors))
    given = [str(a.shape) if is_array(a) else type(a).__name__ for a in arguments
             if not isinstance(a, (int, float, tuple, slice, type(None), type(...)))]
    if isinstance(error, AttributeError) and any(isinstance(a, (list, tuple)) for a in arguments[:1]):
        return TypeError(f"{name}: expected a Tensor or an array, got a {type(arguments[0]).__name__}; write "
                         "Tensor(...)")
    return kind(f"{name}: {str(error).strip()} [arguments of shape {', '.join(given)}]")


def refuse_other_names(name, function, settings):
    """Tell a user who knows PyTorch what a setting is called here."""
    for setting in settings:
        if OTHER_NAMES.get(setting) in inspect.signature(function).parameters:
            raise TypeError(f"{name}: there is no {setting!r}; the name here is {OTHER_NAMES[setting]!r}")
