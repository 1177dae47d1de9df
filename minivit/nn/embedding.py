"""From a picture to tokens, and where each token was: patches and positions."""

import math
from typing import Any

import numpy as np

from ..backend import array_module
from ..ops import concatenate, linear, resize
from ..ops.checks import whole
from ..tensor import Tensor
from ..types import Array
from .module import Module
from .parameter import Parameter, xavier_uniform, zeros


class PatchEmbed(Module):
    """Cut a picture into P x P patches and map each linearly to a token (ViT, eq. 1).

    (B, height, width, C) -> (B, N, D) with N = (height / P) (width / P), row by row. The weight (P P C, D) takes the
    pixels of a patch in the order row, column, channel; it is a convolution with kernel and stride P.
    """

    def __init__(self, patch_size: int, channels: int, dim: int, *, bias: bool = True) -> None:
        self.patch_size, self.channels = patch_size, channels
        self.weight = Parameter((patch_size * patch_size * channels, dim), xavier_uniform)
        self.bias = Parameter((dim,), zeros) if bias else None

    def forward(self, images: Array) -> Tensor:
        """(B, height, width, C) -> (B, N, D)"""
        return linear(patchify(images, self.patch_size, self.channels), self.weight, self.bias)

    def describe(self) -> str:
        """The patch."""
        return f"{self.patch_size} x {self.patch_size} x {self.channels} -> {self.weight.shape[1]}"


def patchify(images: Array, patch_size: int, channels: int | None = None) -> Any:
    """The pixels of each patch in a row.    (B, height, width, C) -> (B, N, P P C)"""
    if images.ndim != 4 or channels not in (None, images.shape[-1]):
        raise ValueError(f"images: expected shape (B, height, width, {channels or 'C'}), got {images.shape}")
    P, (B, height, width, C) = whole("images", "patch_size", patch_size), images.shape
    if height % P or width % P:
        raise ValueError(f"images: {height} x {width} pixels do not divide into patches of {P} x {P}")
    x = images.reshape(B, height // P, P, width // P, P, C)
    x = x.transpose(0, 1, 3, 2, 4, 5)                            # (B, height/P, width/P, P, P, C)
    return x.reshape(B, (height // P) * (width // P), P * P * C)  # (B, N, P P C)


def to_grid(tokens: Tensor, grid: tuple[int, int], *, prefix: int = 0) -> Tensor:
    """Tokens laid out where their patches are; class tokens, the first `prefix`, apart.

    (B, prefix + H W, D), for a grid (H, W) -> (B, H, W, D)
    """
    (B, N, D), (H, W) = tokens.shape, grid
    if prefix + H * W != N:
        raise ValueError(f"tokens: expected {prefix} + {H} x {W} for this grid, got {N}")
    return tokens[:, prefix:].reshape(B, H, W, D)


def unpatchify(patches: Tensor, grid: tuple[int, int], channels: int) -> Any:
    """The inverse of `patchify` for a grid (rows, columns) of patches.    (B, N, P P C) -> (B, height, width, C)"""
    (B, N, D), (rows, columns), C = patches.shape, grid, channels
    P = round((D / C) ** 0.5)
    if rows * columns != N or P * P * C != D:
        raise ValueError(f"unpatchify: {N} patches of {D} numbers are no {rows} x {columns} grid of P x P x {C}")
    x = patches.reshape(B, rows, columns, P, P, C)
    x = x.transpose(0, 1, 3, 2, 4, 5)               # (B, rows, P, columns, P, C)
    return x.reshape(B, rows * P, columns * P, C)   # (B, height, width, C)


def sincos_positions(rows: int, columns: int, dim: int, *, temperature: float = 10_000.0) -> np.ndarray:
    """Fixed 2-D sine-cosine position embeddings (Chen et al., arXiv:2104.02057; He et al., arXiv:2111.06377).

    A quarter of the channels each holds sin(x w_i), cos(x w_i), sin(y w_i), cos(y w_i), with x the column, y the row
    and w_i = temperature^(-4 i / dim).    -> (rows columns, dim) float32
    """
    if dim % 4:
        raise ValueError(f"sincos_positions: dim must be divisible by 4, got {dim}")
    frequency = temperature ** (-np.arange(dim // 4) / (dim // 4))
    y, x = np.mgrid[:rows, :columns].reshape(2, -1, 1) * frequency  # each (rows columns, dim / 4)
    return np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)], axis=-1).astype(np.float32)


def sincos(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Initialises learned positions of a square grid with half the sine-cosine ones; class tokens in front with 0.

    Neighbours begin alike, which a model that trains for minutes has no time to find out. -> (1, prefix + n^2, dim)
    """
    side = math.isqrt(shape[1])
    positions = np.zeros(shape, np.float32)
    positions[:, shape[1] - side * side:] = 0.5 * sincos_positions(side, side, shape[2])
    return positions


def interpolate_positions(positions: Parameter, old_grid: tuple[int, int], new_grid: tuple[int, int], *,
                          prefix: int = 0, mode: str = "bicubic", antialias: bool = True) -> Tensor:
    """Stretch learned positions to another grid of patches (ViT, section 3.2), with mode and antialias as for `resize`.

    (1, prefix + old rows * columns, D) -> (1, prefix + new rows * columns, D); the first `prefix` positions belong
    to class tokens and stay.
    """
    if old_grid == new_grid:
        return positions
    D = positions.shape[-1]
    grid = positions[:, prefix:].reshape(1, *old_grid, D)
    grid = resize(grid, new_grid, mode=mode, antialias=antialias).reshape(1, -1, D)  # (1, new rows columns, D)
    return concatenate([positions[:, :prefix], grid], axis=1) if prefix else grid


def repeat_batch(token: Parameter, batch: int) -> Tensor:
    """One learned token for every picture.    (1, T, D) -> (B, T, D)"""
    return token + array_module(token.data).zeros((batch, 1, 1), token.dtype)
