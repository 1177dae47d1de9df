"""Moving elements without changing them: the pullback moves the gradient back."""

import math
from itertools import accumulate, pairwise

import numpy as np

from ..backend import add_up, array_module, scatter_add
from ..engine import primitive
from .indexing import getitem
from .operands import as_arrays, axes_in, axis_in, lengths_in, settings_here, several, tensor_of


@primitive
def reshape(x, shape):
    """The elements in the same (row-major) order under another shape; one length may be -1."""
    lengths = lengths_in("reshape", shape)
    known = math.prod(n for n in lengths if n != -1)
    if lengths.count(-1) > 1 or min(lengths, default=0) < -1 or (
            x.size % max(known, 1) if -1 in lengths else x.size != known):
        raise ValueError(f"reshape: {x.shape} has {x.size} elements and does not fit {lengths}")
    before = x.shape
    return x.reshape(lengths), lambda dy: dy.reshape(before)


@primitive
def squeeze(x, axis=None):
    """x without axes of length 1: without all of them (None), or those that are named."""
    axes = tuple(a for a, n in enumerate(x.shape) if n == 1) if axis is None else axes_in("squeeze", axis, x)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: axis {axis} of {x.shape} has not length 1")
    before = x.shape
    return x.squeeze(axes), lambda dy: dy.reshape(before)


@primitive
def unsqueeze(x, axis):
    """x with a new axis of length 1 at a place, or several at some places, of the result.    (n, d) -> (n, 1, d)"""
    places = lengths_in("unsqueeze", axis)
    ndim = x.ndim + len(places)
    if not all(-ndim <= a < ndim for a in places) or len({a % ndim for a in places}) < len(places):
        raise IndexError(f"unsqueeze: {x.shape} gets {ndim} axes, of which {axis} is no place")
    before, lengths = x.shape, iter(x.shape)
    places = {a % ndim for a in places}
    return (x.reshape([1 if a in places else next(lengths) for a in range(ndim)]),  # (..., 1, ...)
            lambda dy: dy.reshape(before))


@primitive
def transpose(x, axes=None):
    """The axes in another order: axis i of the result is axis axes[i] of x; None reverses them."""
    axes = tuple(range(x.ndim))[::-1] if axes is None else lengths_in("transpose", axes)
    if sorted(a % max(x.ndim, 1) for a in axes) != list(range(x.ndim)):
        hint = "; swapaxes exchanges two" if len(axes) == 2 else ""
        raise ValueError(f"transpose: axes {axes} are no permutation of the {x.ndim} axes of {x.shape}{hint}")
    inverse = tuple(sorted(range(x.ndim), key=lambda i: axes[i] % x.ndim))
    return x.transpose(axes), lambda dy: dy.transpose(inverse)


@primitive
def swapaxes(x, first, second):
    """Two axes exchanged."""
    first, second = axis_in("swapaxes", first, x), axis_in("swapaxes", second, x)
    return x.swapaxes(first, second), lambda dy: dy.swapaxes(first, second)


