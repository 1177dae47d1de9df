"""MetaFormer Baselines for Vision.  Yu et al., TPAMI 2024, arXiv:2210.13452.

How good is the structure of a Transformer's block by itself? Tokens are mixed by nothing at all (IdentityFormer), by a
matrix that was drawn once and is never trained (RandFormer), or by their mean (PoolFormerV2). An activation with two
learned numbers, StarReLU, takes the place of GELU, and learned factors on the shortcuts that of those on the branches.

    B batch    H x W grid    C width    N = H W tokens
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 128) -> (B, 14, 14, 320) -> (B, 7, 7, 512) -> mean (B, 512)
                     -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 48) -> (B, 8, 8, 96) -> (B, 4, 4, 192) -> mean (B, 192) -> logits (B, 10)

The norms of the blocks take all channels and places of a picture together, the others each place by itself; those
before the last have no offset, and the MLPs no bias. RandFormer's matrices are for one size of pictures.

Departures from the paper: none.
"""

from functools import partial

import numpy as np

from ..nn import (Buffer, Conv2d, ConvNorm, Dropout, DropPath, GroupNorm, Identity, LayerNorm, LayerScale, Linear,
                  Module, Parameter, drop_path_rates, in_turn, ones, truncated_normal, zeros)
from ..ops import relu
from .poolformer import MEDIUM, SMALL, NormOfMean, Pooling, Stage


class StarReLU(Module):
    """s relu(x)^2 + b with two learned numbers.    any shape, unchanged"""

    def __init__(self):
        self.scale, self.bias = Parameter((1,), ones), Parameter((1,), zeros)

    def forward(self, x):
        """Any shape, unchanged"""
        x = relu(x)
        return self.scale * (x * x) + self.bias


class RandomMixing(Module):
    """Each token becomes a mean of all with weights that were drawn once, softmax of uniform numbers.

    (B, H, W, C) -> (B, H, W, C)
    """

    def __init__(self, grid):
        self.grid, tokens = tuple(grid), grid[0] * grid[1]
        self.matrix = Buffer((tokens, tokens), softmax_of_uniform)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        B, H, W, C = x.shape
        if self.grid != (H, W):
            raise ValueError("images: their map of {} x {} tokens meets a random matrix for {} x {}".format(
                H, W, *self.grid))
        return (self.matrix @ x.reshape(B, H * W, C)).reshape(x.shape)     # (B, H, W, C)


def softmax_of_uniform(rng, shape):
    """Rows of positive numbers whose sum is 1.    -> (N, N) float32"""
    weights = np.exp(rng.random(shape, np.float32))
    return weights / weights.sum(axis=1, keepdims=True)


