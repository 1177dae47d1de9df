"""PiT: rethinking spatial dimensions of vision transformers.  Heo et al., ICCV 2021, arXiv:2103.16302.

A convolutional network has fewer places and more channels the deeper it gets; a Vision Transformer has as many of both
from its first block to its last. Here three plain Transformers follow one another, and between them a pooling layer, a
depthwise convolution with stride, halves the grid and doubles the width. The class token, which has no place on the
grid, goes through a linear map of its own.

    B batch    H x W grid    D width    h heads    P patch size
    (B, 224, 224, 3) -> overlapping patches (B, 27, 27, 144) -> with class token (B, 1 + 729, 144)
                     -> (B, 1 + 196, 288) -> (B, 1 + 49, 576) -> class token (B, 576) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 48) -> (B, 8, 8, 96) -> (B, 4, 4, 192) -> (B, 192) -> logits (B, 10)

Departures from the paper: none for its own sizes. There patches of P x P pixels overlap by half and rows and columns at
the border that fill none are left out; "cifar" has patches side by side, because 15 places are not halved evenly.
"""

from functools import partial

from ..nn import (Conv2d, Dropout, Identity, LayerNorm, Linear, Module, Parameter, drop_path_rates,
                  interpolate_positions, repeat_batch, to_grid, truncated_normal)
from ..ops import concatenate, gelu
from .pvt import as_tokens, by_stage
from .vit import Block


class Pooling(Module):
    """A depthwise convolution makes each channel to several, on half the grid; a linear map is for the tokens (fig. 3).

    (B, H, W, D), (B, T, D) -> (B, H/2, W/2, D'), (B, T, D'), halves rounded up
    """

    def __init__(self, inputs, outputs):
        if outputs % inputs:
            raise ValueError(f"dims: {outputs} channels are no multiple of the {inputs} that they are pooled from")
        self.conv = Conv2d(inputs, outputs, 3, stride=2, padding=1, groups=inputs)
        self.linear = Linear(inputs, outputs)

    def forward(self, x, tokens):
        """(B, H, W, D), (B, T, D) -> (B, H/2, W/2, D'), (B, T, D')"""
        return self.conv(x), self.linear(tokens)


class Stage(Module):
    """A Transformer on one grid.    (B, H, W, D), tokens (B, T, D) -> the same"""

    def __init__(self, blocks):
        self.blocks = blocks

    def forward(self, x, tokens):
        """(B, H, W, D), (B, T, D) -> the same"""
        grid, prefix = x.shape[1:3], tokens.shape[1]
        x = concatenate([tokens, as_tokens(x)], axis=1)                             # (B, T + N, D)
        for block in self.blocks:
            x = block(x)
        return to_grid(x, grid, prefix=prefix), x[:, :prefix]


class PooledStage(Stage):
    """A Transformer behind a pooling.    (B, H, W, D), (B, T, D) -> (B, H/2, W/2, D'), (B, T, D')"""

    def __init__(self, pool, blocks):
        super().__init__(blocks)
        self.pool = pool

    def forward(self, x, tokens):
        """(B, H, W, D), (B, T, D) -> (B, H/2, W/2, D'), (B, T, D')"""
        return super().forward(*self.pool(x, tokens))