@primitive
def expand(x, shape):
    """x repeated along new axes and along axes of length 1 until it has the shape (NumPy's broadcast_to)."""
    shape = lengths_in("expand", shape)
    if len(shape) < x.ndim or any(n not in (1, m) for n, m in zip(x.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"expand: {x.shape} does not stretch to {shape}")
    return array_module(x).broadcast_to(x, shape), lambda dy: dy


@primitive
def flip(x, axis=None):
    """The order of the elements reversed along one axis, several, or all."""
    xp, axes = array_module(x), axes_in("flip", axis, x)
    return xp.flip(x, axes), lambda dy: xp.flip(dy, axes)


@primitive
def roll(x, shift, axis=None):
    """Elements moved by `shift` places along an axis, those at the end to the front; or a tuple of both."""
    xp, shift = array_module(x), lengths_in("roll", shift)
    axes = None if axis is None else tuple(axis_in("roll", a, x) for a in lengths_in("roll", axis))
    if len(shift) != (1 if axes is None else len(axes)) and len(shift) > 1:
        raise ValueError(f"roll: expected a shift for each axis, got {shift} and axis {axis}")
    shift = shift[0] if len(shift) == 1 else shift
    axes = axes[0] if axes and len(axes) == 1 else axes
    back = -shift if isinstance(shift, int) else tuple(-s for s in shift)
    return xp.roll(x, shift, axes), lambda dy: xp.roll(dy, back, axes)


@primitive
def repeat(x, repeats, axis):
    """Each element `repeats` times in a row along an axis.    (..., n, ...) -> (..., n * repeats, ...)

    A list of n numbers repeats each element in its own measure: (..., n, ...) -> (..., sum of repeats, ...).
    """
    xp, axis = array_module(x), axis_in("repeat", axis, x)
    counts = lengths_in("repeat", repeats.tolist() if hasattr(repeats, "tolist") else repeats)
    n = x.shape[axis]
    if len(counts) not in (1, n) or min(counts, default=0) < 0:
        raise ValueError(f"repeat: repeats: expected one number, or {n} for axis {axis} of {x.shape}, 0 or more; got "
                         f"{repeats}")
    if len(counts) == 1:
        split = (*x.shape[:axis + 1], counts[0], *x.shape[axis + 1:])
        return xp.repeat(x, counts[0], axis), lambda dy: add_up(dy.reshape(split), axis + 1)
    shape, places = x.shape, (slice(None),) * axis + (xp.asarray(np.repeat(np.arange(n), counts)),)

    def backward(dy):
        dx = xp.zeros(shape, dy.dtype)
        scatter_add(dx, places, dy)
        return dx
    return x[places], backward


@primitive
def pad(x, widths, value=0, mode="constant"):
    """x with more elements around it: (before, after) for each axis.

    (n, m), ((a, b), (c, d)) -> (a + n + b, c + m + d)

    They are `value`, or with another mode those of x: "reflect" (without the edge, as in a mirror on it), "symmetric"
    (with the edge), "edge" (nothing but the edge; PyTorch: "replicate") or "wrap" (from the other end; "circular").
    """
    pairs = [lengths_in("pad", pair) for pair in widths] if isinstance(widths, (tuple, list)) else []
    if len(pairs) != x.ndim or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise ValueError(f"pad: expected a pair of widths for each of the {x.ndim} axes of {x.shape}, 0 or more each, "
                         f"got {widths}")
    if x.dtype.kind != "f" and np.array(value).astype(x.dtype) != value:
        raise ValueError(f"pad: value: expected a number that {x.dtype} can hold, got {value}")
    if mode != "constant":
        return _pad_with_itself(x, pairs, mode)
    inner = tuple(slice(before, before + n) for (before, _), n in zip(pairs, x.shape, strict=True))
    return array_module(x).pad(x, pairs, constant_values=value), lambda dy: dy[inner]


def _pad_with_itself(x, widths, mode):
    if mode not in ("reflect", "symmetric", "edge", "wrap"):
        raise ValueError(f"pad: expected mode 'constant', 'reflect', 'symmetric', 'edge' or 'wrap', got {mode!r}")
    xp = array_module(x)
    sources = [np.pad(np.arange(n), sides, mode) for n, sides in zip(x.shape, widths, strict=True)]
    padded = [axis for axis, n in enumerate(x.shape) if len(sources[axis]) > n]
    y = x
    for axis in padded:
        y = xp.take(y, xp.asarray(sources[axis]), axis)

    def backward(dy):
        for axis in padded:
            (before, _), n, source = widths[axis], x.shape[axis], sources[axis]
            dy = xp.moveaxis(dy, axis, 0)
            dx = dy[before:before + n].copy()
            border = np.r_[:before, before + n:len(source)]
            scatter_add(dx, xp.asarray(source[border]), dy[xp.asarray(border)])
            dy = xp.moveaxis(dx, 0, axis)
        return dy
    return y, backward


@settings_here
def concatenate(tensors, axis=0):
    """Tensors joined along an axis that they have.    (n, d), (m, d) -> (n + m, d)"""
    return _concatenate(*several("concatenate", tensors), axis=axis)


@primitive
def _concatenate(*arrays, axis):
    arrays = as_arrays(*arrays)
    shapes = [a.shape for a in arrays]
    axis = axis_in("concatenate", axis, max(arrays, key=lambda a: a.ndim))
    if len({(len(shape), shape[:axis], shape[axis + 1:]) for shape in shapes}) > 1:
        raise ValueError(f"concatenate: shapes {', '.join(map(str, shapes))} may differ along axis {axis} only")
    parts = _consecutive([shape[axis] for shape in shapes], axis)
    return array_module(*arrays).concatenate(arrays, axis), lambda dy: tuple(dy[part] for part in parts)


@settings_here
def stack(tensors, axis=0):
    """Tensors of one shape joined along a new axis.    k times (n, d) -> (k, n, d)"""
    return _stack(*several("stack", tensors), axis=axis)


@primitive
def _stack(*arrays, axis):
    arrays = as_arrays(*arrays)
    xp, floats = array_module(*arrays), [a.dtype for a in arrays if hasattr(a, "dtype") and a.dtype.kind == "f"]
    arrays = [a if hasattr(a, "shape") else xp.asarray(a, dtype=floats[0] if floats else None) for a in arrays]
    if len({a.shape for a in arrays}) > 1:
        raise ValueError(f"stack: shapes {', '.join(str(a.shape) for a in arrays)} differ")
    axis = axis_in("stack", axis, arrays[0][None])
    return xp.stack(arrays, axis), lambda dy: tuple(xp.moveaxis(dy, axis, 0))


@settings_here
def split(x, sections, axis=0):
    """A list of parts along an axis: `sections` equal ones, or as many as it lists lengths.

    (n, d) -> [(n / sections, d), ...]
    """
    x, numbers = tensor_of(x), lengths_in("split", sections)
    axis = axis_in("split", axis, x)
    n, equal = x.shape[axis], not isinstance(sections, (list, tuple))
    if min(numbers, default=0) < equal:
        raise ValueError(f"split: sections: expected a number of parts, or a list of their lengths, got {sections}")
    lengths = [n // numbers[0]] * numbers[0] if equal else numbers
    if sum(lengths) != n:
        raise ValueError(f"split: axis {axis} of {x.shape} has length {n}, which {sections} parts do not make up")
    return [getitem(x, *part) for part in _consecutive(lengths, axis)]


def _consecutive(lengths, axis):
    """The index of each of the parts that follow each other along an axis."""
    return [(slice(None),) * axis + (slice(start, stop),) for start, stop in pairwise(accumulate(lengths, initial=0))]
