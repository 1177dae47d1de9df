"""Which number of a table stands for the way from one token of a grid to another: what attention biases learn.

A model holds the table, one column a head, and adds `offset_bias(table, index)` to the scores of its attention.
"""

import numpy as np

from ..ops import take


def signed_offsets(grid):
    """By direction and distance, as in Swin (arXiv:2103.14030, eq. 4), BEiT and, transposed, MaxViT.

    Row (dy + H - 1) (2 W - 1) + dx + W - 1 of a table with (2 H - 1) (2 W - 1) rows belongs to (dy, dx), the place of
    the query less that of the key.    (H, W) -> (N, N) int with N = H W
    """
    H, W = grid
    y, x = np.indices(grid).reshape(2, -1)                    # each (N,)
    return (y[:, None] - y + H - 1) * (2 * W - 1) + x[:, None] - x + W - 1


def absolute_offsets(grid, stride=1):
    """By distance alone, as in LeViT (arXiv:2104.01136, section 4.2), EfficientFormer and EfficientViT.

    Row |dy| W + |dx| of a table with H W rows. With a stride, queries are at every stride-th place of both axes.

    (H, W) -> (N / stride^2, N) int with N = H W, rows and columns of queries rounded up
    """
    H, W = grid
    y, x = np.indices(grid)
    dy, dx = (abs(place[::stride, ::stride].reshape(-1, 1) - place.reshape(-1)) for place in (y, x))
    return dy * W + dx


def offset_bias(table, index):
    """The biases of all pairs of tokens.    (rows, heads), (N, M) int -> (heads, N, M)"""
    return take(table, index).transpose(2, 0, 1)    # (heads, N, M)