class PiT(Module):
    """Transformers on coarser and coarser grids (fig. 2c), and a linear head that reads the class token.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of another size than
    `image_size` are accepted: the position embeddings are interpolated.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the position embeddings are learned for.
    patch_size, stride : int
        P, and how far apart patches are.
    dims, depths, heads : sequence of int
        D, blocks and h of each stage.
    mlp_ratio : int
        Width between the layers of the MLPs, in multiples of D.
    eps : float
        What LayerNorm adds to the variance.
    activation : callable
        Of the MLPs.
    dropout, drop_path : float
        As for ViT.
    """

    prefix = 1  # tokens beside the grid

    def __init__(self, *, image_size=224, patch_size=16, stride=8, channels=3, num_classes=1000, dims, depths, heads,
                 mlp_ratio=4, eps=1e-6, activation=gelu, dropout=0.0, drop_path=0.0):
        sizes = by_stage(dims=dims, heads=heads, depths=depths)
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        if min(self.image_size) < patch_size:
            raise ValueError(f"image_size: {self.image_size} pixels hold no patch of {patch_size} x {patch_size}")
        self.embed = Conv2d(channels, dims[0], patch_size, stride=stride)
        self.grid = tuple((pixels - patch_size) // stride + 1 for pixels in self.image_size)
        self.positions = Parameter((1, *self.grid, dims[0]), truncated_normal(0.02))
        self.class_token = Parameter((1, self.prefix, dims[0]), truncated_normal(0.02))
        self.dropout, self.stages = Dropout(dropout), []
        for stage, ((D, h, _), rates) in enumerate(zip(sizes, drop_path_rates(drop_path, depths), strict=True)):
            blocks = [Block(D, h, mlp_dim=int(mlp_ratio * D), eps=eps, activation=activation, dropout=dropout,
                            drop_path=rate) for rate in rates]
            self.stages.append(PooledStage(Pooling(dims[stage - 1], D), blocks) if stage else Stage(blocks))
        self.norm, self.head = LayerNorm(dims[-1], eps=eps), linear_head(dims[-1], num_classes)

    def encode(self, images):
        """All stages.    (B, height, width, C) -> [(B, H, W, D), ...], tokens of the last (B, T, D)"""
        x = self.embed(images)                                                      # (B, H, W, D)
        x, tokens, maps = self.dropout(x + self.positions_for(x)), repeat_batch(self.class_token, len(x)), []
        for stage in self.stages:
            x, tokens = stage(x, tokens)
            maps.append(x)
        return maps, tokens

    def positions_for(self, x):
        """The positions on the grid of x (B, H, W, D), stretched from that of `image_size`.    -> (1, H, W, D)"""
        if x.shape[1:3] == self.grid:
            return self.positions
        return to_grid(interpolate_positions(as_tokens(self.positions), self.grid, x.shape[1:3]), x.shape[1:3])

    def features(self, images):
        """What each stage makes, without the class token.    (B, height, width, C) -> [(B, H, W, D), ...]"""
        return self.encode(images)[0]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.norm(self.encode(images)[1])[:, 0])


class DistilledPiT(PiT):
    """With a distillation token and a head for it, as DeiT has them (section 4.1).

    (B, height, width, C) -> (B, num_classes) in `eval()`, a pair of them (class head, distillation head) in training.
    """

    prefix = 2

    def __init__(self, *, dims, num_classes=1000, **settings):
        super().__init__(dims=dims, num_classes=num_classes, **settings)
        self.distillation_head = linear_head(dims[-1], num_classes)

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes), or two of them in training"""
        tokens = self.norm(self.encode(images)[1])                                  # (B, 2, D)
        logits, distilled = self.head(tokens[:, 0]), self.distillation_head(tokens[:, 1])
        return (logits, distilled) if self.training else (logits + distilled) / 2


def linear_head(dim, num_classes):
    """A linear map to the classes, or nothing without them.    (B, dim) -> (B, num_classes)"""
    return Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()


# table 1; "cifar" is our own size
VARIANTS = {
    "tiny": partial(PiT, dims=(64, 128, 256), depths=(2, 6, 4), heads=(2, 4, 8)),
    "xs": partial(PiT, dims=(96, 192, 384), depths=(2, 6, 4), heads=(2, 4, 8)),
    "small": partial(PiT, dims=(144, 288, 576), depths=(2, 6, 4), heads=(3, 6, 12)),
    "base": partial(PiT, patch_size=14, stride=7, dims=(256, 512, 1024), depths=(3, 6, 4), heads=(4, 8, 16)),
    "cifar": partial(PiT, image_size=32, patch_size=2, stride=2, num_classes=10, dims=(48, 96, 192), depths=(1, 2, 2),
                     heads=(2, 4, 8)),
}
