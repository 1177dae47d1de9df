"""Matrix products that read and write arrays where they lie: transposed, heads first, repeated along an axis.

CuPy copies such arrays first. cuBLASLt takes matrices whose rows or columns each lie in one piece, and many of them at
equal distances. So the axes of a batch are joined where all arrays walk through them evenly. Of those that remain,
cuBLASLt takes the longest, and is called once for each index of the others: for queries, keys and values that lie in
one array (B, N, 3 H d), once for each head.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from ...backend import array_module
from ...precision import precision, product_precision
from .cublaslt import Product, workspace
from .weighted_sums import weighted_sums


def multiply(x, y, *, out=None):
    """x @ y.    (..., n, k), (..., k, m) -> (..., n, m), in `out` if it is given; a vector (k,) drops its axis"""
    if x.ndim == 1 or y.ndim == 1:
        return _multiply_vectors(x, y) if out is None else NotImplemented
    xp = array_module(x)
    shape = (*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])
    if out is None:
        out = xp.empty(shape, np.float32)
    if x.shape[-1] != y.shape[-2] or out.shape != shape or out.dtype != np.float32:
        return NotImplemented  # CuPy says what is wrong
    if not out.size or not x.size:
        out[...] = 0  # a sum of nothing
        return out
    if not _lies_well(out.shape, out.strides):
        z = multiply(x, y)
        if z is NotImplemented:
            return z
        out[...] = z
        return out
    x, y = (array if _lies_well(array.shape, array.strides) else xp.ascontiguousarray(array) for array in (x, y))
    addresses = [array.data.ptr for array in (x, y, out)]
    try:
        product, swapped, offsets = _plan((x.shape, x.strides), (y.shape, y.strides), (shape, out.strides),
                                          tuple(math.gcd(address, 256) for address in addresses), precision())
    except NotImplementedError:
        return NotImplemented
    stream = xp.cuda.get_current_stream().ptr
    memory = workspace(xp, stream).data.ptr
    for offset in offsets:
        a, b, d = (address + distance for address, distance in zip(addresses, offset, strict=True))
        product(*((b, a) if swapped else (a, b)), d, memory, stream)
    return out


def _multiply_vectors(x, y):
    """As matrices of one row or one column, in float32: they are read once, and tensor cores would save nothing."""
    if x.ndim == 1 and y.ndim == 2 and x.shape[0] == y.shape[0] and x.flags.c_contiguous and y.flags.c_contiguous:
        return weighted_sums(x, y)
    with product_precision("float32"):
        if y.ndim == 1:
            z, one = multiply(x, y[:, None]), (..., 0)  # (..., n, 1)
        else:
            z, one = multiply(x[None], y), (..., 0, slice(None))  # (..., 1, m)
    return z if z is NotImplemented else z[one]


class _Matrix(NamedTuple):
    """How a matrix lies in memory; strides are counted in numbers."""

    rows: int
    columns: int
    row_stride: int
    column_stride: int

    @property
    def transposed(self):
        return _Matrix(self.columns, self.rows, self.column_stride, self.row_stride)

    @property
    def lies_by_columns(self):
        """Whether each column lies in one piece, behind the one before."""
        return (self.row_stride == 1 or self.rows == 1) and (self.column_stride >= self.rows or self.columns == 1)

    @property
    def lies_well(self):
        """Whether cuBLASLt can be told how the matrix lies."""
        return self.lies_by_columns or self.transposed.lies_by_columns

    def layout(self, distance):
        """(whether its transpose is what lies by columns; rows, columns, leading dimension and distance of that)"""
        is_transposed = not self.lies_by_columns
        stored = self.transposed if is_transposed else self
        return is_transposed, stored.rows, stored.columns, max(stored.column_stride, stored.rows), distance


@functools.cache
def _lies_well(shape, strides):
    """Whether cuBLASLt can be told how the matrices of an array lie."""
    matrix = _Matrix(*shape[-2:], *(stride // 4 for stride in strides[-2:]))
    return matrix.lies_well and all(stride >= 0 and stride % 4 == 0 for stride in strides)


@functools.cache
def _plan(x, y, out, alignments, precision):
    """How to multiply arrays, each given by its shape and its strides in bytes.

    Returns a Product, whether x and y change places for it, and how far behind the beginnings of x, y and out those of
    its matrices lie, in bytes: a triple for each call.
    """
    axes = _joined(out[0][:-2], *(_strides_of_batch(*array, len(out[0]) - 2) for array in (x, y, out)))
    x, y, z = (_Matrix(*shape[-2:], *(stride // 4 for stride in strides[-2:])) for shape, strides in (x, y, out))
    if axes and axes[-1][1:] == (x.rows * x.row_stride, 0, z.rows * z.row_stride):
        high, wide = (matrix._replace(rows=axes[-1][0] * matrix.rows) for matrix in (x, z))
        if high.lies_well and wide.lies_well:  # matrices one below the other, for the same y: they are one
            x, z = high, wide
            axes.pop()
    axes.sort()
    count, *distances = axes.pop() if axes else (1, 0, 0, 0)
    offsets = [(0, 0, 0)]
    for length, *strides in axes:
        offsets = [tuple(begin + 4 * i * stride for begin, stride in zip(offset, strides, strict=True))
                   for offset in offsets for i in range(length)]
    of_x, of_y, of_z = (math.gcd(*values) for values in zip(alignments, *offsets, strict=True))
    swapped = not z.lies_by_columns
    if swapped:  # row after row, z is what z^T = y^T x^T is column after column
        x, y, z, of_x, of_y, distances = (y.transposed, x.transposed, z.transposed, of_y, of_x,
                                          (distances[1], distances[0], distances[2]))
    layouts = [matrix.layout(distance) for matrix, distance in zip((x, y, z), distances, strict=True)]
    return Product(*layouts, count, (of_x, of_y, of_z), precision), swapped, offsets


def _strides_of_batch(shape, strides, axes):
    """Of the axes before the last two, in numbers; 0 where an array is repeated."""
    own = [stride // 4 if n > 1 else 0 for n, stride in zip(shape[:-2], strides, strict=False)]
    return [0] * (axes - len(own)) + own


def _joined(shape, *strides):
    """The axes of a batch, (length, stride of each array), as few as possible."""
    axes = []
    for n, *inner in zip(shape, *strides, strict=True):
        if axes and all(outer == n * stride for outer, stride in zip(axes[-1][1:], inner, strict=True)):
            axes[-1] = (n * axes[-1][0], *inner)
        elif n > 1:
            axes.append((n, *inner))
    return axes
