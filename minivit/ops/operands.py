"""What operations take besides Tensors and arrays of float32: lists, whole numbers, and half precision.

- A list has no dtype, as a number has none: with a float32 Tensor it is float32.
- Whole numbers of 8, 16 or 32 bits are computed in 64: 200 + 100 of uint8 would be 44.
- What is no whole number is computed in float64 for whole numbers, as NumPy's mean is.
- A sum of float16 numbers is computed in float32: in float16 it would stand still at 2,048, and end at 65,504.
"""

import functools
import inspect
import operator

import numpy as np

from ..backend import array_module, is_array
from ..engine import Tensor
from ..guards import refuse_other_names


PLAIN = {float, int, type(None)}  # operands that need no preparing beside floating-point arrays


def elementwise(function, counted="iu"):
    """Let a function of arrays and numbers take lists too, and compute whole numbers in 64 bits."""
    @functools.wraps(function)
    def run(*operands, **named):
        if named:
            refuse_other_names(function.__name__, function, named)
            operands = inspect.signature(function).bind(*operands, **named).args
        for x in operands:
            if type(x) not in PLAIN and getattr(getattr(x, "dtype", None), "kind", None) != "f":
                return function(*in_64_bits(*as_arrays(*operands), counted=counted))
        return function(*operands)
    return run


# The same for sums of products, in which truths are counted as 0 and 1.
products = functools.partial(elementwise, counted="iub")


def half_in_single(function):
    """Let a function of one array, and settings, compute float16 in float32."""
    @functools.wraps(function)
    def run(x, *settings, **named):
        if x.dtype.char != "e":
            return function(x, *settings, **named)
        y, backward = function(x.astype(np.float32), *settings, **named)
        return y.astype(np.float16), lambda dy: backward(dy.astype(np.float32)).astype(np.float16)
    return run


def floating(function):
    """Let a function of one array, and settings, compute float16 in float32, and whole numbers in float64."""
    function = half_in_single(function)

    @functools.wraps(function)
    def run(x, *settings, **named):
        return function(x if x.dtype.kind == "f" else x.astype(np.float64), *settings, **named)
    return run


def as_arrays(*operands):
    """Operands with lists, and whatever NumPy can make an array of, as arrays; numbers and None stay."""
    if all(x is None or isinstance(x, (int, float)) or is_array(x) for x in operands):
        return operands
    arrays = [x for x in operands if is_array(x)]
    xp, dtype = array_module(*arrays), next((x.dtype for x in arrays if x.dtype.kind == "f"), None)

    def as_array(x):
        if isinstance(x, (list, tuple)):
            return xp.array(x, dtype=dtype)
        array = xp.array(x)  # a copy: its owner may change it before backward runs
        if dtype and array.dtype.kind in "fiu" and array.dtype != dtype:
            raise TypeError(f"arguments of dtype {dtype} and {array.dtype} do not go together; convert one")
        return array
    return [as_array(x) if isinstance(x, (list, tuple)) or hasattr(x, "__array__") and not is_array(x) else x
            for x in operands]


def in_64_bits(*operands, counted="iu"):
    """Operands with arrays of whole numbers as int64, unless there are floating-point numbers to compute with.

    Truths stay truths, unless they are `counted` too, in a sum of products.
    """
    kinds = {x.dtype.kind for x in operands if is_array(x)}
    if "f" in kinds or not kinds & {*counted}:
        return operands
    return [_int64(x) if is_array(x) and x.dtype.kind in counted else x for x in operands]


def _int64(x):
    if x.dtype == np.uint64 and x.size and int(x.max()) > np.iinfo(np.int64).max:
        raise ValueError("whole numbers above 2^63 - 1 do not fit into the 64 bits that they are computed in")
    return x.astype(np.int64, copy=False)


def settings_here(function):
    """Let a function that is no primitive tell, as primitives do, what a setting of another library is called here."""
    @functools.wraps(function)
    def run(*args, **settings):
        refuse_other_names(function.__name__, function, settings)
        return function(*args, **settings)
    return run


def tensor_of(x):
    """x itself if it is a Tensor, otherwise a Tensor of it."""
    return x if isinstance(x, Tensor) else Tensor(x)


def several(name, tensors):
    """A list of at least one tensor; an error for a single one, whose parts might be meant."""
    if isinstance(tensors, Tensor) or is_array(tensors):
        raise TypeError(f"{name}: expected a list of tensors, got one of shape {tensors.shape}; for its parts along "
                        f"the first axis, write {name}(list(x))")
    tensors = list(tensors)
    if not tensors:
        raise ValueError(f"{name}: expected at least one tensor")
    return tensors


def axis_in(name, axis, x):
    """An axis of x, counted from the front."""
    try:
        index = operator.index(axis)
    except TypeError:
        raise TypeError(f"{name}: axis: expected an integer, got {axis!r}") from None
    if not -x.ndim <= index < x.ndim:
        raise IndexError(f"{name}: axis {index} does not exist in {x.shape}")
    return index % x.ndim


def axes_in(name, axis, x):
    """Some axes of x as a tuple, counted from the front: all of them for None, none of a number for its last one."""
    if axis is None:
        return tuple(range(x.ndim))
    if x.ndim == 0 and axis in (0, -1):
        return ()
    axes = tuple(axis_in(name, a, x) for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}: axis: {axis!r} names one axis of {x.shape} twice")
    return axes


def lengths_in(name, lengths):
    """Lengths of axes, or another list of whole numbers, as a tuple; a single one counts as a list of one."""
    try:
        return tuple(map(operator.index, lengths if isinstance(lengths, (tuple, list)) else (lengths,)))
    except TypeError:
        raise TypeError(f"{name}: expected whole numbers, got {lengths!r}") from None
