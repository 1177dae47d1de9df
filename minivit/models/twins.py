"""Twins: Revisiting the design of spatial attention in Vision Transformers.

Chu et al., NeurIPS 2021, arXiv:2104.13840.

Twins-PCPVT is PVT with positions that a depthwise convolution makes in each stage, instead of learned ones. Twins-SVT
then splits attention in two, as depthwise separable convolution splits a convolution: a block in which tokens look at
their own window, and a block in which they look at one summary of each tile (PVT's attention with a reduction). The
first sees details, the second carries them across the picture, and windows need neither shifts nor masks.

    B batch    H x W grid    C width    P patch size    M window    w number of windows    n = M M    R reduction
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 128) -> (B, 14, 14, 256) -> (B, 7, 7, 512)
                     -> mean over the grid (B, 512) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 128) -> mean (B, 128) -> logits (B, 10)
    attention in windows: (B, H, W, C) -> (B w, n, C) -> attention -> (B w, n, C) -> (B, H, W, C)

Where windows do not divide the grid, zeros are added below and on the right, and tokens attend to them too, as in timm;
the authors' code for classification takes no such grid. Rows and columns that fill no patch or no tile are left out.

Departures from the paper: none. LayerNorms add 1e-5 behind a map of patches or tiles and 1e-6 elsewhere, as the
authors' do.
"""

from functools import partial

from ..nn import (Attention, ConvPositions, Dropout, Identity, LayerNorm, Linear, Mlp, Module, drop_path_rates, in_turn,
                  truncated_normal)
from .pvt import Block, SpatialReduction, SpatialReductionAttention, by_stage, patches
from .swin import pad_to_multiple, window_partition, window_reverse


class LocallyGroupedAttention(Attention):
    """LSA: attention within windows of M x M tokens (section 3.2).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, heads, *, window, dropout=0.0):
        super().__init__(dim, heads, dropout=dropout)
        self.window = window

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        H, W = x.shape[1:3]
        x = pad_to_multiple(x, self.window)
        grid = x.shape[1:3]                                                      # (H', W')
        windows = super().forward(window_partition(x, self.window))              # (B w, n, C)
        x = window_reverse(windows, self.window, grid)                           # (B, H', W', C)
        return x if grid == (H, W) else x[:, :H, :W]

    def weights(self, x):
        """What each token of a window looks at, for pictures.    (B, H, W, C) -> (B w, heads, n, n)"""
        return super().weights(window_partition(pad_to_multiple(x, self.window), self.window))

    def describe(self):
        """The window and the number of heads."""
        return f"{self.window} x {self.window}, {self.heads} heads"


class Stage(Module):
    """Patches, and blocks, the first of which is followed by positions (section 3.1).

    (B, H, W, C_in) -> (B, H/P, W/P, C), rounded down
    """

    def __init__(self, embed, dim, blocks, *, dropout=0.0):
        self.embed, self.dropout = embed, Dropout(dropout)
        self.positions, self.blocks = ConvPositions(dim), blocks

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/P, W/P, C)"""
        first, *others = self.blocks
        x = first(self.dropout(self.embed(x)))                # (B, H/P, W/P, C)
        x = self.positions(x)
        for block in others:
            x = block(x)
        return x


class TwinsPCPVT(Module):
    """PVT with positions by convolution (section 3.1); every block attends to all tiles, the head reads the mean.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted.

    The settings are those of PVT; `image_size` is that of the pictures that the model is made for, and any stage may
    have a reduction.
    """

    def __init__(self, *, image_size=224, patch_size=4, channels=3, num_classes=1000, dims, depths, heads,
                 mlp_ratios=(8, 8, 4, 4), reductions=(8, 4, 2, 1), eps=1e-6, conv_eps=1e-5, dropout=0.0, drop_path=0.0):
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        sizes = by_stage(dims=dims, depths=depths, heads=heads, mlp_ratios=mlp_ratios, reductions=reductions)
        self.stages, inputs = [], channels
        for (C, _, h, ratio, R), rates in zip(sizes, drop_path_rates(drop_path, depths), strict=True):
            blocks = [Block(C, self.make_attention(index, C, h, R, conv_eps=conv_eps, dropout=dropout),
                            Mlp(C, int(ratio * C), dropout=dropout), eps=eps, drop_path=rate)
                      for index, rate in enumerate(rates)]
            P = 2 if self.stages else patch_size
            self.stages.append(Stage(patches(inputs, C, P, eps=conv_eps), C, blocks, dropout=dropout))
            inputs = C
        self.norm = LayerNorm(inputs, eps=eps)
        self.head = Linear(inputs, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def make_attention(self, index, dim, heads, reduction, *, conv_eps, dropout):
        """Of the block with this index in its stage."""
        return SpatialReductionAttention(dim, heads, SpatialReduction(dim, reduction, eps=conv_eps), dropout=dropout)

    def features(self, images):
        """What each stage makes, of the last one before the norm behind it, as timm's `features_only` gives it.

        (B, height, width, C) -> [(B, height / P, width / P, dims[0]), ...], each grid half of the one before
        """
        return list(in_turn(self.stages, images))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.norm(self.features(images)[-1]).mean(axis=(1, 2)))


class TwinsSVT(TwinsPCPVT):
    """Blocks with attention in windows and to all tiles take turns (section 3.2).

    (B, height, width, C) -> (B, num_classes). The settings are those of TwinsPCPVT, and the window.

    Parameters
    ----------
    window : int
        M.
    """

    def __init__(self, *, window=7, mlp_ratios=(4, 4, 4, 4), **settings):
        self.window = window
        super().__init__(mlp_ratios=mlp_ratios, **settings)

    def make_attention(self, index, dim, heads, reduction, *, conv_eps, dropout):
        """Windows in the first block of a stage and in every second after it; tiles (GSA) in the others."""
        if index % 2 == 0:
            return LocallyGroupedAttention(dim, heads, window=self.window, dropout=dropout)
        return super().make_attention(index, dim, heads, reduction, conv_eps=conv_eps, dropout=dropout)


# the authors' sizes; "cifar" and "cifar_pcpvt" are our own
PCPVT = dict(dims=(64, 128, 320, 512), heads=(1, 2, 5, 8))
CIFAR = dict(image_size=32, patch_size=2, num_classes=10, dims=(32, 64, 128), depths=(2, 2, 2), heads=(2, 4, 8),
             mlp_ratios=(4, 4, 4), reductions=(4, 2, 1))
VARIANTS = {
    "pcpvt_small": partial(TwinsPCPVT, depths=(3, 4, 6, 3), **PCPVT),
    "pcpvt_base": partial(TwinsPCPVT, depths=(3, 4, 18, 3), **PCPVT),
    "pcpvt_large": partial(TwinsPCPVT, depths=(3, 8, 27, 3), **PCPVT),
    "svt_small": partial(TwinsSVT, dims=(64, 128, 256, 512), depths=(2, 2, 10, 4), heads=(2, 4, 8, 16)),
    "svt_base": partial(TwinsSVT, dims=(96, 192, 384, 768), depths=(2, 2, 18, 2), heads=(3, 6, 12, 24)),
    "svt_large": partial(TwinsSVT, dims=(128, 256, 512, 1024), depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)),
    "cifar": partial(TwinsSVT, window=4, **CIFAR),
    "cifar_pcpvt": partial(TwinsPCPVT, **CIFAR),
}
