"""Pyramid Vision Transformer: a versatile backbone without convolutions.  Wang et al., ICCV 2021, arXiv:2102.12122.

A plain Transformer sees one coarse grid of patches. Here four stages of Transformer blocks follow one another, and
before each of them patches of the last grid are joined, so that the model makes maps from fine to coarse, as a CNN
does. On the fine maps tokens attend to tiles of R x R tokens instead of to all tokens, which costs R^2 times less.

    B batch    H x W grid    C width    h heads    d = C / h    P patch size    R reduction    N = H W    M = N / R^2
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 128) -> (B, 14, 14, 320) -> (B, 7, 7, 512), to which a class
                     token comes: (B, 1 + 49, 512) -> class token (B, 512) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 128) -> (B, 2, 2, 160) -> (B, 160) -> (B, 10)
    attention with R = 8: queries (B, h, 3136, d), keys and values of the tiles (B, h, 49, d)

Rows and columns that fill no patch or no tile are left out, as in the authors' code.

Departures from the paper: none. The authors' LayerNorms add 1e-5 behind a map of patches or tiles and 1e-6 elsewhere,
as here; transformers adds 1e-6 everywhere.
"""

import math
from functools import partial

from ..nn import (ConvNorm, CrossAttention, Dropout, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter,
                  drop_path_rates, in_turn, interpolate_positions, repeat_batch, to_grid, truncated_normal)
from ..ops import concatenate


def SpatialReduction(dim, ratio, *, eps=1e-5):
    """Tiles of R x R tokens become one token each by a linear map and a norm (section 3.3); R = 1 does nothing.

    (B, H, W, C) -> (B, H/R, W/R, C), rounded down
    """
    return patches(dim, dim, ratio, eps=eps) if ratio > 1 else Identity()


def patches(inputs, dim, size, *, eps=1e-5):
    """A linear map of patches of P x P, and a norm: a convolution whose kernel and stride are P (section 3.2).

    (B, H, W, C_in) -> (B, H/P, W/P, C), rounded down
    """
    return ConvNorm(inputs, dim, size, stride=size, padding=0, bias=True, norm=partial(LayerNorm, eps=eps))


class SpatialReductionAttention(CrossAttention):
    """Every token looks at a coarser map: its keys and values are those of the tiles (section 3.3).

    (B, H, W, C) -> (B, H, W, C); without a reduction also (B, N, C) -> (B, N, C)

    Parameters
    ----------
    dim, heads : int
        C and h.
    reduction : Module
        What makes the coarser map: (B, H, W, C) -> (B, H', W', C).
    dropout : float
        Rate of dropout behind the last linear map.
    """

    def __init__(self, dim, heads, reduction, *, dropout=0.0):
        super().__init__(dim, heads, dropout=dropout)
        self.reduction = reduction

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return super().forward(as_tokens(x), as_tokens(self.reduction(x))).reshape(x.shape)    # (B, H, W, C)

    def weights(self, x):
        """What each token looks at, for pictures.    (B, H, W, C) -> (B, h, N, M) with M = N / R^2"""
        return super().weights(as_tokens(x), as_tokens(self.reduction(x)))


def as_tokens(x):
    """The places of a map in a row.    (B, H, W, C) or (B, N, C) -> (B, N, C)"""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])


class Block(Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)), with modules for both.    (B, ..., C) -> (B, ..., C)"""

    def __init__(self, dim, attention, mlp, *, eps=1e-6, drop_path=0.0):
        self.norm1, self.attention = LayerNorm(dim, eps=eps), attention
        self.norm2, self.mlp = LayerNorm(dim, eps=eps), mlp
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, ..., C) -> (B, ..., C)"""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Stage(Module):
    """Patches, each told where it is, and Transformer blocks (fig. 3).    (B, H, W, C_in) -> (B, H/P, W/P, C)"""

    prefix = 0  # tokens in front of the patches

    def __init__(self, embed, grid, dim, blocks, *, dropout=0.0):
        self.embed, self.grid = embed, grid
        self.positions = Parameter((1, self.prefix + grid[0] * grid[1], dim), truncated_normal(0.02))
        self.dropout, self.blocks = Dropout(dropout), blocks

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/P, W/P, C)"""
        x = self.embed(x)                                                           # (B, H/P, W/P, C)
        x = self.dropout(x + to_grid(self.positions_for(x), x.shape[1:3]))
        for block in self.blocks:
            x = block(x)
        return x

    def positions_for(self, x):
        """The positions on the grid of x (B, H, W, C), stretched from that of `image_size`.    -> (1, prefix + N, C)"""
        return interpolate_positions(self.positions, self.grid, x.shape[1:3], prefix=self.prefix, mode="bilinear",
                                     antialias=False)


class LastStage(Stage):
    """A stage with a class token.    (B, H, W, C_in) -> (B, H/P, W/P, C), class token (B, C)"""

    prefix = 1

    def __init__(self, embed, grid, dim, blocks, *, dropout=0.0):
        super().__init__(embed, grid, dim, blocks, dropout=dropout)
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/P, W/P, C), (B, C)"""
        x = self.embed(x)                                                           # (B, H/P, W/P, C)
        grid, positions = x.shape[1:3], self.positions_for(x)
        x = concatenate([repeat_batch(self.class_token, len(x)), as_tokens(x)], axis=1)       # (B, 1 + N, C)
        x = self.dropout(x + positions)
        for block in self.blocks:
            x = block(x)
        return to_grid(x, grid, prefix=1), x[:, 0]


