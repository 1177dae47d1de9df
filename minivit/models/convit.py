"""ConViT: vision transformers with soft convolutional inductive biases.  d'Ascoli et al., ICML 2021, arXiv:2103.10697.

Attention can be a convolution: h heads that each look at one of h neighbours, whatever is there. The first blocks begin
like that, and a number for each head, the gate, lets it learn to attend to what the patches show instead of where they
are. The class token has no place on the grid and comes behind these blocks.

    B batch    H x W grid of patches    N = H W    D width    h heads    d = D / h    P patch size    L depth
    (B, 224, 224, 3) -> patches (B, 14, 14, D) -> 10 local blocks -> with class token (B, 197, D) -> 2 blocks
                     -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 8, 8, 108) -> 3 local blocks -> (B, 65, 108) -> 1 block -> (B, 108) -> logits (B, 10)
    a local block's attention: (B, H, W, D) -> by content (B, h, N, N), by place (h, N, N) -> (B, H, W, D)

Departures from the paper: it divides the gated sum of two softmaxes by the sum of each row, which is 1 and left out
here. With h heads only the first whole square of them has a neighbour of its own, as in the authors' code.
"""

import math
from functools import lru_cache, partial

import numpy as np

from ..backend import to_device
from ..engine import Tensor, no_grad
from ..nn import (Dropout, Linear, Module, Parameter, drop_path_rates, ones, repeat_batch, sincos, to_grid,
                  truncated_normal)
from ..ops import attention, attention_weights, concatenate, sigmoid, softmax
from .pvt import as_tokens
from .vit import Block, ViTGAP


@lru_cache(maxsize=64)
def offsets(grid, dtype, device):
    """r: how far each key is to the right of and below each query, and the square of their distance (section 3).

    (H, W) -> (N, N, 3), computed once for each size
    """
    y, x = np.indices(grid).reshape(2, -1)                                              # each (N,)
    dx, dy = x - x[:, None], y - y[:, None]                                             # (N, N), query and key
    return Tensor.without_copy(to_device(np.stack([dx, dy, dx ** 2 + dy ** 2], axis=-1).astype(dtype), device))


