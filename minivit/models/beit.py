"""BEiT: BERT Pre-Training of Image Transformers.  Bao et al., ICLR 2022, arXiv:2106.08254.

A ViT whose patches are not told where they are. Instead each score of its attention gets a learned bias, which depends
on the way from the one patch to the other (relative positions), and deep layers learn because each residual branch
begins with a small factor for each channel (LayerScale). Classes are read from the mean of the patches; the class token
is one more token that all can look at. How BEiT learns without labels is told in minivit/tasks/beit.py.

    B batch    N = H W patches    D width    h heads    P patch size    L depth
    (B, 224, 224, 3) -> patches (B, 14, 14, D) -> with class token (B, 197, D) -> L blocks (B, 197, D)
                     -> mean of the patches, normalised (B, D) -> logits (B, 1000)
    a layer's biases: table ((2 H - 1) (2 W - 1) + 3, h) -> pairs of tokens (h, 1 + N, 1 + N)
    cifar: (B, 32, 32, 3) -> (B, 8, 8, D) -> (B, 65, D) -> (B, D) -> (B, 10)

For pictures of another size the table of biases is stretched bilinearly, as in transformers; timm builds a model for
one size.

Departures from the paper: weights are drawn as ViT's here are, but the last map of branch l is divided by sqrt(2 l) as
in the paper. The paper's head is drawn a thousand times smaller; here it begins as ViT's.
"""

import math
from functools import partial

import numpy as np

from ..nn import (Attention, Dropout, Identity, LayerNorm, Linear, Module, Parameter, PatchEmbed, drop_path_rates,
                  in_turn, offset_bias, repeat_batch, signed_offsets, to_grid, truncated_normal, xavier_uniform, zeros)
from ..ops import concatenate, gelu, linear, resize
from .cait import ScaledBlock
from .vit import SIZES


class QKV(Linear):
    """Queries, keys and values; a bias of the keys, the same for all, would change no attention.

    (B, N, D) -> (B, N, 3 D)
    """

    def __init__(self, dim):
        super().__init__(dim, 3 * dim, bias=False)
        self.query_bias, self.value_bias = Parameter((dim,), zeros), Parameter((dim,), zeros)

    def forward(self, x):
        """(B, N, D) -> (B, N, 3 D)"""
        bias = concatenate([self.query_bias, 0 * self.query_bias, self.value_bias])             # (3 D,)
        return linear(x, self.weight, bias)


class PositionBias(Module):
    """What is added to the scores of attention between two tokens, by the way from one to the other.

    A grid (H, W) -> (h, 1 + N, 1 + N). The last three rows of the table are for the class token: its looks at the
    patches, their looks at it, and its look at itself.
    """

    def __init__(self, grid, heads):
        H, W = self.grid = grid
        self.table = Parameter(((2 * H - 1) * (2 * W - 1) + 3, heads), zeros)

    def forward(self, grid):
        """(H, W) -> (h, 1 + N, 1 + N)"""
        return offset_bias(self.stretched(grid), offsets(grid))

    def stretched(self, grid):
        """The table for another grid.    (H, W) -> ((2 H - 1) (2 W - 1) + 3, h)"""
        if grid == self.grid:
            return self.table
        old, new = ((2 * H - 1, 2 * W - 1) for H, W in (self.grid, grid))
        ways = resize(self.table[:-3].reshape(1, *old, -1), new)                                # (1, 2H - 1, 2W - 1, h)
        return concatenate([ways.reshape(new[0] * new[1], -1), self.table[-3:]])

    def describe(self):
        """The grid."""
        return "{} x {}".format(*self.grid)


def offsets(grid):
    """Which row of the table belongs to a query and a key, of which the first is the class token.

    (H, W) -> (1 + N, 1 + N) int
    """
    (H, W), rows = grid, (2 * grid[0] - 1) * (2 * grid[1] - 1)
    index = np.empty((1 + H * W, 1 + H * W), int)
    index[1:, 1:] = signed_offsets(grid)
    index[0], index[1:, 0], index[0, 0] = rows, rows + 1, rows + 2
    return index


