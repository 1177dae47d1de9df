"""Swin Transformer: Hierarchical Vision Transformer using Shifted Windows.  Liu et al., ICCV 2021, arXiv:2103.14030.

Tokens attend to each other within windows of M x M only, so the cost grows with the number of pixels and not with its
square. Every other block moves the windows by half their size, which lets neighbouring windows talk. Between stages
2 x 2 tokens are merged into one of twice the width, as in a CNN, so that the model sees details and the whole.

    B batch    H x W grid    C channels    M window    w number of windows    n = M M tokens in a window    h heads
    (B, 224, 224, 3) -> patches (B, 56, 56, C) -> four stages (B, 56, 56, C), (B, 28, 28, 2C), (B, 14, 14, 4C),
                     (B, 7, 7, 8C) -> mean over the grid (B, 8C) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> three stages (B, 16, 16, 64), (B, 8, 8, 128), (B, 4, 4, 256) -> logits (B, 10)
    a block's attention: (B, H, W, C) -> windows (B w, n, C) -> attention -> (B w, n, C) -> (B, H, W, C)

Where pictures, grids and windows do not divide, zeros are added below and on the right, as in the authors' detection
code and in transformers; timm moves the windows before it adds them, and differs on such grids. A window is at most as
large as the shorter side of the grid, and does not move then; timm fits it to each side separately.

Departures from the paper: attention between two regions is forbidden by -inf instead of the authors' -100. That
changes nothing visible (e^-100 = 4e-44), but numbers that small are computed many times slower.
"""

import math
from functools import lru_cache, partial

import numpy as np

from ..backend import to_device
from ..engine import Tensor
from ..nn import (Attention, Dropout, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter, PatchEmbed,
                  drop_path_rates, in_turn, offset_bias, signed_offsets, to_grid, truncated_normal)
from ..ops import expand, gelu, pad, roll


