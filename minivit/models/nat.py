"""Neighborhood Attention Transformer (NAT).  Hassani et al., CVPR 2023, arXiv:2204.07143.

Every token attends to the K x K tokens nearest to it: the cost grows with the number of pixels, as with Swin's windows,
but each token has a window of its own, which needs no shifts and moves over the picture as a convolution does. The
stages from fine to coarse are made by convolutions that overlap, not by patches.

    B batch    H x W grid    C width    h heads    d = C / h    K kernel    D dilation    P patch size
    (B, 224, 224, 3) -> (B, 56, 56, C) -> four stages (B, 56, 56, C), (B, 28, 28, 2C), (B, 14, 14, 4C), (B, 7, 7, 8C)
                     -> mean over the grid (B, 8C) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> three stages (B, 16, 16, 48), (B, 8, 8, 96), (B, 4, 4, 192) -> logits (B, 10)
    attention: (B, H, W, C) -> queries, keys, values 3 (B, h, H, W, d) -> (B, h, H, W, d) -> (B, H, W, C)

A grid that is smaller than the windows gets zeros below and on the right, as in the authors' code; they have keys and
values, and are looked at.

Departures from the paper: none.
"""

import math
from functools import partial

from ..backend import array_module
from ..engine import no_grad
from ..nn import (Attention, Conv2d, ConvNorm, Dropout, DropPath, Identity, LayerNorm, LayerScale, Linear, Mlp, Module,
                  Parameter, Sequential, drop_path_rates, in_turn, truncated_normal)
from ..ops import expand, neighbourhood_attention, pad
from .swin import Stage


