"""CoaT-Lite: co-scale conv-attentional image transformers.  Xu et al., ICCV 2021, arXiv:2104.06399.

Attention is factorised: first the keys, normalised over all tokens, gather a small matrix of values, then each query
reads that matrix, and no score of one token for another is ever computed. What is lost is where a value came from; a
depthwise convolution of the values, which the query multiplies, brings it back for the neighbours, with windows of
3, 5 and 7 pixels in different heads. Four stages of such blocks follow one another, each with a class token of its own.

    B batch    H x W grid    C width    h heads    d = C / h    N = H W    P patch size    M window
    (B, 224, 224, 3) -> (B, 56, 56, 64) -> (B, 28, 28, 128) -> (B, 14, 14, 320) -> (B, 7, 7, 512), each with a class
                     token while it lasts: (B, 1 + N, C) -> class token of the last (B, 512) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 96) -> (B, 2, 2, 128) -> (B, 128) -> (B, 10)
    attention: keys and values (B, h, 1 + N, d) -> gathered (B, h, d, d) -> (B, h, 1 + N, d)

These are the models whose stages come one after the other; the paper's CoaT has blocks too in which they exchange maps.
Rows and columns that fill no patch are left out, as in the authors' code.

Departures from the paper: none. LayerNorm adds 1e-5 behind a map of patches and 1e-6 elsewhere, as in that code.
"""

from functools import partial

from ..engine import no_grad
from ..nn import (Conv2d, ConvPositions, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter, by_head,
                  joined_heads, repeat_batch, to_grid, truncated_normal)
from ..ops import concatenate, softmax, split
from .pvt import as_tokens, by_stage, patches