def window_partition(x, window):
    """Cut a grid into windows.    (B, H, W, C) -> (B w, n, C)"""
    (B, H, W, C), M = x.shape, window
    x = x.reshape(B, H // M, M, W // M, M, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/M, W/M, M, M, C)
    return x.reshape(-1, M * M, C)                                         # (B w, n, C)


def window_reverse(windows, window, grid):
    """Put the windows of a grid (H, W) together again.    (B w, n, C) -> (B, H, W, C)"""
    (H, W), M, C = grid, window, windows.shape[-1]
    x = windows.reshape(-1, H // M, W // M, M, M, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/M, M, W/M, M, C)
    return x.reshape(-1, H, W, C)                                                 # (B, H, W, C)


def pad_to_multiple(x, size):
    """Add zeros below and on the right until `size` divides height and width.    (B, H, W, C) -> (B, H', W', C)"""
    if x.ndim != 4:
        raise ValueError(f"expected pictures of shape (B, height, width, channels), got {x.shape}")
    rows, columns = (-n % size for n in x.shape[1:3])
    return pad(x, ((0, 0), (0, rows), (0, columns), (0, 0))) if rows or columns else x


def shift_mask(grid, window, shift):
    """Which tokens of a shifted window may attend to each other: those that were neighbours before (fig. 4).

    The cyclic shift brings the first rows to the end of the grid, behind rows they have nothing to do with. So the
    last window of each axis holds two regions, and with both axes a grid has nine.    -> (w, n, n) bool
    """
    rows, columns = ((np.arange(n) >= n - window).astype(int) + (np.arange(n) >= n - shift) for n in grid)
    regions = window_partition((3 * rows[:, None] + columns)[None, ..., None], window)  # (w, n, 1)
    return regions == regions.swapaxes(1, 2)                                            # (w, n, n)


@lru_cache(maxsize=64)
def mask_bias(grid, window, shift, dtype, device):
    """The mask as numbers to add to the scores, 0 and -inf; computed once for each size.    -> (w, 1, n, n)"""
    bias = np.where(shift_mask(grid, window, shift), 0, -np.inf).astype(dtype)
    return Tensor.without_copy(to_device(bias[:, None], device))


def masked(bias, mask, windows):
    """The biases of each of B w shifted windows.    (h, n, n), (w, 1, n, n) -> (B w, h, n, n)"""
    w, (h, n, _) = len(mask), bias.shape
    return expand(bias + mask, (windows // w, w, h, n, n)).reshape(windows, h, n, n)  # (B w, h, n, n)


class WindowAttention(Attention):
    """Attention within windows, with a learned bias for each offset and head (eq. 4).    (B w, n, C) -> (B w, n, C)"""

    def __init__(self, dim, heads, *, window, dropout=0.0):
        super().__init__(dim, heads, dropout=dropout)
        self.window = window
        self.relative_position_bias_table = Parameter(((2 * window - 1) ** 2, heads), truncated_normal(0.02))
        self.index = signed_offsets((window, window))

    def forward(self, x, mask=None):
        """(B w, n, C), with a mask (w, 1, n, n) to add to the scores of shifted windows -> (B w, n, C)"""
        return super().forward(x, self.bias(x, mask))

    def bias(self, x, mask):
        """What is added to the scores: the bias of each offset, and the mask.    -> (h, n, n) or (B w, h, n, n)"""
        M, m, (windows, n, _) = self.window, math.isqrt(x.shape[1]), x.shape
        index = self.index.reshape(M, M, M, M)[:m, :m, :m, :m].reshape(n, n)     # of smaller windows if m < M
        bias = offset_bias(self.relative_position_bias_table, index)             # (h, n, n)
        return bias if mask is None else masked(bias, mask, windows)

    def weights(self, x, mask=None):
        """What each token looks at, for pictures: the attention probabilities.    (B w, n, C) -> (B w, h, n, n)"""
        return super().weights(x, self.bias(x, mask))

    def describe(self):
        """The window and the number of heads."""
        return f"{self.window} x {self.window}, {self.heads} heads"


class Block(Module):
    """x + W-MSA(LN(x)) or x + SW-MSA(LN(x)), then x + MLP(LN(x)) (eq. 3).    (B, H, W, C) -> (B, H, W, C)

    `shift` is 0 or half the window.
    """

    def __init__(self, dim, heads, *, window, shift, mlp_dim, eps=1e-5, activation=gelu, dropout=0.0, drop_path=0.0):
        self.norm1, self.norm2 = LayerNorm(dim, eps=eps), LayerNorm(dim, eps=eps)
        self.attention = WindowAttention(dim, heads, window=window, dropout=dropout)
        self.mlp = Mlp(dim, mlp_dim, activation=activation, dropout=dropout)
        self.shift, self.drop_path = shift, DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.attend(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def attend(self, x):
        """Shift, cut into windows, attend within each, and undo both (section 3.2).    (B, H, W, C) -> (B, H, W, C)"""
        H, W = x.shape[1:3]
        window = min(self.attention.window, H, W)
        shift = 0 if window == min(H, W) else self.shift
        x = pad_to_multiple(x, window)
        grid, mask = x.shape[1:3], None                                          # (H', W')
        if shift:
            x, mask = roll(x, (-shift, -shift), (1, 2)), mask_bias(grid, window, shift, x.dtype, x.device)
        x = window_reverse(self.attention(window_partition(x, window), mask), window, grid)
        if shift:
            x = roll(x, (shift, shift), (1, 2))
        return x if grid == (H, W) else x[:, :H, :W]


def merged(x):
    """2 x 2 neighbours in a row, zeros where there are none.    (B, H, W, C) -> (B, H/2, W/2, 4C), rounded up"""
    x = pad_to_multiple(x, 2)
    B, H, W, C = x.shape
    x = x.reshape(B, H // 2, 2, W // 2, 2, C).transpose(0, 1, 3, 4, 2, 5)    # (B, H/2, W/2, column, row, C)
    return x.reshape(B, H // 2, W // 2, 4 * C)                               # (B, H/2, W/2, 4C)


class PatchMerging(Module):
    """2 x 2 neighbours become one token of twice the width (section 3.1).    (B, H, W, C) -> (B, H/2, W/2, 2C)"""

    def __init__(self, dim, *, eps=1e-5):
        self.norm, self.reduction = LayerNorm(4 * dim, eps=eps), Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x):
        """(B, H, W, C) -> (B, H/2, W/2, 2C), halves rounded up"""
        return self.reduction(self.norm(merged(x)))


class Stage(Module):
    """Blocks on one grid, every second one with shifted windows, after a merging that makes the grid coarser.

    (B, H, W, C) -> (B, H, W, C), or (B, H/2, W/2, 2C) with merging
    """

    def __init__(self, merge, blocks):
        self.merge, self.blocks = merge, blocks

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C) or (B, H/2, W/2, 2C)"""
        x = self.merge(x)
        for block in self.blocks:
            x = block(x)
        return x


class Swin(Module):
    """Stages, each with half the grid and twice the width of the one before (fig. 3), and a linear head.

    (B, height, width, C) -> (B, num_classes), or (B, features) with num_classes=0. Pictures of any size are accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels for which windows larger than a stage's grid are made smaller.
    dim : int
        Width C of the first stage.
    depths, heads : sequence of int
        Blocks and heads of each stage.
    window : int
        M, in tokens.
    eps : float
        What LayerNorm adds to the variance.
    activation : callable
        Of the MLPs.
    dropout, drop_path : float
        As for ViT.
    """

    def __init__(self, *, image_size=224, patch_size=4, channels=3, num_classes=1000, dim, depths, heads, window=7,
                 mlp_ratio=4, eps=1e-5, activation=gelu, dropout=0.0, drop_path=0.0):
        if len(depths) != len(heads):
            raise ValueError(f"depths, heads: expected one number for each stage, got {depths} and {heads}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.patch_embed, self.patch_norm = PatchEmbed(patch_size, channels, dim), LayerNorm(dim, eps=eps)
        self.dropout, self.stages = Dropout(dropout), []
        grid, rates = math.ceil(min(self.image_size) / patch_size), drop_path_rates(drop_path, depths)
        for stage, (stage_heads, stage_rates) in enumerate(zip(heads, rates, strict=True)):
            merge = PatchMerging(dim, eps=eps) if stage else Identity()
            dim, grid = (2 * dim, math.ceil(grid / 2)) if stage else (dim, grid)
            self.stages.append(Stage(merge, [
                Block(dim, stage_heads, window=min(window, grid), shift=min(window, grid) // 2 * (index % 2),
                      mlp_dim=int(mlp_ratio * dim), eps=eps, activation=activation, dropout=dropout, drop_path=rate)
                for index, rate in enumerate(stage_rates)]))
        self.norm = LayerNorm(dim, eps=eps)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes, without the norm behind the last, as timm's `features_only` gives it.

        (B, height, width, C) -> [(B, H, W, C), (B, H/2, W/2, 2C), ...] with H = height / P, all rounded up
        """
        return list(in_turn(self.stages, self.dropout(self.patches(images))))

    def patches(self, images):
        """The patches as tokens, before the first stage.    (B, height, width, C) -> (B, H, W, C)"""
        images = pad_to_multiple(images, self.patch_embed.patch_size)
        grid = [pixels // self.patch_embed.patch_size for pixels in images.shape[1:3]]
        return to_grid(self.patch_norm(self.patch_embed(images)), grid)

    def encoded(self, patches):
        """What the head reads, behind the last norm, of patches of which some may have been changed.

        (B, H, W, C) -> (B, h, w, features), coarser by a half for each merging
        """
        *_, x = in_turn(self.stages, self.dropout(patches))
        return self.norm(x)

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.encoded(self.patches(images)).mean(axis=(1, 2)))


# section 3.3; "cifar" is our own size
VARIANTS = {
    "tiny": partial(Swin, dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24)),
    "small": partial(Swin, dim=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24)),
    "base": partial(Swin, dim=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)),
    "large": partial(Swin, dim=192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48)),
    "cifar": partial(Swin, image_size=32, patch_size=2, num_classes=10, dim=64, depths=(2, 4, 2), heads=(2, 4, 8),
                     window=4),
}