class NeighbourhoodAttention(Attention):
    """Each token attends to the K x K nearest, with a learned bias for each way to a neighbour (section 3.1).

    (B, H, W, C) -> (B, H, W, C). With a dilation D the neighbours are D apart (arXiv:2209.15001).
    """

    def __init__(self, dim, heads, *, kernel, dilation=1, dropout=0.0):
        super().__init__(dim, heads, dropout=dropout)
        if kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd number, so that a window has a centre, got {kernel}")
        self.kernel, self.dilation = kernel, dilation
        self.relative_position_bias = Parameter((heads, 2 * kernel - 1, 2 * kernel - 1), truncated_normal(0.02))

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        H, W = x.shape[1:3]
        x = neighbourhood_attention(*self.heads_of(self.padded(x)), self.relative_position_bias, dilation=self.dilation)
        x = x[:, :, :H, :W].transpose(0, 2, 3, 1, 4)                                         # (B, H, W, h, d)
        return self.dropout(self.proj(x.reshape(len(x), H, W, self.qkv.weight.shape[0])))    # (B, H, W, C)

    def padded(self, x):
        """The grid, made as large as a window where it is smaller.    (B, H, W, C) -> (B, H', W', C)"""
        rows, columns = (max(self.kernel * self.dilation - n, 0) for n in x.shape[1:3])
        return pad(x, ((0, 0), (0, rows), (0, columns), (0, 0))) if rows or columns else x

    def heads_of(self, x):
        """Queries, keys and values.    (B, H, W, C) -> 3 (B, h, H, W, d)"""
        (B, H, W, C), h = x.shape, self.heads
        return self.qkv(x).reshape(B, H, W, 3, h, C // h).transpose(3, 0, 4, 1, 2, 5)    # 3 (B, h, H, W, d)

    def weights(self, x):
        """What each token looks at, for pictures: the attention probabilities.    (B, H, W, C) -> (B, h, N, N)

        With N = H W. They are the result for values that are 1 at a token's own place and 0 at all others.
        """
        H, W = x.shape[1:3]
        with no_grad():
            q, k, _ = self.heads_of(self.padded(x))
            B, h, rows, columns, _ = q.shape
            own = array_module(q.data).eye(rows * columns, dtype=q.dtype).reshape(rows, columns, rows * columns)
            own = expand(own, (B, h, *own.shape))                                            # (B, h, H', W', H' W')
            x = neighbourhood_attention(q, k, own, self.relative_position_bias, dilation=self.dilation)
            x = x.reshape(B, h, rows, columns, rows, columns)[:, :, :H, :W, :H, :W]          # (B, h, H, W, H, W)
            return x.reshape(B, h, H * W, H * W)                                             # (B, h, N, N)

    def describe(self):
        """The window and the number of heads."""
        apart = f", {self.dilation} apart" if self.dilation > 1 else ""
        return f"{self.kernel} x {self.kernel}{apart}, {self.heads} heads"


class Block(Module):
    """x + NA(LN(x)), then x + MLP(LN(x)), branches scaled in the larger models.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, attention, *, mlp_dim, layer_scale=None, dropout=0.0, drop_path=0.0):
        self.norm1, self.attention = LayerNorm(dim, eps=1e-5), attention
        self.norm2, self.mlp = LayerNorm(dim, eps=1e-5), Mlp(dim, mlp_dim, dropout=dropout)
        self.scale1, self.scale2 = (LayerScale(dim, layer_scale) if layer_scale else Identity() for _ in range(2))
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.scale1(self.attention(self.norm1(x))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))


def Tokenizer(channels, dim, patch_size):
    """Two 3 x 3 convolutions, nothing between them, and a norm (section 3.4).

    (B, height, width, C_in) -> (B, H, W, C). The first has stride 2, and so has the second for the paper's P = 4; P = 2
    is for small pictures.
    """
    if patch_size not in (2, 4):
        raise ValueError(f"patch_size: expected 2 or 4, one stride of 2 or two, got {patch_size}")
    norm = partial(LayerNorm, eps=1e-5)
    return Sequential(Conv2d(channels, dim // 2, 3, stride=2, padding=1),
                      ConvNorm(dim // 2, dim, 3, stride=patch_size // 2, bias=True, norm=norm))


def Downsampler(dim):
    """A 3 x 3 convolution with stride 2, and a norm (section 3.4).    (B, H, W, C) -> (B, H/2, W/2, 2C), rounded up"""
    return ConvNorm(dim, 2 * dim, 3, stride=2, norm=partial(LayerNorm, eps=1e-5))


class NAT(Module):
    """Stages, each with half the grid and twice the width of the one before (section 3.4), and a linear head.

    (B, height, width, C) -> (B, num_classes), or (B, features) with num_classes=0. Pictures of any size are accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    patch_size : int
        P, 4 or 2.
    dim : int
        Width C of the first stage.
    depths, heads : sequence of int
        Blocks and heads of each stage.
    kernel : int
        K, an odd number.
    mlp_ratio : float
        Width between the two layers of an MLP, in multiples of the tokens'.
    layer_scale : float, optional
        Where the factors of residual branches begin; without it there are none.
    dropout, drop_path : float
        As for ViT.
    """

    def __init__(self, *, image_size=224, patch_size=4, channels=3, num_classes=1000, dim, depths, heads, kernel=7,
                 mlp_ratio=3, layer_scale=None, dropout=0.0, drop_path=0.0):
        if len(depths) != len(heads):
            raise ValueError(f"depths, heads: expected one number for each stage, got {depths} and {heads}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.patch_embed, self.dropout, self.stages = Tokenizer(channels, dim, patch_size), Dropout(dropout), []
        grid, rates = math.ceil(min(self.image_size) / patch_size), drop_path_rates(drop_path, depths)
        for stage, (stage_heads, stage_rates) in enumerate(zip(heads, rates, strict=True)):
            downsample = Downsampler(dim) if stage else Identity()
            dim, grid = (2 * dim, math.ceil(grid / 2)) if stage else (dim, grid)
            self.stages.append(Stage(downsample, [
                Block(dim, NeighbourhoodAttention(dim, stage_heads, kernel=kernel, dilation=dilation, dropout=dropout),
                      mlp_dim=int(mlp_ratio * dim), layer_scale=layer_scale, dropout=dropout, drop_path=rate)
                for rate, dilation in zip(stage_rates, self.make_dilations(stage, len(stage_rates), grid, kernel),
                                          strict=True)]))
        self.norm = LayerNorm(dim, eps=1e-5)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def make_dilations(self, stage, depth, grid, kernel):
        """How far apart the neighbours are in each block of a stage, whose grid has so many rows and columns."""
        return [1] * depth

    def features(self, images):
        """What each stage makes, of the last one before the norm behind it.

        (B, height, width, C) -> [(B, H, W, C), (B, H/2, W/2, 2C), ...] with H = height / P, all rounded up
        """
        return list(in_turn(self.stages, self.dropout(self.patch_embed(images))))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.norm(self.features(images)[-1]).mean(axis=(1, 2)))


# as in the authors' repository; "cifar" is our own size
SIZES = {
    "mini": dict(dim=64, depths=(3, 4, 6, 5), heads=(2, 4, 8, 16)),
    "tiny": dict(dim=64, depths=(3, 4, 18, 5), heads=(2, 4, 8, 16)),
    "small": dict(dim=96, depths=(3, 4, 18, 5), heads=(3, 6, 12, 24), mlp_ratio=2),
    "base": dict(dim=128, depths=(3, 4, 18, 5), heads=(4, 8, 16, 32), mlp_ratio=2),
}
CIFAR = dict(image_size=32, patch_size=2, num_classes=10, dim=48, depths=(2, 2, 2), heads=(2, 4, 8), kernel=3,
             mlp_ratio=2)
VARIANTS = {name: partial(NAT, **sizes) for name, sizes in SIZES.items()}
VARIANTS |= {name: partial(VARIANTS[name], layer_scale=1e-5) for name in ("small", "base")}
VARIANTS["cifar"] = partial(NAT, **CIFAR)
