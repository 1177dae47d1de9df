"""XCiT: cross-covariance image transformers.  El-Nouby et al., NeurIPS 2021, arXiv:2106.09681.

Attention is transposed: not tokens look at tokens, but channels at channels, by how alike two channels are over all
tokens of the picture. What that costs grows with the number of tokens, not with its square, and small patches of large
pictures are affordable. Tokens speak to each other in two depthwise convolutions behind it (local patch interaction),
and in the last layers, where a class token reads them as in CaiT.

    B batch    H x W grid    N = H W tokens    D width    h heads    d = D / h    P patch size
    (B, 224, 224, 3) -> P/2, P/4 ... 1 as coarse by convolutions (B, H, W, D) -> blocks (B, H, W, D)
                     -> with class token (B, 1 + N, D) -> two layers of class attention -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 8, 8, 96) -> (B, 65, 96) -> (B, 96) -> (B, 10)
    cross-covariance attention: q, k, v (B, h, d, N) -> weights (B, h, d, d), d queries to d keys -> (B, h, d, N)

Departures from the paper: the patches go through the class layers too and come out changed, as in the authors' code
and not as in CaiT. Where the paper is silent, everything is as in that code: in local patch interaction the activation
stands before the norm, and in the smallest model the patches go by the second norm of the class layers.
"""

import math
from functools import lru_cache, partial

import numpy as np

from ..backend import to_device
from ..engine import Tensor, no_grad
from ..nn import (BatchNorm2d, Conv2d, DropPath, Identity, LayerNorm, LayerScale, Linear, Mlp, Module, Parameter,
                  in_turn, ones, repeat_batch, truncated_normal)
from ..ops import attention, attention_weights, concatenate, gelu, l2_normalise
from . import cait
from .levit import conv_stem
from .pvt import as_tokens

WAVES = 32  # sines and cosines for each of the two axes


