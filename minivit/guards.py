"""What an operation refuses, so that nothing is silently wrong, and how it says so."""

from .backend import array_module, device_of, is_array
from .tensor import Tensor


def refuse_tensors(name, settings):
    """The engine looks for Tensors among the positional arguments only: elsewhere they would get no gradient."""
    for setting, given in settings.items():
        if isinstance(given, Tensor):
            raise TypeError(f"{name}: {setting} is a Tensor; pass it by position, so that it can get a gradient")


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


def explained(error, name, arrays):
    """The error again, with the name of the operation and the shapes of its arguments in the message."""
    arrays = [array for array in arrays if is_array(array)]
    devices = sorted({device_of(array) for array in arrays})
    if len(devices) > 1:
        return TypeError(f"{name}: arguments on {' and '.join(devices)}; move them to one device with .to(device)")
    kind = next(kind for kind in (IndexError, TypeError, ValueError) if isinstance(error, kind))
    return kind(f"{name}: {str(error).strip()} [arguments of shape {', '.join(str(a.shape) for a in arrays)}]")
