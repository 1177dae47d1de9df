"""PVT v2: Improved baselines with Pyramid Vision Transformer.  Wang et al., CVMJ 2022, arXiv:2106.13797.

Three changes to PVT, all of which let neighbours know of each other. Patches overlap, an MLP has a depthwise
convolution between its layers, whose padding with zeros also replaces the position embeddings, and ("linear") the
coarser map that tokens attend to always has 7 x 7 places, so that attention costs as much as the picture has pixels.

    B batch    H x W grid    C width    S stride    R reduction    N = H W tokens    M keys, N / R^2 or 7 x 7
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 128) -> (B, 14, 14, 320) -> (B, 7, 7, 512)
                     -> mean over the grid (B, 512) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 128) -> (B, 2, 2, 160) -> (B, 160) -> (B, 10)

Departures from the paper: the MLP of the linear form has a ReLU before its convolution, and its reduction ends in a
1 x 1 convolution, a norm and GELU, as in the authors' code. The authors' LayerNorms add 1e-5 behind a convolution and
1e-6 elsewhere, as here and in timm; transformers adds 1e-6 everywhere.
"""

import math
from functools import partial

from ..nn import (Conv2d, ConvNorm, Dropout, Identity, LayerNorm, Linear, Module, drop_path_rates, in_turn, normal,
                  truncated_normal)
from ..ops import adaptive_avg_pool2d, gelu, relu
from .pvt import Block, SpatialReduction, SpatialReductionAttention, by_stage


class PooledReduction(ConvNorm):
    """Means over a grid of p x p windows, whatever the picture's size, and a map of each (section 3.2).

    (B, H, W, C) -> (B, p, p, C)
    """

    def __init__(self, dim, pool, *, eps=1e-5):
        super().__init__(dim, dim, 1, bias=True, norm=partial(LayerNorm, eps=eps), activation=gelu)
        self.pool = pool

    def forward(self, x):
        """(B, H, W, C) -> (B, p, p, C)"""
        return super().forward(adaptive_avg_pool2d(x, self.pool))

    def describe(self):
        """The grid."""
        return f"{self.pool} x {self.pool}"


class ConvMlp(Module):
    """Linear, depthwise 3 x 3 convolution, GELU, Linear (section 3.4).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, hidden, *, dropout=0.0):
        self.linear1, self.linear2 = Linear(dim, hidden), Linear(hidden, dim)
        self.conv = Conv2d(hidden, hidden, 3, padding=1, groups=hidden, initialiser=normal(math.sqrt(2 / 9)))
        self.dropout = Dropout(dropout)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = self.dropout(gelu(self.conv(self.expand(x))))    # (B, H, W, hidden)
        return self.dropout(self.linear2(x))

    def expand(self, x):
        """What the convolution sees.    (B, H, W, C) -> (B, H, W, hidden)"""
        return self.linear1(x)


class ReluConvMlp(ConvMlp):
    """The same with ReLU before the convolution.    (B, H, W, C) -> (B, H, W, C)"""

    def expand(self, x):
        """(B, H, W, C) -> (B, H, W, hidden)"""
        return relu(self.linear1(x))


class Stage(Module):
    """Overlapping patches, Transformer blocks, and a norm.    (B, H, W, C_in) -> (B, H/S, W/S, C), rounded up

    A patch has 2 S - 1 rows and columns, S - 1 of which its neighbour has too (section 3.3).
    """

    def __init__(self, inputs, dim, stride, blocks, *, eps=1e-6, conv_eps=1e-5):
        self.embed = ConvNorm(inputs, dim, 2 * stride - 1, stride=stride, bias=True,
                              norm=partial(LayerNorm, eps=conv_eps))
        self.blocks, self.norm = blocks, LayerNorm(dim, eps=eps)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/S, W/S, C)"""
        x = self.embed(x)                                     # (B, H/S, W/S, C)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class PVTv2(Module):
    """Stages from fine to coarse, and a linear head that reads the mean of the last map.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted.

    The settings are those of PVT; `image_size` is that of the pictures that the model is made for, `patch_size` is S of
    the first stage, and any stage may have a reduction.
    """

    reduce, mlp = staticmethod(SpatialReduction), ConvMlp  # what makes the coarser map, and what a block ends in

    def __init__(self, *, image_size=224, patch_size=4, channels=3, num_classes=1000, dims, depths, heads,
                 mlp_ratios=(8, 8, 4, 4), reductions=(8, 4, 2, 1), eps=1e-6, conv_eps=1e-5, dropout=0.0, drop_path=0.0):
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        sizes = by_stage(dims=dims, depths=depths, heads=heads, mlp_ratios=mlp_ratios, reductions=reductions)
        self.stages, inputs = [], channels
        for (C, _, h, ratio, R), rates in zip(sizes, drop_path_rates(drop_path, depths), strict=True):
            blocks = [Block(C, SpatialReductionAttention(C, h, self.reduce(C, R, eps=conv_eps), dropout=dropout),
                            self.mlp(C, int(ratio * C), dropout=dropout), eps=eps, drop_path=rate) for rate in rates]
            stride = 2 if self.stages else patch_size
            self.stages.append(Stage(inputs, C, stride, blocks, eps=eps, conv_eps=conv_eps))
            inputs = C
        self.head = Linear(inputs, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes, its norm included, as timm's `features_only` gives it.

        (B, height, width, C) -> [(B, height / S, width / S, dims[0]), ...], each grid half the one before, rounded up
        """
        return list(in_turn(self.stages, images))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.features(images)[-1].mean(axis=(1, 2)))


class PVTv2Linear(PVTv2):
    """PVT v2-Li, whose tokens attend to the means of p x p windows; settings as for PVTv2, but no reductions.

    (B, height, width, C) -> (B, num_classes)

    Parameters
    ----------
    pool : int
        p.
    """

    reduce, mlp = PooledReduction, ReluConvMlp

    def __init__(self, *, pool=7, depths, **settings):
        super().__init__(depths=depths, reductions=[pool] * len(depths), **settings)


# table 1; "cifar" and "cifar_li" are our own sizes
WIDTHS = dict(dims=(64, 128, 320, 512), heads=(1, 2, 5, 8))
CIFAR = dict(image_size=32, patch_size=2, num_classes=10, dims=(32, 64, 128, 160), depths=(1, 1, 2, 1),
             heads=(1, 2, 4, 5), mlp_ratios=(4, 4, 4, 4))
VARIANTS = {
    "b0": partial(PVTv2, dims=(32, 64, 160, 256), depths=(2, 2, 2, 2), heads=(1, 2, 5, 8)),
    "b1": partial(PVTv2, depths=(2, 2, 2, 2), **WIDTHS),
    "b2": partial(PVTv2, depths=(3, 4, 6, 3), **WIDTHS),
    "b2_li": partial(PVTv2Linear, depths=(3, 4, 6, 3), **WIDTHS),
    "b3": partial(PVTv2, depths=(3, 4, 18, 3), **WIDTHS),
    "b4": partial(PVTv2, depths=(3, 8, 27, 3), **WIDTHS),
    "b5": partial(PVTv2, depths=(3, 6, 40, 3), mlp_ratios=(4, 4, 4, 4), **WIDTHS),
    "cifar": partial(PVTv2, reductions=(4, 2, 1, 1), **CIFAR),
    "cifar_li": partial(PVTv2Linear, pool=4, **CIFAR),
}