@lru_cache(maxsize=64)
def waves(grid, dtype, device):
    """How far down and how far to the right each token is, from 1 / n to 1, as sines and cosines (arXiv:1706.03762).

    -> (1, H, W, 64): of rows, then of columns, for each frequency a sine and a cosine
    """
    frequency = 2 * math.pi * 10_000.0 ** (-np.arange(WAVES // 2) / (WAVES // 2))
    angles = [np.arange(1, n + 1)[:, None] / (n + 1e-6) * frequency for n in grid]              # (H, 16), (W, 16)
    rows, columns = (np.stack([np.sin(a), np.cos(a)], axis=-1).reshape(-1, WAVES) for a in angles)
    H, W = grid
    both = np.concatenate([np.repeat(rows, W, axis=0), np.tile(columns, (H, 1))], axis=-1)      # (H W, 64)
    return Tensor.without_copy(to_device(both.reshape(1, H, W, 2 * WAVES).astype(dtype), device))


class CrossCovarianceAttention(Module):
    """softmax(k^T q / tau) in each of h heads: channels of a picture look at one another (eq. 2, "XCA").

    (B, H, W, D) -> (B, H, W, D). A channel of q or k is a vector over all N tokens, which is scaled to length 1; so
    scores are cosines, and a learned number for each head, 1 / tau, says how much they count.
    """

    def __init__(self, dim, heads):
        if dim % heads:
            raise ValueError(f"CrossCovarianceAttention: width {dim} is not divisible by {heads} heads")
        self.heads, self.temperature = heads, Parameter((heads, 1, 1), ones)
        self.qkv, self.proj = Linear(dim, 3 * dim), Linear(dim, dim)

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)"""
        found = attention(*self.queries_keys_values(x), scale=1.0).transpose(0, 3, 1, 2)        # (B, N, h, d)
        return self.proj(found.reshape(x.shape))                                                # (B, H, W, D)

    def queries_keys_values(self, x):
        """Cosines are products of q and k: they have length 1, but for the temperature.    -> 3 (B, h, d, N)"""
        B, H, W, D = x.shape
        q, k, v = self.qkv(x).reshape(B, H * W, 3, self.heads, D // self.heads).transpose(2, 0, 3, 4, 1)
        return l2_normalise(q) * self.temperature, l2_normalise(k), v                           # 3 (B, h, d, N)

    def weights(self, x):
        """What each channel looks at, for pictures: the attention probabilities.    (B, H, W, D) -> (B, h, d, d)"""
        with no_grad():
            q, k, _ = self.queries_keys_values(x)
            return attention_weights(q, k, scale=1.0)

    def describe(self):
        """The number of heads."""
        return f"{self.heads} heads"


class LocalPatchInteraction(Module):
    """Two depthwise 3 x 3 convolutions, in which tokens see their neighbours (section 3.3).

    (B, H, W, D) -> (B, H, W, D)
    """

    def __init__(self, dim):
        self.conv1, self.norm = Conv2d(dim, dim, 3, padding=1, groups=dim), BatchNorm2d(dim)
        self.conv2 = Conv2d(dim, dim, 3, padding=1, groups=dim)

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)"""
        return self.conv2(self.norm(gelu(self.conv1(x))))


class Block(Module):
    """x + g XCA(LN(x)), then x + g' LPI(LN(x)), then x + g'' MLP(LN(x)) (fig. 1).    (B, H, W, D) -> (B, H, W, D)"""

    def __init__(self, dim, heads, *, mlp_dim, layer_scale, drop_path=0.0):
        self.norm1, self.attention = LayerNorm(dim), CrossCovarianceAttention(dim, heads)
        self.norm2, self.local = LayerNorm(dim), LocalPatchInteraction(dim)
        self.norm3, self.mlp = LayerNorm(dim), Mlp(dim, mlp_dim)
        self.scale1, self.scale2, self.scale3 = (LayerScale(dim, layer_scale) for _ in range(3))
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)"""
        x = x + self.drop_path(self.scale1(self.attention(self.norm1(x))))
        x = x + self.drop_path(self.scale2(self.local(self.norm2(x))))
        return x + self.drop_path(self.scale3(self.mlp(self.norm3(x))))


class ClassBlock(cait.ClassBlock):
    """The class token looks at itself and the patches; what it does to itself they do too, but for the two layers.

    (B, 1 + N, D) -> (B, 1 + N, D). Where the token adds what attention found, patches add themselves, normalised;
    where it adds what the MLP made, they are doubled.
    """

    def forward(self, x):
        """(B, 1 + N, D) -> (B, 1 + N, D)"""
        y = self.norm1(x)
        x = x + self.scale1(concatenate([self.attention(y[:, :1], y), y[:, 1:]], axis=1))       # (B, 1 + N, D)
        token, patches = self.normalise(x)
        return concatenate([token + self.scale2(self.mlp(token)), 2 * patches], axis=1)         # (B, 1 + N, D)

    def normalise(self, x):
        """What the second half starts from, in the residual too.    (B, 1 + N, D) -> (B, 1, D), (B, N, D)"""
        x = self.norm2(x)
        return x[:, :1], x[:, 1:]


class NanoClassBlock(ClassBlock):
    """The same, but the patches go by the second norm, as in the smallest model of the authors.

    (B, 1 + N, D) -> (B, 1 + N, D)
    """

    def normalise(self, x):
        """(B, 1 + N, D) -> (B, 1, D), (B, N, D)"""
        return self.norm2(x[:, :1]), x[:, 1:]


class XCiT(Module):
    """Convolutions make patches; blocks of cross-covariance attention; a class token reads what they made (section 3).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures of any size are accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    patch_size : int
        P, a power of 2: as many pixels lie between two tokens.
    dim, depth, heads, mlp_dim : int
        As for ViT.
    class_depth : int
        Layers of class attention.
    class_block : callable
        What makes them: ClassBlock or NanoClassBlock.
    layer_scale : float
        Where the factors of residual branches begin.
    drop_path : float
        Rate of stochastic depth, the same in every block; there is none in class attention.
    """

    def __init__(self, *, image_size=224, patch_size=16, channels=3, num_classes=1000, dim, depth, heads, mlp_dim=None,
                 class_depth=2, class_block=ClassBlock, layer_scale=1.0, drop_path=0.0):
        halvings = patch_size.bit_length() - 1
        if halvings < 1 or patch_size != 2 ** halvings or dim % 2 ** (halvings - 1):
            raise ValueError(f"patch_size, dim: {patch_size} has to be a power of 2, as each convolution halves the "
                             f"grid, and {dim} a multiple of {patch_size} / 2, as each doubles the width")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stem, self.positions = conv_stem(channels, dim, halvings, gelu), Linear(2 * WAVES, dim)
        settings = dict(mlp_dim=mlp_dim or 4 * dim, layer_scale=layer_scale)
        self.blocks = [Block(dim, heads, drop_path=drop_path, **settings) for _ in range(depth)]
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.class_blocks = [class_block(dim, heads, **settings) for _ in range(class_depth)]
        self.norm = LayerNorm(dim)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def embed(self, images):
        """The patches, each told where it is.    (B, height, width, C) -> (B, H, W, D)"""
        x = self.stem(images)                                                                   # (B, H, W, D)
        return x + self.positions(waves(x.shape[1:3], x.dtype, x.device))

    def features(self, images, layers=None):
        """What the blocks `layers` make, by default the last: the class layers read it.

        (B, height, width, C) -> [(B, H, W, D) for each layer]
        """
        made = list(in_turn(self.blocks, self.embed(images)))
        return [made[layer] for layer in ((-1,) if layers is None else layers)]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        patches = as_tokens(self.features(images)[0])                                           # (B, N, D)
        x = concatenate([repeat_batch(self.class_token, len(patches)), patches], axis=1)        # (B, 1 + N, D)
        for block in self.class_blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


# table 1; "cifar" is our own size. Deeper models begin their residual branches nearer to nothing
SIZES = {"N12": (128, 12, 4), "T12": (192, 12, 4), "T24": (192, 24, 4), "S12": (384, 12, 8), "S24": (384, 24, 8),
         "M24": (512, 24, 8), "L24": (768, 24, 16)}
VARIANTS = {f"{name}/{patch}": partial(XCiT, patch_size=patch, dim=dim, depth=depth, heads=heads,
                                       layer_scale=1.0 if depth == 12 else 1e-5,
                                       class_block=NanoClassBlock if name == "N12" else ClassBlock)
            for patch in (16, 8) for name, (dim, depth, heads) in SIZES.items()}
VARIANTS["cifar"] = partial(XCiT, image_size=32, patch_size=4, num_classes=10, dim=96, depth=4, heads=4)
