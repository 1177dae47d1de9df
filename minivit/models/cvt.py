"""CvT: introducing convolutions to vision transformers.  Wu et al., ICCV 2021, arXiv:2103.15808.

Two maps of a Transformer that look at one token at a time look at its neighbours too. Tokens are made by overlapping
convolutions, stage after stage on a coarser grid, and queries, keys and values by depthwise convolutions before their
linear maps, keys and values with a stride, which makes attention four times cheaper. Since the convolutions know where
a token is, no position embedding is needed.

    B batch    H x W grid    C width    h heads    d = C / h    N = H W    M = N / 4
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 192) -> (B, 14, 14, 384), to which a class token comes:
                     (B, 1 + 196, 384) -> class token (B, 384) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 128) -> (B, 128) -> logits (B, 10)
    attention in the last stage: queries (B, h, 1 + N, d), keys and values (B, h, 1 + M, d)

Departures from the paper: scores are divided by the root of C, the whole width, instead of d, as in the authors' code.
That code takes x sigmoid(1.702 x) for GELU, transformers the exact GELU, as here by default: `activation`.
"""

from functools import partial

from ..engine import no_grad
from ..nn import (ConvNorm, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter, by_head, drop_path_rates,
                  in_turn, joined_heads, repeat_batch, to_grid, truncated_normal)
from ..ops import attention, attention_weights, concatenate, gelu
from .pvt import as_tokens, by_stage


class ConvProjection(Module):
    """A depthwise 3 x 3 convolution with BatchNorm, then a linear map: a separable convolution (section 3.2).

    (B, H, W, C) -> (B, N, C) with N = H W / stride^2, sides rounded up. A class token (B, 1, C) goes through the linear
    map alone, and stands first.
    """

    def __init__(self, dim, *, stride):
        self.depthwise, self.linear = ConvNorm(dim, dim, 3, stride=stride, groups=dim), Linear(dim, dim)

    def forward(self, x, class_token=None):
        """(B, H, W, C), perhaps (B, 1, C) -> (B, N, C), or (B, 1 + N, C)"""
        x = as_tokens(self.depthwise(x))                                            # (B, N, C)
        return self.linear(x if class_token is None else concatenate([class_token, x], axis=1))


class ConvAttention(Module):
    """Attention whose queries, keys and values are made by convolutions (fig. 3c).

    (B, H, W, C) -> (B, H W, C), or with a class token (B, 1, C) -> (B, 1 + H W, C)
    """

    def __init__(self, dim, heads):
        if dim % heads:
            raise ValueError(f"ConvAttention: width {dim} is not divisible by {heads} heads")
        self.heads, self.scale = heads, dim ** -0.5
        self.query = ConvProjection(dim, stride=1)
        self.key, self.value = ConvProjection(dim, stride=2), ConvProjection(dim, stride=2)
        self.proj = Linear(dim, dim)

    def forward(self, x, class_token=None):
        """(B, H, W, C), perhaps (B, 1, C) -> (B, H W, C), or (B, 1 + H W, C)"""
        q, k, v = (by_head(made(x, class_token), self.heads) for made in (self.query, self.key, self.value))
        return self.proj(joined_heads(attention(q, k, v, scale=self.scale)))

    def weights(self, x, class_token=None):
        """What each token looks at, for pictures: the attention probabilities.    -> (B, h, N, M), or with 1 + both"""
        with no_grad():
            q, k = (by_head(made(x, class_token), self.heads) for made in (self.query, self.key))
            return attention_weights(q, k, scale=self.scale)

    def describe(self):
        """The number of heads."""
        return f"{self.heads} heads"


