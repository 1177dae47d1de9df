"""FastViT: a hybrid vision transformer using structural reparameterization.  Vasu et al., ICCV 2023, arXiv:2303.14189.

A shortcut costs time, since a whole map is read once more to be added, and so does everything beside a convolution.
Here the tokens of the first stages are mixed by a convolution alone, and all that is linear beside a convolution
(shortcuts, norms, further convolutions with smaller kernels) is there for training only: `fold` makes one convolution
of it. Attention mixes the tokens of the last stage, where they are few, and large depthwise kernels see far elsewhere.

    B batch    H x W grid    C width    h heads of 32    N = H W
    (B, 256, 256, 3) -> stem (B, 64, 64, 64) -> (B, 32, 32, 128) -> (B, 16, 16, 256) -> (B, 8, 8, 512)
                     -> (B, 8, 8, 1024) -> mean (B, 1024) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 128) -> mean (B, 256) -> logits (B, 10)
    attention in the last stage: (B, N, C) -> queries, keys and values (B, h, N, 32) -> (B, N, C)

Departures from the paper: it writes RepMixer as DWConv(BN(x)) + x, which is no convolution of x at the border, where
the zeros stand round BN(x) instead of round x. In the authors' code, and here, norms stand behind the convolutions:
x + scale (BN(DWConv(x)) + ... - BN(x)). What makes grids coarser has no activation behind its large kernel: the
authors' code computes one and does not use it.
"""

from copy import copy
from functools import partial
from itertools import pairwise

from ..nn import (Attention, BatchNorm2d, Branches, ConvNorm, ConvPositions, DropPath, Identity, LayerScale, Linear,
                  Mlp, Module, Sequential, SqueezeExcite, add_identity, drop_path_rates, fold_before, in_turn,
                  scale_and_offset, truncated_normal, with_values)
from ..ops import gelu
from .pvt import as_tokens


def MobileOne(inputs, outputs, kernel, *, stride=1, groups=1):
    """Branches with a kernel and with 1 x 1, and GELU (Vasu et al., CVPR 2023, arXiv:2206.04040).

    (B, H, W, C_in) -> (B, H/stride, W/stride, C_out)
    """
    kernels = (kernel, 1) if kernel > 1 else (1,)
    return Sequential(Branches(inputs, outputs, kernels, stride=stride, groups=groups), gelu)


class RepMixer(Module):
    """x + scale (branches of x - norm of x): one depthwise convolution, when it is folded (section 3.2).

    (B, H, W, C) -> (B, H, W, C)
    """

    def __init__(self, dim, layer_scale):
        self.mixer, self.norm = Branches(dim, dim, (3, 1), groups=dim), BatchNorm2d(dim)
        self.scale = LayerScale(dim, layer_scale)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return x + self.scale(self.mixer(x) - self.norm(x))

    def folded(self):
        """One convolution, whose kernel holds the shortcut too."""
        conv, gamma, (scale, offset) = self.mixer, self.scale.gamma.data, scale_and_offset(self.norm)
        weight = gamma * conv.weight.data                              # (3, 3, 1, C)
        add_identity(weight, 1 - gamma * scale)
        return with_values(conv, weight, gamma * (conv.bias.data - offset))


def ConvMlp(dim, hidden):
    """A depthwise convolution of 7 x 7 with its norm, then an MLP (section 3.2).    (B, H, W, C) -> (B, H, W, C)"""
    return Sequential(ConvNorm(dim, dim, 7, groups=dim), Mlp(dim, hidden))


