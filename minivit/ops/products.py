"""Matrix products; long ones in the pieces that OpenBLAS computes fastest.

With AVX-512, OpenBLAS has a second way to multiply float32 matrices, which copies nothing into a layout of its own:
1.1 to 1.5 times as fast on one thread, but only taken for products of at most 10^6 multiply-adds (its source:
kernel/x86_64/sgemm_small_kernel_permit_skylakex.c). A product of many rows can be cut into such pieces.
"""

import functools
import math

import numpy as np

from ..backend import array_module
from ..blas import blas_limit
from ..memory import empty
from ..fast_forms import has_fast_form

MULTIPLY_ADDS = 10 ** 6


@has_fast_form
def multiply(x, y, *, out=None):
    """x @ y.    (..., n, k), (k, m) or (..., k, m) -> (..., n, m), in `out` if it is given, row after row"""
    xp = array_module(x)
    if y.ndim > 2:
        return xp.matmul(x, y, out=out)
    k, m = y.shape
    if out is None:
        out = empty((*x.shape[:-1], m), xp.result_type(x, y), xp)
    R, step = math.prod(x.shape[:-1]), _rows_of_a_piece(x, y)
    rows, result = x.reshape(R, k), out.reshape(R, m)
    whole = R // step * step if step else 0
    if whole:
        aligned = empty(y.shape, y.dtype)  # y elsewhere, or a transposed view, makes this way the slower one
        aligned[...] = y
        xp.matmul(rows[:whole].reshape(-1, step, k), aligned, out=result[:whole].reshape(-1, step, m))  # (P, step, m)
    if whole < R:
        xp.matmul(rows[whole:], y, out=result[whole:])
    return out


def transposed(x, rows):
    """x^T of each matrix: a copy where that makes products with `rows` rows quicker.    (..., n, m) -> (..., m, n)"""
    view = x.swapaxes(-1, -2)
    if rows * math.prod(x.shape[-2:]) > MULTIPLY_ADDS or not _is_quick(x, x.shape[-2]):
        return view
    copy = empty(view.shape, x.dtype)
    copy[...] = view
    return copy


def _rows_of_a_piece(x, y):
    """How many rows of x to multiply at a time, a multiple of 4; 0 for all of them, where cutting does not pay."""
    suits = x.strides[-1] == x.itemsize and x.dtype == y.dtype and _is_quick(x, y.shape[1])
    return MULTIPLY_ADDS // max(y.size, 1) // 4 * 4 if suits else 0


def _is_quick(x, columns):
    """Whether small products are quicker, of float32 matrices whose rows of so many columns begin at cache lines.

    With several threads of BLAS they are not: these share one large product, and leave small ones to one of them.
    """
    return (columns % 16 == 0 and blas_limit() == 1 and _has_small_kernel()
            and array_module(x) is np and x.dtype == np.float32)


@functools.cache
def _has_small_kernel():
    from threadpoolctl import threadpool_info
    return any(info.get("architecture") in ("SkylakeX", "Cooperlake", "SapphireRapids")
               for info in threadpool_info() if info["internal_api"] == "openblas")