class Block(Module):
    """s x + Mixer(Norm(x)), then s x + MLP(Norm(x)), with a factor s or none.    (B, H, W, C) -> (B, H, W, C)

    `shortcut` makes what stands on each shortcut: shortcut(C).
    """

    def __init__(self, dim, mixer, *, mlp_dim, shortcut, eps=1e-6, dropout=0.0, drop_path=0.0):
        self.norm1, self.mixer, self.shortcut1 = GroupNorm(1, dim, eps=eps, bias=False), mixer, shortcut(dim)
        self.norm2, self.shortcut2 = GroupNorm(1, dim, eps=eps, bias=False), shortcut(dim)
        self.linear1, self.activation = Linear(dim, mlp_dim, bias=False), StarReLU()
        self.linear2, self.dropout = Linear(mlp_dim, dim, bias=False), Dropout(dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = self.shortcut1(x) + self.drop_path(self.mixer(self.norm1(x)))
        y = self.dropout(self.activation(self.linear1(self.norm2(x))))
        return self.shortcut2(x) + self.drop_path(self.dropout(self.linear2(y)))


class NormConv(Module):
    """A norm, then a 3 x 3 convolution that halves the grid.    (B, H, W, C_in) -> (B, H/2, W/2, C), rounded up"""

    def __init__(self, inputs, dim, *, norm):
        self.norm, self.conv = norm(inputs), Conv2d(inputs, dim, 3, stride=2, padding=1)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/2, W/2, C), rounded up"""
        return self.conv(self.norm(x))


class IdentityFormer(Module):
    """No mixer: tokens meet in the convolutions between the stages alone.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that it is made for.
    kernel, stride, padding : int
        Of the convolution in front of the first stage. In front of the others they are 3, 2 and 1.
    dims, depths : sequence of int
        Width and blocks of each stage.
    mlp_ratio : float
        Width between the two layers of the MLPs, in multiples of C.
    scaled : int
        How many stages, the last, have factors on their shortcuts.
    dropout, drop_path : float
        As for ViT, in the MLPs.
    """

    def __init__(self, *, image_size=224, kernel=7, stride=4, padding=2, channels=3, num_classes=1000, dims, depths,
                 mlp_ratio=4, scaled=2, dropout=0.0, drop_path=0.0):
        if len(dims) != len(depths):
            raise ValueError(f"dims, depths: expected one number for each stage, got {dims} and {depths}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        norm, self.stages, first = partial(LayerNorm, bias=False), [], len(dims) - scaled
        embed = ConvNorm(channels, dims[0], kernel, stride=stride, padding=padding, bias=True, norm=norm)
        grid = tuple((n + 2 * padding - kernel) // stride + 1 for n in self.image_size)
        for index, (C, rates) in enumerate(zip(dims, drop_path_rates(drop_path, depths), strict=True)):
            if index:
                inputs, grid = dims[index - 1], tuple((n + 1) // 2 for n in grid)
                embed = NormConv(inputs, C, norm=norm)
            shortcut = partial(LayerScale, initial=1.0) if index >= first else lambda dim: Identity()
            self.stages.append(Stage(embed, [
                Block(C, self.mixer(index, grid), mlp_dim=int(mlp_ratio * C), shortcut=shortcut, dropout=dropout,
                      drop_path=rate) for rate in rates]))
        self.final = NormOfMean(dims[-1])
        self.head = Linear(dims[-1], num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def mixer(self, stage, grid):
        """What mixes tokens in the blocks of a stage, the first is 0, whose map has the rows and columns `grid`."""
        return Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = in_turn(self.stages, images)
        return self.head(self.final(x))

    def features(self, images):
        """What each stage makes, without a norm behind it.

        (B, height, width, C) -> [(B, height / 4, width / 4, dims[0]), ...], each grid half of the one before
        """
        return list(in_turn(self.stages, images))


class RandFormer(IdentityFormer):
    """Random matrices mix the tokens from the third stage on; the maps before have too many."""

    def mixer(self, stage, grid):
        """A matrix of its own for each block."""
        return RandomMixing(grid) if stage >= 2 else Identity()


class PoolFormerV2(IdentityFormer):
    """The mean of 3 x 3 neighbours, minus x, as in PoolFormer."""

    def mixer(self, stage, grid):
        """Pooling."""
        return Pooling()


# the sizes of PoolFormer; "cifar" is our own
SIZES = {"S12": (SMALL, (2, 2, 6, 2)), "S24": (SMALL, (4, 4, 12, 4)), "S36": (SMALL, (6, 6, 18, 6)),
         "M36": (MEDIUM, (6, 6, 18, 6)), "M48": (MEDIUM, (8, 8, 24, 8))}
VARIANTS = {f"{name}_{size}": partial(kind, dims=dims, depths=depths) for name, kind in [
    ("identity", IdentityFormer), ("random", RandFormer), ("pool", PoolFormerV2)]
    for size, (dims, depths) in SIZES.items()}
VARIANTS["cifar"] = partial(PoolFormerV2, image_size=32, kernel=3, stride=2, padding=1, num_classes=10,
                            dims=(48, 96, 192), depths=(2, 2, 2))