def neighbours(locality, rng, shape):
    """Initialises v_pos so that head i looks at neighbour i (section 3).    (3, h) -> (3, h) float32

    -locality |r - c|^2 is -locality (|r|^2 - 2 c r), but for a constant; c is the neighbour, of a square of them.
    """
    weight, side = truncated_normal(0.02)(rng, shape), math.isqrt(shape[1])
    centres = np.arange(side) - (side - 1) / 2
    for head in range(side * side):
        weight[:, head] = 2 * centres[head // side], 2 * centres[head % side], -1
    return np.float32(locality) * weight


def identity(rng, shape):
    """(D, D) -> (D, D) float32"""
    return np.eye(*shape, dtype=np.float32)


class GatedAttention(Module):
    """Gated positional self-attention (GPSA): where to look is said by content, or by places (section 3).

    (B, H, W, D) -> (B, H, W, D): (1 - g) softmax(q k^T / sqrt(d)) v + g softmax(v_pos r) v, g = sigmoid(gate).
    """

    def __init__(self, dim, heads, *, locality=1.0, dropout=0.0):
        if dim % heads:
            raise ValueError(f"GatedAttention: width {dim} is not divisible by {heads} heads")
        self.heads, self.gate = heads, Parameter((heads,), ones)
        self.qk = Linear(dim, 2 * dim, bias=False, initialiser=truncated_normal(0.02))
        self.v = Linear(dim, dim, bias=False, initialiser=identity)
        self.place = Linear(3, heads, initialiser=partial(neighbours, locality))
        self.proj, self.dropout = Linear(dim, dim, initialiser=truncated_normal(0.02)), Dropout(dropout)

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)"""
        q, k, v = self.by_head(x)
        by_content, by_place = attention(q, k, v), self.place_weights(x) @ v                    # (B, h, N, d)
        joined = (by_content + self.gates() * (by_place - by_content)).transpose(0, 2, 1, 3)    # (B, N, h, d)
        return self.dropout(self.proj(joined.reshape(x.shape)))                                 # (B, H, W, D)

    def by_head(self, x):
        """q, k and v.    (B, H, W, D) -> 3 (B, h, N, d)"""
        (B, H, W, D), h = x.shape, self.heads
        x = concatenate([self.qk(x), self.v(x)], axis=-1).reshape(B, H * W, 3, h, D // h)       # (B, N, 3, h, d)
        return x.transpose(2, 0, 3, 1, 4)                                                       # (3, B, h, N, d)

    def place_weights(self, x):
        """What each head takes of each place, whatever is there.    (B, H, W, D) -> (h, N, N)"""
        return softmax(self.place(offsets(x.shape[1:3], x.dtype, x.device)).transpose(2, 0, 1))  # (h, N, N)

    def gates(self):
        """g, the share that places have.    -> (h, 1, 1)"""
        return sigmoid(self.gate).reshape(self.heads, 1, 1)

    def weights(self, x):
        """What each token looks at, for pictures: the attention probabilities.    (B, H, W, D) -> (B, h, N, N)"""
        with no_grad():
            q, k, _ = self.by_head(x)
            by_content = attention_weights(q, k)
            return by_content + self.gates() * (self.place_weights(x) - by_content)

    def describe(self):
        """The number of heads."""
        return f"{self.heads} heads"


class LocalBlock(Block):
    """x + GPSA(LN(x)), then x + MLP(LN(x)), on a grid.    (B, H, W, D) -> (B, H, W, D)"""

    def __init__(self, dim, heads, *, locality, dropout=0.0, **settings):
        super().__init__(dim, heads, dropout=dropout, **settings)
        self.attention = GatedAttention(dim, heads, locality=locality, dropout=dropout)


class ConViT(ViTGAP):
    """Local blocks on the grid, then a class token and blocks that do not know of places (section 3).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. The settings are those of ViT, and:

    Parameters
    ----------
    local_depth : int
        How many of the blocks are local.
    locality : float
        How sharply a local block's heads look at their neighbours before they are trained.
    """

    def __init__(self, *, local_depth=10, locality=1.0, **settings):
        self.local_depth, self.locality = local_depth, locality
        super().__init__(**settings)

    def make_blocks(self, depth, dim, heads, *, drop_path, **block):
        """All blocks, without biases of q, k and v."""
        if not 0 <= self.local_depth < depth:
            raise ValueError(f"local_depth: expected 0 to {depth - 1}, fewer than the {depth} blocks, since the "
                             f"last reads the class token; got {self.local_depth}")
        kinds = [partial(LocalBlock, locality=self.locality)] * self.local_depth + [Block] * (depth - self.local_depth)
        return [kind(dim, heads, qkv_bias=False, drop_path=rate, **block)
                for kind, rate in zip(kinds, drop_path_rates(drop_path, [depth])[0], strict=True)]

    def make_pooling(self, dim, heads, **block):
        """The class token."""
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = self.encode(images)
        return self.head(self.norm(x)[:, 0])

    def encode(self, images):
        """What each block makes, one after the other.

        (B, height, width, C) -> generator of (B, H, W, D), and behind the local blocks (B, 1 + N, D)
        """
        x = to_grid(self.embed(images), self.grid_of(images))                           # (B, H, W, D)
        for index, block in enumerate(self.blocks):
            if index == self.local_depth:
                x = concatenate([repeat_batch(self.class_token, len(x)), as_tokens(x)], axis=1)     # (B, 1 + N, D)
            x = block(x)
            yield x

    def features(self, images, layers=None):
        """The patches on their grid: what the blocks `layers` make, by default the last, behind the norm.

        (B, height, width, C) -> [(B, height / P, width / P, D) for each layer]
        """
        made, grid = list(self.encode(images)), self.grid_of(images)
        chosen = [self.norm(made[-1])] if layers is None else [made[layer] for layer in layers]
        return [x if x.ndim == 4 else to_grid(x, grid, prefix=1) for x in chosen]


# table 1; "cifar" is our own size
VARIANTS = {name: partial(ConViT, dim=dim, depth=12, heads=heads) for name, dim, heads in [
    ("tiny", 192, 4), ("tiny+", 256, 4), ("small", 432, 9), ("small+", 576, 9), ("base", 768, 16), ("base+", 1024, 16)]}
VARIANTS["cifar"] = partial(ConViT, image_size=32, patch_size=4, num_classes=10, dim=108, depth=4, heads=9,
                            local_depth=3, positions=sincos)