class OffsetConvolutions(Module):
    """What lies around each place, weighed by its offset: depthwise, with another window in some of the heads ("CRPE").

    (B, H, W, C) -> (B, H, W, C); `windows` are pairs of M and the number of heads that it is for.
    """

    def __init__(self, dim, windows):
        heads = sum(count for _, count in windows)
        if dim % heads:
            raise ValueError(f"OffsetConvolutions: width {dim} is not divisible by {heads} heads")
        self.widths = [count * dim // heads for _, count in windows]
        self.convs = [Conv2d(width, width, window, padding=window // 2, groups=width)
                      for width, (window, _) in zip(self.widths, windows, strict=True)]

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        parts = split(x, self.widths, axis=-1)
        return concatenate([conv(part) for conv, part in zip(self.convs, parts, strict=True)], axis=-1)


class ConvAttention(Module):
    """q (softmax(k)^T v) / sqrt(d), and for patches q * (v around each) ("ConvAtt").    (B, 1 + N, C) -> the same

    The softmax of a key's channel runs over the tokens. The convolutions belong to the stage, whose blocks share them.
    """

    def __init__(self, dim, heads):
        self.heads, self.qkv, self.proj = heads, Linear(dim, 3 * dim), Linear(dim, dim)

    def forward(self, x, grid, around):
        """(B, 1 + N, C), (H, W), OffsetConvolutions -> (B, 1 + N, C)"""
        q, k, v = split(self.qkv(x), 3, axis=-1)                                    # 3 (B, 1 + N, C)
        far = self.read(q, k, v)
        near = q[:, 1:] * as_tokens(around(to_grid(v, grid, prefix=1)))             # (B, N, C)
        return self.proj(concatenate([far[:, :1], far[:, 1:] + near], axis=1))      # (B, 1 + N, C)

    def read(self, q, k, v):
        """What keys gather for all, and each query takes from it ("FactorAtt").    3 (B, 1 + N, C) -> (B, 1 + N, C)"""
        q, k, v = (by_head(x, self.heads) for x in (q, k, v))                       # 3 (B, h, 1 + N, d)
        gathered = softmax(k, axis=2).swapaxes(2, 3) @ v                            # (B, h, d, d)
        return joined_heads(q * q.shape[-1] ** -0.5 @ gathered)                     # (B, 1 + N, C)

    def weights(self, x):
        """From where each channel of the keys gathers, for pictures.    (B, 1 + N, C) -> (B, h, d, 1 + N)"""
        with no_grad():
            _, k, _ = split(self.qkv(x), 3, axis=-1)
            return softmax(by_head(k, self.heads), axis=2).swapaxes(2, 3)                  # (B, h, d, 1 + N)

    def describe(self):
        """The number of heads."""
        return f"{self.heads} heads"


class Block(Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)), behind the positions of the stage ("serial block").

    (B, 1 + N, C) -> (B, 1 + N, C)
    """

    def __init__(self, dim, heads, *, mlp_dim, drop_path=0.0):
        self.norm1, self.attention = LayerNorm(dim), ConvAttention(dim, heads)
        self.norm2, self.mlp = LayerNorm(dim), Mlp(dim, mlp_dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x, grid, around):
        """(B, 1 + N, C), (H, W), OffsetConvolutions -> (B, 1 + N, C)"""
        x = x + self.drop_path(self.attention(self.norm1(x), grid, around))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Stage(Module):
    """Patches and a class token, and before each block positions by a convolution that all blocks share ("CPE").

    (B, H, W, C_in) -> (B, H/P, W/P, C), class token (B, C)
    """

    def __init__(self, embed, dim, windows, blocks):
        self.embed, self.class_token = embed, Parameter((1, 1, dim), truncated_normal(0.02))
        self.positions, self.around, self.blocks = ConvPositions(dim), OffsetConvolutions(dim, windows), blocks

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/P, W/P, C), (B, C)"""
        x = self.embed(x)                                                           # (B, H/P, W/P, C)
        grid, token = x.shape[1:3], repeat_batch(self.class_token, len(x))
        for block in self.blocks:
            x = block(concatenate([token, as_tokens(self.positions(x))], axis=1), grid, self.around)
            token, x = x[:, :1], to_grid(x, grid, prefix=1)                         # (B, 1, C), (B, H/P, W/P, C)
        return x, token[:, 0]


class CoaTLite(Module):
    """Stages from fine to coarse, and a linear head that reads the class token of the last.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    patch_size : int
        P of the first stage; the others halve the grid.
    dims, depths, mlp_ratios : sequence of int
        C, blocks, and the width between the layers of the MLP in multiples of C, of each stage.
    windows : sequence of (int, int)
        M, odd, and the number of heads whose values are convolved with it: together they are all heads.
    drop_path : float
        Rate of stochastic depth, in all blocks the same.
    """

    def __init__(self, *, image_size=224, patch_size=4, channels=3, num_classes=1000, dims, depths,
                 mlp_ratios=(8, 8, 4, 4), windows=((3, 2), (5, 3), (7, 3)), drop_path=0.0):
        if any(window % 2 == 0 for window, _ in windows):
            raise ValueError(f"windows: expected odd ones, which have a centre, got {windows}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stages, inputs, heads = [], channels, sum(count for _, count in windows)
        for C, depth, ratio in by_stage(dims=dims, depths=depths, mlp_ratios=mlp_ratios):
            blocks = [Block(C, heads, mlp_dim=int(ratio * C), drop_path=drop_path) for _ in range(depth)]
            self.stages.append(Stage(patches(inputs, C, 2 if self.stages else patch_size), C, windows, blocks))
            inputs = C
        self.norm = LayerNorm(inputs)
        self.head = Linear(inputs, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def encode(self, images):
        """All stages.    (B, height, width, C) -> [(B, H, W, C), ...], class token of the last (B, last of dims)"""
        x, maps = images, []
        for stage in self.stages:
            x, token = stage(x)
            maps.append(x)
        return maps, token

    def features(self, images):
        """What each stage makes, without its class token, of the last one before the norm behind it.

        (B, height, width, C) -> [(B, height / P, width / P, dims[0]), ...], each grid half of the one before
        """
        return self.encode(images)[0]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.norm(self.encode(images)[1]))


# the sizes of the authors' repository; "cifar" is our own
VARIANTS = {
    "tiny": partial(CoaTLite, dims=(64, 128, 256, 320), depths=(2, 2, 2, 2)),
    "mini": partial(CoaTLite, dims=(64, 128, 320, 512), depths=(2, 2, 2, 2)),
    "small": partial(CoaTLite, dims=(64, 128, 320, 512), depths=(3, 4, 6, 3)),
    "medium": partial(CoaTLite, dims=(128, 256, 320, 512), depths=(3, 6, 10, 8), mlp_ratios=(4, 4, 4, 4)),
    "cifar": partial(CoaTLite, image_size=32, patch_size=2, num_classes=10, dims=(32, 64, 96, 128),
                     depths=(2, 2, 2, 2), mlp_ratios=(4, 4, 4, 4)),
}
