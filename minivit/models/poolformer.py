"""MetaFormer Is Actually What You Need for Vision (PoolFormer).  Yu et al., CVPR 2022, arXiv:2111.11418.

A Transformer's block is a token mixer and an MLP, each behind a norm and within a residual connection. Is it attention
that makes it strong, or this structure, the MetaFormer? To find out, attention is replaced by about the weakest mixer
there is: the mean of 3 x 3 neighbours, which learns nothing.

    B batch    H x W grid    C width
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 128) -> (B, 14, 14, 320) -> (B, 7, 7, 512) -> mean (B, 512)
                     -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 48) -> (B, 8, 8, 96) -> (B, 4, 4, 192) -> mean (B, 192) -> logits (B, 10)

The norm takes all channels and all places of a picture together, with a factor and an offset for each channel.

Departures from the paper: none. timm's head is another one: it norms the mean, `NormOfMean`, where the authors take the
mean of what was normed, `MeanOfNormed`. Both fit the same weights and give different logits.
"""

from functools import partial

from ..nn import (Conv2d, DropPath, GroupNorm, Identity, LayerNorm, LayerScale, Linear, Mlp, Module, drop_path_rates,
                  in_turn, truncated_normal)
from ..ops import avg_pool2d, gelu


class Pooling(Module):
    """The mean of k x k neighbours, those outside the grid left out, minus x, which the block adds again (eq. 4).

    (B, H, W, C) -> (B, H, W, C)
    """

    def __init__(self, size=3):
        if size % 2 == 0:
            raise ValueError(f"pool_size: expected an odd number, so that a window has a middle, got {size}")
        self.size = size

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return avg_pool2d(x, self.size, stride=1, padding=self.size // 2, count_include_pad=False) - x

    def describe(self):
        """The window."""
        return f"{self.size} x {self.size}"


class Block(Module):
    """x + scale Mixer(Norm(x)), then x + scale MLP(Norm(x)) (eq. 2, 3).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, mixer, *, mlp_dim, layer_scale, activation=gelu, dropout=0.0, drop_path=0.0):
        self.norm1, self.mixer, self.scale1 = GroupNorm(1, dim), mixer, LayerScale(dim, layer_scale)
        self.norm2, self.mlp = GroupNorm(1, dim), Mlp(dim, mlp_dim, activation=activation, dropout=dropout)
        self.scale2, self.drop_path = LayerScale(dim, layer_scale), DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.scale1(self.mixer(self.norm1(x))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))


class Stage(Module):
    """A convolution that makes the grid coarser, then blocks (fig. 2).    (B, H, W, C_in) -> (B, H/s, W/s, C)"""

    def __init__(self, embed, blocks):
        self.embed, self.blocks = embed, blocks

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/s, W/s, C) with the stride s of the convolution"""
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return x


class MeanOfNormed(Module):
    """The mean over the grid of what was normed over places and channels.    (B, H, W, C) -> (B, C)"""

    def __init__(self, dim):
        self.norm = GroupNorm(1, dim)

    def forward(self, x):
        """(B, H, W, C) -> (B, C)"""
        return self.norm(x).mean(axis=(1, 2))


class NormOfMean(Module):
    """The mean over the grid, normed over channels, as timm has it.    (B, H, W, C) -> (B, C)"""

    def __init__(self, dim):
        self.norm = LayerNorm(dim)

    def forward(self, x):
        """(B, H, W, C) -> (B, C)"""
        return self.norm(x.mean(axis=(1, 2)))


class MetaFormer(Module):
    """Stages of blocks with any token mixer (fig. 2).

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted, as far as the mixers do.

    Parameters
    ----------
    mixer : callable
        Makes the token mixer of each block, (B, H, W, C) -> (B, H, W, C), for its width: mixer(C).
    image_size : int or (int, int)
        Height and width in pixels of the pictures that it is made for; others are accepted.
    kernel, stride, padding : int
        Of the convolution in front of the first stage. In front of the others they are 3, 2 and 1.
    dims, depths : sequence of int
        Width and blocks of each stage.
    mlp_ratio : float
        Width between the two layers of the MLPs, in multiples of C.
    layer_scale : float
        Where the factors behind the branches begin.
    final : callable
        Makes what turns the last map into the vector that the head reads: MeanOfNormed or NormOfMean.
    activation : callable
        Of the MLPs.
    dropout, drop_path : float
        As for ViT, in the MLPs.
    """

    def __init__(self, *, mixer, image_size=224, kernel=7, stride=4, padding=2, channels=3, num_classes=1000, dims,
                 depths, mlp_ratio=4, layer_scale=1e-5, final=MeanOfNormed, activation=gelu, dropout=0.0,
                 drop_path=0.0):
        if len(dims) != len(depths):
            raise ValueError(f"dims, depths: expected one number for each stage, got {dims} and {depths}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stages, embed = [], Conv2d(channels, dims[0], kernel, stride=stride, padding=padding)
        for C, following, rates in zip(dims, [*dims[1:], None], drop_path_rates(drop_path, depths), strict=True):
            self.stages.append(Stage(embed, [
                Block(C, mixer(C), mlp_dim=int(mlp_ratio * C), layer_scale=layer_scale, activation=activation,
                      dropout=dropout, drop_path=rate) for rate in rates]))
            embed = Conv2d(C, following, 3, stride=2, padding=1) if following else None
        self.final = final(dims[-1])
        self.head = Linear(dims[-1], num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = in_turn(self.stages, images)
        return self.head(self.final(x))

    def features(self, images):
        """What each stage makes, without a norm behind it.

        (B, height, width, C) -> [(B, height / 4, width / 4, dims[0]), ...], each grid half of the one before
        """
        return list(in_turn(self.stages, images))


class PoolFormer(MetaFormer):
    """A MetaFormer that mixes tokens by the mean of `pool_size` x `pool_size`. The settings are those of MetaFormer.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0
    """

    def __init__(self, *, pool_size=3, **settings):
        super().__init__(mixer=lambda dim: Pooling(pool_size), **settings)


# table 1; deeper models begin with smaller factors in the authors' code; "cifar" is our own size
SMALL, MEDIUM = (64, 128, 320, 512), (96, 192, 384, 768)
VARIANTS = {name: partial(PoolFormer, dims=dims, depths=depths, layer_scale=scale) for name, dims, depths, scale in [
    ("S12", SMALL, (2, 2, 6, 2), 1e-5), ("S24", SMALL, (4, 4, 12, 4), 1e-5), ("S36", SMALL, (6, 6, 18, 6), 1e-6),
    ("M36", MEDIUM, (6, 6, 18, 6), 1e-6), ("M48", MEDIUM, (8, 8, 24, 8), 1e-6)]}
VARIANTS["cifar"] = partial(PoolFormer, image_size=32, kernel=3, stride=2, padding=1, num_classes=10,
                            dims=(48, 96, 192), depths=(2, 2, 2))
