"""The additions of Winograd's convolution, tile after tile: what one of them reads stays in the nearest cache.

B^T d B and A dY A^T are sums of two rows and two columns each,

    out[i, j] = (x[p_i, p_j] + s_j x[p_i, q_j]) + s_i (x[q_i, p_j] + s_j x[q_i, q_j])

with x the tile, and p, q, s from the rows of B^T or A: row 3 of B^T, (0 -1 0 1), is p = 3, q = 1, s = -1.
"""

import numpy as np

from ...memory import empty
from .compiler import rounded_once

B = np.array([0, 1, 2, 3]), np.array([2, 2, 1, 1]), np.array([-1, 1, -1, -1], np.float32)  # p, q, s
A = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), np.array([0, 1, -1, 0], np.float32)


def winograd_tiles(x, *, windows):
    """B^T d B for all tiles d of padded pictures.    (n, H, W, C) -> (4, 4, tiles, C)"""
    (top, _), (left, _) = windows.padding
    return _tiles(x, top, left, windows.grid, 2, B)


def winograd_gradient_tiles(dy):
    """A dY A^T    (n, H', W', C) -> (4, 4, tiles, C)"""
    return _tiles(dy, 0, 0, dy.shape[1:3], 0, A)


def _tiles(x, top, left, grid, overlap, sums):
    """Lay the pictures into tiles of 2 + overlap pixels, a step of 2 apart, and add up within each."""
    (n, H, W, C), (rows, columns) = x.shape, [(pixels + 1) // 2 for pixels in grid]
    tiled = empty((n, 2 * rows + overlap, 2 * columns + overlap, C), np.float32)
    tiled[...] = 0
    tiled[:, top:top + H, left:left + W] = x
    out = empty((4, 4, n, rows, columns, C), np.float32)
    _sums_within(tiled, *sums, out)
    return out.reshape(4, 4, -1, C)


@rounded_once
def _sums_within(x, p, q, s, out):
    _, _, n, rows, columns, C = out.shape
    for b in range(n):
        for h in range(rows):
            for w in range(columns):
                for i in range(4):
                    for j in range(4):
                        up, down, left, right = 2 * h + p[i], 2 * h + q[i], 2 * w + p[j], 2 * w + q[j]
                        for c in range(C):
                            out[i, j, b, h, w, c] = (x[b, up, left, c] + s[j] * x[b, up, right, c]
                                                     + s[i] * (x[b, down, left, c] + s[j] * x[b, down, right, c]))


def write_winograd_pixels(y, M):
    """Y = A^T M A    (4, 4, tiles, C) into (n, H', W', C)"""
    n, H, W, C = y.shape
    _write_pixels(M.reshape(4, 4, n, (H + 1) // 2, (W + 1) // 2, C), y)


@rounded_once
def _write_pixels(M, y):
    n, H, W, C = y.shape
    for b in range(n):
        for h in range(H):
            upper, middle, lower = M[h % 2], M[h % 2 + 1], M[h % 2 + 2]
            s = np.float32(1 - 2 * (h % 2))  # A^T is (1 1 1 0) and (0 1 -1 1)
            for w in range(W):
                i, j, k = h // 2, w // 2, w % 2
                t = np.float32(1 - 2 * k)
                for c in range(C):
                    y[b, h, w, c] = (
                        upper[k, b, i, j, c] + t * upper[k + 1, b, i, j, c] + upper[k + 2, b, i, j, c]
                        + s * (middle[k, b, i, j, c] + t * middle[k + 1, b, i, j, c] + middle[k + 2, b, i, j, c])
                        + lower[k, b, i, j, c] + t * lower[k + 1, b, i, j, c] + lower[k + 2, b, i, j, c])