class Block(Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)), on tokens that lie on a grid, perhaps behind a class token.

    (B, N, C) or (B, 1 + N, C), and the grid -> the same shape
    """

    def __init__(self, dim, heads, *, mlp_dim, eps=1e-5, activation=gelu, drop_path=0.0):
        self.norm1, self.attention = LayerNorm(dim, eps=eps), ConvAttention(dim, heads)
        self.norm2, self.mlp = LayerNorm(dim, eps=eps), Mlp(dim, mlp_dim, activation=activation)
        self.drop_path = DropPath(drop_path)

    def forward(self, x, grid):
        """(B, N, C) or (B, 1 + N, C) -> the same"""
        y, prefix = self.norm1(x), x.shape[1] - grid[0] * grid[1]
        token = y[:, :1] if prefix else None
        x = x + self.drop_path(self.attention(to_grid(y, grid, prefix=prefix), token))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Stage(Module):
    """Tokens made by an overlapping convolution (section 3.1), and blocks.    (B, H, W, C_in) -> (B, H', W', C)"""

    def __init__(self, embed, blocks):
        self.embed, self.blocks = embed, blocks

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H', W', C)"""
        x = self.embed(x)                                                           # (B, H', W', C)
        grid = x.shape[1:3]
        return to_grid(self.encode(as_tokens(x), grid), grid)

    def encode(self, x, grid):
        """The blocks.    (B, N, C) -> (B, N, C)"""
        for block in self.blocks:
            x = block(x, grid)
        return x


class LastStage(Stage):
    """A stage with a class token.    (B, H, W, C_in) -> (B, H', W', C), class token (B, C)"""

    def __init__(self, embed, blocks, dim):
        super().__init__(embed, blocks)
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H', W', C), (B, C)"""
        x = self.embed(x)                                                           # (B, H', W', C)
        grid, token = x.shape[1:3], repeat_batch(self.class_token, len(x))
        x = self.encode(concatenate([token, as_tokens(x)], axis=1), grid)           # (B, 1 + N, C)
        return to_grid(x, grid, prefix=1), x[:, 0]


class CvT(Module):
    """Stages from fine to coarse (fig. 2), and a linear head that reads the class token of the last.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted.

    Parameters
    ----------
    dims, depths, heads : sequence of int
        C, blocks and h of each stage.
    embeds : sequence of (int, int, int)
        Kernel, stride and padding of the convolution that makes the tokens of each stage.
    eps : float
        What LayerNorm adds to the variance.
    activation : callable
        Of the MLPs, which are four times as wide in the middle.
    drop_path : float
        As for ViT.
    """

    image_size = (224, 224)

    def __init__(self, *, channels=3, num_classes=1000, dims, depths, heads, embeds=((7, 4, 2), (3, 2, 1), (3, 2, 1)),
                 eps=1e-5, activation=gelu, drop_path=0.0):
        sizes = by_stage(dims=dims, heads=heads, embeds=embeds, depths=depths)
        self.stages, inputs = [], channels
        for (C, h, (kernel, stride, padding), _), rates in zip(sizes, drop_path_rates(drop_path, depths), strict=True):
            embed = ConvNorm(inputs, C, kernel, stride=stride, padding=padding, bias=True,
                             norm=partial(LayerNorm, eps=eps))
            blocks = [Block(C, h, mlp_dim=4 * C, eps=eps, activation=activation, drop_path=rate) for rate in rates]
            is_last, inputs = len(self.stages) == len(sizes) - 1, C
            self.stages.append(LastStage(embed, blocks, C) if is_last else Stage(embed, blocks))
        self.norm = LayerNorm(inputs, eps=eps)
        self.head = Linear(inputs, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes, of the last one without its class token and before the norm behind it.

        (B, height, width, C) -> [(B, H, W, dims[0]), (B, H/2, W/2, dims[1]), ...]
        """
        *maps, (last, _) = in_turn(self.stages, images)
        return [*maps, last]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, (_, class_token) = in_turn(self.stages, images)
        return self.head(self.norm(class_token))


class CvTCIFAR(CvT):
    """For 32 x 32 pictures, with a first convolution of 3 x 3 pixels and stride 2.    (B, H, W, 3) -> (B, classes)"""

    image_size = (32, 32)

    def __init__(self, *, num_classes=10, embeds=((3, 2, 1),) * 3, **settings):
        super().__init__(num_classes=num_classes, embeds=embeds, **settings)


# table 2; "cifar" is our own size
VARIANTS = {
    "13": partial(CvT, dims=(64, 192, 384), depths=(1, 2, 10), heads=(1, 3, 6)),
    "21": partial(CvT, dims=(64, 192, 384), depths=(1, 4, 16), heads=(1, 3, 6)),
    "w24": partial(CvT, dims=(192, 768, 1024), depths=(2, 2, 20), heads=(3, 12, 16)),
    "cifar": partial(CvTCIFAR, dims=(32, 64, 128), depths=(1, 2, 3), heads=(1, 2, 4)),
}