class PVT(Module):
    """Stages from fine to coarse (fig. 3), and a linear head that reads the class token of the last.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of another size than
    `image_size` are accepted: the position embeddings are interpolated.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the position embeddings are learned for.
    patch_size : int
        P of the first stage; the others halve the grid.
    dims, depths, heads : sequence of int
        Width, blocks and heads of each stage.
    mlp_ratios, reductions : sequence of int
        Width between the layers of the MLP, in multiples of the tokens', and R of each stage; 1 in the last one, whose
        class token belongs to no tile.
    eps, conv_eps : float
        What LayerNorm adds to the variance: in the blocks, and behind a map of patches or tiles.
    dropout, drop_path : float
        As for ViT.
    """

    def __init__(self, *, image_size=224, patch_size=4, channels=3, num_classes=1000, dims, depths, heads,
                 mlp_ratios=(8, 8, 4, 4), reductions=(8, 4, 2, 1), eps=1e-6, conv_eps=1e-5, dropout=0.0, drop_path=0.0):
        sizes = by_stage(dims=dims, depths=depths, heads=heads, mlp_ratios=mlp_ratios, reductions=reductions)
        if reductions[-1] != 1:
            raise ValueError(f"reductions: expected 1 in the last stage, which has a class token, got {reductions}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stages, grid, inputs = [], self.image_size, channels
        for (C, _, h, ratio, R), rates in zip(sizes, drop_path_rates(drop_path, depths), strict=True):
            P, kind = 2 if self.stages else patch_size, Stage if len(self.stages) < len(sizes) - 1 else LastStage
            grid = tuple(n // P for n in grid)
            blocks = [Block(C, SpatialReductionAttention(C, h, SpatialReduction(C, R, eps=conv_eps), dropout=dropout),
                            Mlp(C, int(ratio * C), dropout=dropout), eps=eps, drop_path=rate) for rate in rates]
            self.stages.append(kind(patches(inputs, C, P, eps=conv_eps), grid, C, blocks, dropout=dropout))
            inputs = C
        self.norm = LayerNorm(inputs, eps=eps)
        self.head = Linear(inputs, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes, of the last one without its class token and before the norm behind it.

        (B, height, width, C) -> [(B, height / P, width / P, dims[0]), ...], each grid half of the one before
        """
        *maps, (last, _) = in_turn(self.stages, images)
        return [*maps, last]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, (_, class_token) = in_turn(self.stages, images)
        return self.head(self.norm(class_token))


def by_stage(**settings):
    """Settings with one value for each stage, stage by stage: dims=(64, 128), heads=(1, 2) -> [(64, 1), (128, 2)].

    Raises
    ------
    ValueError
        If they are not for the same number of stages.
    """
    if len({len(values) for values in settings.values()}) > 1:
        raise ValueError("expected one value for each stage, got " + ", ".join(
            f"{name} {tuple(values)}" for name, values in settings.items()))
    return list(zip(*settings.values(), strict=True))


# table 1; "cifar" is our own size
WIDTHS = dict(dims=(64, 128, 320, 512), heads=(1, 2, 5, 8))
VARIANTS = {
    "tiny": partial(PVT, depths=(2, 2, 2, 2), **WIDTHS),
    "small": partial(PVT, depths=(3, 4, 6, 3), **WIDTHS),
    "medium": partial(PVT, depths=(3, 4, 18, 3), **WIDTHS),
    "large": partial(PVT, depths=(3, 8, 27, 3), **WIDTHS),
    "cifar": partial(PVT, image_size=32, patch_size=2, num_classes=10, dims=(32, 64, 128, 160), depths=(2, 2, 2, 2),
                     heads=(1, 2, 4, 5), reductions=(4, 2, 1, 1)),
}