class Block(ScaledBlock):
    """x + g Attention(LN(x)) with a bias of positions, then x + g' MLP(LN(x)).    (B, 1 + N, D) -> (B, 1 + N, D)

    `number` is that of the block, from 1: the maps at the ends of the branches begin smaller in later ones.
    """

    def __init__(self, dim, heads, *, grid, number, dropout=0.0, **settings):
        super().__init__(dim, heads, dropout=dropout, **settings)
        self.attention, self.bias = Attention(dim, heads, dropout=dropout), PositionBias(grid, heads)
        self.attention.qkv = QKV(dim)
        for last in (self.attention.proj, self.mlp.linear2):
            last.weight.initialiser = partial(_divided, math.sqrt(2 * number))

    def forward(self, x, grid):
        """(B, 1 + N, D), for a grid (H, W) of patches -> (B, 1 + N, D)"""
        x = x + self.drop_path(self.scale1(self.attention(self.norm1(x), self.bias(grid))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))


def _divided(divisor, rng, shape):
    return xavier_uniform(rng, shape) / np.float32(divisor)


class BEiT(Module):
    """The encoder, and the head that reads the mean of its patches.

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures of another size than `image_size`
    are accepted if they divide into patches.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the biases are learned for.
    dim, depth, heads, mlp_dim : int
        D, L, h, and the width between the two layers of the MLP, by default 4 D.
    layer_scale : float
        Where the factors of residual branches begin: 0.1, in large models 1e-5.
    eps, activation, dropout, drop_path
        As for ViT.
    """

    prefix = 1  # tokens in front of the patches

    def __init__(self, *, image_size=224, patch_size=16, channels=3, num_classes=1000, dim, depth, heads, mlp_dim=None,
                 layer_scale=0.1, eps=1e-6, activation=gelu, dropout=0.0, drop_path=0.0):
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if height % patch_size or width % patch_size:
            raise ValueError(f"image_size: {height} x {width} pixels do not divide into patches of "
                             f"{patch_size} x {patch_size}")
        self.image_size, self.grid = (height, width), (height // patch_size, width // patch_size)
        self.patch_embed = PatchEmbed(patch_size, channels, dim)
        self.class_token, self.dropout = Parameter((1, 1, dim), truncated_normal(0.02)), Dropout(dropout)
        self.blocks = [Block(dim, heads, grid=self.grid, number=number, layer_scale=layer_scale,
                             mlp_dim=mlp_dim or 4 * dim, eps=eps, activation=activation, dropout=dropout,
                             drop_path=rate)
                       for number, rate in enumerate(drop_path_rates(drop_path, [depth])[0], 1)]
        self.norm = LayerNorm(dim, eps=eps)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = self.encode(self.patches(images))
        return self.head(self.norm(x[:, 1:].mean(axis=1)))

    def patches(self, images):
        """The patches as tokens.    (B, height, width, C) -> (B, H, W, D)"""
        x, P = self.patch_embed(images), self.patch_embed.patch_size
        return to_grid(x, [pixels // P for pixels in images.shape[1:3]])

    def encode(self, patches):
        """What each block makes of the class token and the patches.    (B, H, W, D) -> generator of (B, 1 + N, D)"""
        B, H, W, D = patches.shape
        x = concatenate([repeat_batch(self.class_token, B), patches.reshape(B, H * W, D)], axis=1)  # (B, 1 + N, D)
        return in_turn([partial(block, grid=(H, W)) for block in self.blocks], self.dropout(x))

    def encoded(self, patches):
        """The encoded patches, each normalised, of which some may have been changed.    (B, H, W, D) -> (B, H, W, D)"""
        *_, x = self.encode(patches)
        return to_grid(self.norm(x), patches.shape[1:3], prefix=1)

    def features(self, images, layers=None):
        """The patches' tokens on their grid: what the blocks `layers` make, by default the last.

        (B, height, width, C) -> [(B, height / P, width / P, D) for each layer]
        """
        patches = self.patches(images)
        made = list(self.encode(patches))
        return [to_grid(made[layer], patches.shape[1:3], prefix=1) for layer in ((-1,) if layers is None else layers)]


# section 3.1 and appendix A: the sizes of ViT; "cifar" is our own
VARIANTS = {
    "base": partial(BEiT, **SIZES["B"]),
    "large": partial(BEiT, layer_scale=1e-5, **SIZES["L"]),
    "cifar": partial(BEiT, image_size=32, patch_size=4, num_classes=10, dim=128, depth=6, heads=4),
}
