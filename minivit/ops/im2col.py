"""Convolution as a matrix product: the pixels of each window become a row.

    y = X w    with X (B H' W', kh kw C_in), w (kh kw C_in, C_out)    =>    dw = X^T dy,  dX = dy w^T

X is kh kw times as large as x, so it is made for a few pictures at a time, in one array that is used again and again.
Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006.
"""

import math

from ..backend import array_module
from ..memory import empty
from .products import multiply
from .windows import batch_slices

ROWS = 1024  # of X at a time: with fewer, a product spends its time on reading w


def forward(x, w, windows):
    """(B, H, W, C_in), (kh, kw, C_in, C_out) -> (B, H', W', C_out)"""
    xp, outputs = array_module(x), w.shape[-1]
    y, w = empty((len(x), *windows.grid, outputs), x.dtype, xp), w.reshape(-1, outputs)  # w (kh kw C_in, C_out)
    for pictures, rows in _rows(x, windows):
        multiply(rows, w, out=y[pictures].reshape(-1, outputs))
    return y


def weight_gradient(x, dy, windows):
    """(B, H, W, C_in), (B, H', W', C_out) -> (kh, kw, C_in, C_out)"""
    xp, inputs, outputs = array_module(x), x.shape[-1], dy.shape[-1]
    dw = xp.zeros((math.prod(windows.kernel) * inputs, outputs), dtype=x.dtype)
    for pictures, rows in _rows(x, windows):
        dw += multiply(rows.T, dy[pictures].reshape(-1, outputs))
    return dw.reshape(*windows.kernel, inputs, outputs)


def input_gradient(dy, w, windows):
    """(B, H', W', C_out), (kh, kw, C_in, C_out) -> (B, H, W, C_in)"""
    xp, turned, (*kernel, inputs, outputs) = array_module(dy), windows.turned(), w.shape
    if turned:
        return forward(dy, w[::-1, ::-1].swapaxes(2, 3), turned)  # w (kh, kw, C_out, C_in)
    dx, w = empty((len(dy), *windows.image, inputs), dy.dtype, xp), w.reshape(-1, outputs)  # (kh kw C_in, C_out)
    for pictures in _slices(dx, windows):
        rows = multiply(dy[pictures].reshape(-1, outputs), w.T)
        dx[pictures] = windows.add(rows.reshape(-1, *windows.grid, *kernel, inputs))
    return dx


def _rows(x, windows):
    """Yield a slice of the pictures and the rows of their windows, (n H' W', kh kw C_in), good until the next ones."""
    xp, (B, *_, C) = array_module(x), x.shape
    if windows.kernel == (1, 1) and windows.padded == windows.image:
        yield slice(B), x[:, ::windows.stride[0], ::windows.stride[1]].reshape(-1, C)
        return
    rows = None
    for pictures, padded in windows.pad_by_slice(x, _slices(x, windows)):
        shape = len(padded), *windows.grid, *windows.kernel, C
        rows = empty(shape, x.dtype, xp) if rows is None else rows[:len(padded)]
        rows[...] = windows.view(padded)
        yield pictures, rows.reshape(-1, math.prod(windows.kernel) * C)


def _slices(x, windows):
    size = math.prod((*windows.grid, *windows.kernel, x.shape[-1]))
    return batch_slices(len(x), size, array_module(x), least=math.ceil(ROWS / math.prod(windows.grid)))
