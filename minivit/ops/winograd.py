"""3 x 3 convolution with stride 1 in 4/9 of the multiplications.

Four neighbouring outputs Y (2 x 2) read sixteen inputs d (4 x 4). Additions transform both, and 16 multiplications
stand between them, where four windows of nine pixels need 36:

    Y = A^T [(G g G^T) * (B^T d B)] A    B^T = [1  0 -1  0]   G = [ 1    0   0 ]   A^T = [1  1  1  0]
                                               [0  1  1  0]       [1/2  1/2 1/2]         [0  1 -1  1]
                                               [0 -1  1  0]       [1/2 -1/2 1/2]
                                               [0 -1  0  1]       [ 0    0   1 ]

Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, arXiv:1509.09308, eq. 8, F(2x2, 3x3);
there, the last rows of B^T and A^T have the opposite sign. With many channels, * is a matrix product at each of the
16 positions (i, j) of the transformed tiles, M_ij = V_ij U_ij: (tiles, C_in), (C_in, C_out) -> (tiles, C_out).
Some pictures are worked off at a time, so that V and M stay in the CPU's cache.
"""

import functools
import math

import numpy as np

from ..backend import array_module
from ..memory import empty, unbuffered
from ..fast_forms import has_fast_form
from .products import multiply
from .windows import batch_slices

G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
TILES = 256  # at a time: with fewer, a product spends its time on reading U


def suits(windows, inputs, outputs):
    """Whether a convolution has this form, and enough channels to win more by the products than the additions cost."""
    return (windows.kernel == (3, 3) and windows.dilation == (1, 1) and windows.turned() is not None
            and min(inputs, outputs) >= 64)


@unbuffered()
def forward(x, w, windows):
    """(B, H, W, C_in), (3, 3, C_in, C_out) -> (B, H', W', C_out)"""
    xp, (inputs, outputs) = array_module(x), w.shape[2:]
    U = multiply(_GG(xp, w.dtype), w.reshape(9, -1)).reshape(4, 4, inputs, outputs)
    y = empty((len(x), *windows.grid, outputs), x.dtype, xp)
    for pictures in _slices(x, windows, outputs):
        V = _winograd_tiles(x[pictures], windows=windows)
        M = multiply(V, U, out=empty((*V.shape[:-1], outputs), x.dtype, xp))
        _write_winograd_pixels(y[pictures], M)
    return y


@unbuffered()
def weight_gradient(x, dy, windows):
    """(B, H, W, C_in), (B, H', W', C_out) -> (3, 3, C_in, C_out)"""
    xp, inputs, outputs = array_module(x), x.shape[-1], dy.shape[-1]
    dU = xp.zeros((4, 4, inputs, outputs), dtype=x.dtype)
    for pictures in _slices(x, windows, outputs):
        V, dM = _winograd_tiles(x[pictures], windows=windows), _winograd_gradient_tiles(dy[pictures])
        dU += multiply(V.swapaxes(-1, -2), dM)
    return multiply(_GG(xp, x.dtype).T, dU.reshape(16, -1)).reshape(3, 3, inputs, outputs)


def input_gradient(dy, w, windows):
    """(B, H', W', C_out), (3, 3, C_in, C_out) -> (B, H, W, C_in)"""
    return forward(dy, w[::-1, ::-1].swapaxes(2, 3), windows.turned())  # w (3, 3, C_out, C_in)


@functools.cache
def _GG(xp, dtype):
    """G g G^T for the nine numbers of g in a column; brought to a GPU once.    (16, 9)"""
    return xp.asarray(np.kron(G, G), dtype=dtype)


@has_fast_form
def _winograd_tiles(x, *, windows):
    """V = B^T d B for all tiles d of some pictures.    (n, H, W, C) -> (4, 4, tiles, C)"""
    xp, (n, H, _, C), (rows, columns) = array_module(x), x.shape, _tiles(windows.grid)
    (top, _), (left, _) = windows.padding
    padded = empty((n, 2 * rows + 2, 2, columns + 1, C), x.dtype, xp)  # the even columns of pixels, then the odd ones
    padded[...] = 0
    for parity in range(2):
        first = (parity + left) % 2
        pixels = x[:, :, first::2]
        start = (first + left) // 2
        padded[:, top:top + H, parity, start:start + pixels.shape[2]] = pixels
    d = [padded[:, i:i + 2 * rows:2] for i in range(4)]  # 4 times (n, rows, 2, columns + 1, C)
    row, V = empty(d[0].shape, x.dtype, xp), empty((4, 4, n, rows, columns, C), x.dtype, xp)
    for i in range(4):
        _transform(xp, i, d, row)
        pixels = row[:, :, 0, :-1], row[:, :, 1, :-1], row[:, :, 0, 1:], row[:, :, 1, 1:]
        for j in range(4):
            _transform(xp, j, pixels, V[i, j])
    return V.reshape(4, 4, -1, C)


def _transform(xp, i, d, out):
    """Row i of B^T d."""
    if i == 1:
        xp.add(d[1], d[2], out=out)
    else:
        positive, negative = ((0, 2), None, (2, 1), (3, 1))[i]
        xp.subtract(d[positive], d[negative], out=out)


@has_fast_form
def _write_winograd_pixels(y, M):
    """Y = A^T M A, in whose computation M is overwritten.    (4, 4, tiles, C) into (n, H', W', C)"""
    n, *grid, C = y.shape
    Y = _contract(_contract(M).swapaxes(0, 1))  # (2, 2, tiles, C), columns before rows
    Y = Y.reshape(2, 2, n, *_tiles(grid), C)  # (2, 2, n, rows, columns, C)
    for a in range(2):
        for b in range(2):
            pixels = y[:, a::2, b::2]
            pixels[...] = Y[b, a, :, :pixels.shape[1], :pixels.shape[2]]


def _contract(M):
    """A^T M, in the memory of M.    (4, ...) -> (2, ...)"""
    M[0] += M[1]
    M[0] += M[2]
    M[1] -= M[2]
    M[1] += M[3]
    return M[:2]


@has_fast_form
def _winograd_gradient_tiles(dy):
    """dM = A dY A^T, the adjoint of `_write_winograd_pixels`.    (n, H', W', C) -> (4, 4, tiles, C)"""
    xp, (n, *grid, C) = array_module(dy), dy.shape
    dM = empty((4, 4, n, *_tiles(grid), C), dy.dtype, xp)
    for a in range(2):
        for b in range(2):
            pixels, corner = dy[:, a::2, b::2], dM[3 * a, 3 * b]  # rows 0 and 3 of A are (1 0) and (0 1)
            corner[:, pixels.shape[1]:], corner[:, :, pixels.shape[2]:] = 0, 0
            corner[:, :pixels.shape[1], :pixels.shape[2]] = pixels
    for rows in dM[0], dM[3], dM:
        xp.add(rows[0], rows[3], out=rows[1])
        xp.subtract(rows[0], rows[3], out=rows[2])
    return dM.reshape(4, 4, -1, C)


def _tiles(grid):
    """The number of tiles down and across."""
    return (grid[0] + 1) // 2, (grid[1] + 1) // 2


def _slices(x, windows, outputs):
    size = 2 * math.prod(windows.grid) * (x.shape[-1] + outputs)
    return batch_slices(len(x), size, array_module(x), least=math.ceil(TILES / math.prod(_tiles(windows.grid))))
