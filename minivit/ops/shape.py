"""Moving elements without changing them: the pullback moves the gradient back."""

import math
from itertools import accumulate, pairwise

from ..backend import array_module
from ..engine import primitive


@primitive
def reshape(x, shape):
    """The elements in the same (row-major) order under another shape; one length may be -1."""
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    known = math.prod(n for n in lengths if n != -1)
    if lengths.count(-1) > 1 or (x.size % max(known, 1) if -1 in lengths else x.size != known):
        raise ValueError(f"reshape: {x.shape} has {x.size} elements and does not fit {lengths}")
    before = x.shape
    return x.reshape(lengths), lambda dy: dy.reshape(before)


@primitive
def transpose(x, axes=None):
    """The axes in another order: axis i of the result is axis axes[i] of x; None reverses them."""
    axes = tuple(range(x.ndim))[::-1] if axes is None else tuple(axes)
    if sorted(a % max(x.ndim, 1) for a in axes) != list(range(x.ndim)):
        raise ValueError(f"transpose: axes {axes} are no permutation of the {x.ndim} axes of {x.shape}")
    inverse = tuple(sorted(range(x.ndim), key=lambda i: axes[i] % x.ndim))
    return x.transpose(axes), lambda dy: dy.transpose(inverse)


@primitive
def swapaxes(x, first, second):
    """Two axes exchanged."""
    return x.swapaxes(first, second), lambda dy: dy.swapaxes(first, second)


@primitive
def expand(x, shape):
    """x repeated along new axes and along axes of length 1 until it has the shape (NumPy's broadcast_to)."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if len(shape) < x.ndim or any(n not in (1, m) for n, m in zip(x.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"expand: {x.shape} does not stretch to {shape}")
    return array_module(x).broadcast_to(x, shape), lambda dy: dy


@primitive
def flip(x, axis=None):
    """The order of the elements reversed along one axis, several, or all."""
    xp = array_module(x)
    return xp.flip(x, axis), lambda dy: xp.flip(dy, axis)


@primitive
def roll(x, shift, axis=None):
    """Elements moved by `shift` places along an axis, those at the end to the front; or a tuple of both."""
    xp = array_module(x)
    back = tuple(-s for s in shift) if isinstance(shift, tuple) else -shift
    return xp.roll(x, shift, axis), lambda dy: xp.roll(dy, back, axis)


@primitive
def repeat(x, repeats, axis):
    """Each element `repeats` times in a row along an axis.    (..., n, ...) -> (..., n * repeats, ...)"""
    axis = axis % x.ndim
    split = (*x.shape[:axis + 1], repeats, *x.shape[axis + 1:])
    return array_module(x).repeat(x, repeats, axis), lambda dy: dy.reshape(split).sum(axis + 1)


@primitive
def pad(x, widths, value=0):
    """x with `value` around it: (before, after) elements for each axis.

    (n, m), ((a, b), (c, d)) -> (a + n + b, c + m + d)
    """
    if len(widths) != x.ndim:
        raise ValueError(f"pad: expected a pair of widths for each of the {x.ndim} axes of {x.shape}, got {widths}")
    inner = tuple(slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
    return array_module(x).pad(x, widths, constant_values=value), lambda dy: dy[inner]


def concatenate(tensors, axis=0):
    """Tensors joined along an axis that they have.    (n, d), (m, d) -> (n + m, d)"""
    if not tensors:
        raise ValueError("concatenate: expected at least one tensor")
    return _concatenate(*tensors, axis=axis)


@primitive
def _concatenate(*arrays, axis):
    axis = axis % max(arrays[0].ndim, 1)
    if len({(a.ndim, a.shape[:axis], a.shape[axis + 1:]) for a in arrays}) > 1:
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise ValueError(f"concatenate: shapes {shapes} may differ along axis {axis} only")
    parts = _consecutive([a.shape[axis] for a in arrays], axis)
    return array_module(*arrays).concatenate(arrays, axis), lambda dy: tuple(dy[part] for part in parts)


def stack(tensors, axis=0):
    """Tensors of one shape joined along a new axis.    k times (n, d) -> (k, n, d)"""
    if not tensors:
        raise ValueError("stack: expected at least one tensor")
    return _stack(*tensors, axis=axis)


@primitive
def _stack(*arrays, axis):
    if len({a.shape for a in arrays}) > 1:
        raise ValueError(f"stack: shapes {', '.join(str(a.shape) for a in arrays)} differ")
    xp = array_module(*arrays)
    return xp.stack(arrays, axis), lambda dy: tuple(xp.moveaxis(dy, axis, 0))


def split(x, sections, axis=0):
    """A list of parts along an axis: `sections` equal ones, or as many as it lists lengths.

    (n, d) -> [(n / sections, d), ...]
    """
    n = x.shape[axis]
    lengths = [n // sections] * sections if isinstance(sections, int) else list(sections)
    if sum(lengths) != n:
        raise ValueError(f"split: axis {axis} of {x.shape} has length {n}, which {sections} parts do not make up")
    return [x[part] for part in _consecutive(lengths, axis % x.ndim)]


def _consecutive(lengths, axis):
    """The index of each of the parts that follow each other along an axis."""
    return [(slice(None),) * axis + (slice(start, stop),) for start, stop in pairwise(accumulate(lengths, initial=0))]