class MixerBlock(Module):
    """RepMixer(x), then x + scale MLP(x).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, *, mlp_ratio, layer_scale, drop_path=0.0):
        self.mixer, self.mlp = RepMixer(dim, layer_scale), ConvMlp(dim, int(mlp_ratio * dim))
        self.scale, self.drop_path = LayerScale(dim, layer_scale), DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = self.mixer(x)
        return x + self.drop_path(self.scale(self.mlp(x)))


class AttentionBlock(Module):
    """x + scale Attention(BN(x)), then x + scale MLP(x).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, *, mlp_ratio, layer_scale, drop_path=0.0):
        if dim % 32:
            raise ValueError(f"dims: a stage with attention has heads of 32 channels, which do not divide {dim}")
        self.norm, self.attention = BatchNorm2d(dim), Attention(dim, dim // 32, qkv_bias=False)
        self.mlp = ConvMlp(dim, int(mlp_ratio * dim))
        self.scale1, self.scale2 = LayerScale(dim, layer_scale), LayerScale(dim, layer_scale)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        found = self.attention(as_tokens(self.norm(x))).reshape(x.shape)    # (B, H, W, C)
        x = x + self.drop_path(self.scale1(found))
        return x + self.drop_path(self.scale2(self.mlp(x)))

    def folded(self):
        """The same with the norm in the map of queries, keys and values."""
        block, attention = copy(self), copy(self.attention)
        attention.qkv = fold_before(attention.qkv, self.norm)
        block.attention, block.norm = attention, Identity()
        return block


class Stage(Module):
    """What makes the grid coarser, positions before attention, and blocks.    (B, H, W, C_in) -> (B, H', W', C)"""

    def __init__(self, shrink, positions, blocks):
        self.shrink, self.positions, self.blocks = shrink, positions, blocks

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H', W', C)"""
        x = self.positions(self.shrink(x))
        for block in self.blocks:
            x = block(x)
        return x


class FastViT(Module):
    """A stem, stages that halve the grid (fig. 2), a last convolution with squeeze and excitation, and a linear head.

    (B, height, width, C) -> (B, num_classes), or (B, 2 * last of dims) with num_classes=0. Pictures of any size are
    accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that it is made for; others are accepted.
    stem_strides : (int, int)
        Of the stem's two convolutions.
    dims, depths : sequence of int
        C and blocks of each stage.
    attention_stages : int
        How many of the last stages mix tokens by attention instead of RepMixer; C is a multiple of 32 there.
    mlp_ratio : float
        Width between the two layers of the MLPs, in multiples of C.
    layer_scale : float
        Where the factors behind the branches begin.
    drop_path : float
        As for ViT, before the sum behind attention and MLPs.
    """

    def __init__(self, *, image_size=256, channels=3, num_classes=1000, stem_strides=(2, 2), dims, depths,
                 attention_stages=0, mlp_ratio=4, layer_scale=1e-5, drop_path=0.0):
        if len(dims) != len(depths):
            raise ValueError(f"dims, depths: expected one number for each stage, got {dims} and {depths}")
        if any(C % before for before, C in pairwise(dims)):
            raise ValueError(f"dims: a convolution makes several channels of each, so that each width has to be a "
                             f"multiple of the one before; got {dims}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        (first, second), C = stem_strides, dims[0]
        self.stem = Sequential(MobileOne(channels, C, 3, stride=first), MobileOne(C, C, 3, stride=second, groups=C),
                               MobileOne(C, C, 1))
        self.stages, settings = [], dict(mlp_ratio=mlp_ratio, layer_scale=layer_scale)
        for stage, (dim, rates) in enumerate(zip(dims, drop_path_rates(drop_path, depths), strict=True)):
            attends, shrink = len(dims) - stage <= attention_stages, Identity()
            if stage > 0:
                shrink = Sequential(Branches(C, dim, (7, 3), stride=2, groups=C), MobileOne(dim, dim, 1))
            make, C = AttentionBlock if attends else MixerBlock, dim
            self.stages.append(Stage(shrink, ConvPositions(dim, 7) if attends else Identity(), [
                make(dim, drop_path=rate, **settings) for rate in rates]))
        self.final = Sequential(Branches(C, 2 * C, (3, 1), groups=C), SqueezeExcite(2 * C, max(1, (C + 4) // 8)), gelu)
        self.head = Linear(2 * C, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes.    (B, height, width, C) -> [(B, H, W, dims[0]), (B, H/2, W/2, dims[1]), ...]"""
        return list(in_turn(self.stages, self.stem(images)))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        x = self.final(self.features(images)[-1])                           # (B, H, W, 2 * last of dims)
        return self.head(x.mean(axis=(1, 2)))


# table 2; deeper models begin with smaller factors in the authors' code; "cifar" is our own size
SMALL, MEDIUM = (64, 128, 256, 512), (76, 152, 304, 608)
VARIANTS = {
    "T8": partial(FastViT, dims=(48, 96, 192, 384), depths=(2, 2, 4, 2), mlp_ratio=3),
    "T12": partial(FastViT, dims=SMALL, depths=(2, 2, 6, 2), mlp_ratio=3),
    "S12": partial(FastViT, dims=SMALL, depths=(2, 2, 6, 2)),
    "SA12": partial(FastViT, dims=SMALL, depths=(2, 2, 6, 2), attention_stages=1),
    "SA24": partial(FastViT, dims=SMALL, depths=(4, 4, 12, 4), attention_stages=1),
    "SA36": partial(FastViT, dims=SMALL, depths=(6, 6, 18, 6), attention_stages=1, layer_scale=1e-6),
    "MA36": partial(FastViT, dims=MEDIUM, depths=(6, 6, 18, 6), attention_stages=1, layer_scale=1e-6),
    "cifar": partial(FastViT, image_size=32, num_classes=10, stem_strides=(2, 1), dims=(32, 64, 128),
                     depths=(2, 2, 4), attention_stages=1, mlp_ratio=3),
}
