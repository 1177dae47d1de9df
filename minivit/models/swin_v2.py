"""Swin Transformer V2: Scaling Up Capacity and Resolution.  Liu et al., CVPR 2022, arXiv:2111.09883.

Three changes make Swin large and let it move to other windows. Each residual branch ends with a norm, so that what
the branches add up to does not grow with depth (res-post-norm). Scores are cosines of the angle between query and key,
so that no pair of long vectors rules a head. And the bias of an offset is no entry of a table: a small network
computes it from the offset's logarithm, so that it exists for windows that training has never seen.

    B batch    H x W grid    C channels    M window    w number of windows    n = M M tokens in a window    h heads
    (B, 256, 256, 3) -> patches (B, 64, 64, C) -> four stages (B, 64, 64, C), (B, 32, 32, 2C), (B, 16, 16, 4C),
                     (B, 8, 8, 8C) -> mean over the grid (B, 8C) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> three stages (B, 16, 16, 40), (B, 8, 8, 80), (B, 4, 4, 160) -> logits (B, 10)
    the bias of a window: offsets (2M - 1, 2M - 1, 2) -> (2M - 1, 2M - 1, h) -> pairs of tokens (h, n, n)

Windows, shifts, masks and pictures that do not divide are Swin's (swin.py).

Departures from the paper, as in the authors' code: offsets are stretched to -8 ... 8 and their logarithms divided by
log 8; the bias is 16 times the sigmoid of what the network says; keys have no bias. And attention between two regions
is forbidden by -inf, not -100. Where the largest models have their additional norms, every 6 layers, is counted from
the beginning of each stage; the paper does not say.
"""

import math
from functools import lru_cache, partial

import numpy as np

from ..backend import to_device
from ..engine import Tensor, no_grad
from ..nn import (Dropout, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter, PatchEmbed, constant,
                  drop_path_rates, offset_bias, signed_offsets, truncated_normal, zeros)
from ..ops import attention, attention_weights, concatenate, exp, gelu, l2_normalise, linear, minimum, relu, sigmoid
from .swin import Block as ShiftedWindows
from .swin import Stage, Swin, masked, merged


@lru_cache(maxsize=64)
def log_offsets(window, unit, dtype, device):
    """sign(x) log(1 + 8 |x|) / log 8 of all offsets x, with 1 the largest offset in a window of `unit` (eq. 4).

    In single precision, as the authors' code has them, so that results agree in double precision too.

    -> ((2M - 1)^2, 2), rows and columns
    """
    x = np.arange(1 - window, window, dtype=np.float32) / np.float32(max(unit - 1, 1)) * 8
    x = np.sign(x) * np.log2(np.abs(x) + 1) / 3
    offsets = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)  # ((2M - 1)^2, 2)
    return Tensor.without_copy(to_device(offsets.astype(dtype), device))


class ContinuousBias(Module):
    """What is added to the scores of a window: a function of the offset, for each head (eq. 3, 4).    -> (h, n, n)

    `unit` is the window for which the offsets have their largest number, 1, before the logarithm.
    """

    def __init__(self, heads, *, unit, hidden=512):
        self.linear1, self.linear2 = Linear(2, hidden), Linear(hidden, heads, bias=False)
        self.unit = unit

    def forward(self, window):
        """M -> (h, n, n)"""
        offsets = log_offsets(window, self.unit, self.linear1.weight.dtype, self.linear1.weight.device)
        table = 16 * sigmoid(self.linear2(relu(self.linear1(offsets))))           # ((2M - 1)^2, h)
        return offset_bias(table, signed_offsets((window, window)))               # (h, n, n)


class CosineAttention(Module):
    """Attention by the cosine of query and key, over a temperature that each head learns (eq. 2).

    (B w, n, C) -> (B w, n, C)
    """

    def __init__(self, dim, heads, *, window, unit, dropout=0.0):
        if dim % heads:
            raise ValueError(f"CosineAttention: width {dim} is not divisible by {heads} heads")
        self.heads, self.window = heads, window
        self.qkv, self.proj, self.dropout = Linear(dim, 3 * dim, bias=False), Linear(dim, dim), Dropout(dropout)
        self.query_bias, self.value_bias = Parameter((dim,), zeros), Parameter((dim,), zeros)
        self.logit_scale = Parameter((heads, 1, 1), constant(math.log(10)))       # log of 1 / temperature
        self.position_bias = ContinuousBias(heads, unit=unit)

    def forward(self, x, mask=None):
        """(B w, n, C), with a mask (w, 1, n, n) to add to the scores of shifted windows -> (B w, n, C)"""
        q, k, v = self.unit_vectors(x)
        out = attention(q, k, v, self.bias(x, mask), scale=1).transpose(0, 2, 1, 3)                 # (B w, n, h, d)
        return self.dropout(self.proj(out.reshape(x.shape)))

    def unit_vectors(self, x):
        """Queries of length 1 / temperature, keys of length 1, and values.    (B w, n, C) -> three (B w, h, n, d)"""
        bias = concatenate([self.query_bias, 0 * self.query_bias, self.value_bias])                 # (3C,)
        (windows, n, C), h = x.shape, self.heads
        x = linear(x, self.qkv.weight, bias).reshape(windows, n, 3, h, C // h)                      # (B w, n, 3, h, d)
        q, k, v = x.transpose(2, 0, 3, 1, 4)                                                        # 3 (B w, h, n, d)
        return l2_normalise(q) * exp(minimum(self.logit_scale, math.log(100))), l2_normalise(k), v

    def bias(self, x, mask):
        """What is added to the scores: the bias of each offset, and the mask.    -> (h, n, n) or (B w, h, n, n)"""
        bias = self.position_bias(math.isqrt(x.shape[1]))
        return bias if mask is None else masked(bias, mask, len(x))

    def weights(self, x, mask=None):
        """What each token looks at, for pictures: the attention probabilities.    (B w, n, C) -> (B w, h, n, n)"""
        with no_grad():
            q, k, _ = self.unit_vectors(x)
            return attention_weights(q, k, self.bias(x, mask), scale=1)

    def describe(self):
        """The window and the number of heads."""
        return f"{self.window} x {self.window}, {self.heads} heads"


class Block(ShiftedWindows):
    """x + LN(attention(x)), then x + LN(MLP(x)): each branch starts as zero (fig. 1).    (B, H, W, C) -> (B, H, W, C)

    `shift` is 0 or half the window; `norm3` is of the sum, in some blocks of the largest models.
    """

    def __init__(self, dim, attention, *, shift, mlp_dim, norm3, eps=1e-5, activation=gelu, dropout=0.0, drop_path=0.0):
        self.norm1, self.norm2 = (LayerNorm(dim, eps=eps, initialiser=zeros) for _ in range(2))
        self.attention, self.mlp = attention, Mlp(dim, mlp_dim, activation=activation, dropout=dropout)
        self.norm3, self.shift, self.drop_path = norm3, shift, DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.norm1(self.attend(x)))
        return self.norm3(x + self.drop_path(self.norm2(self.mlp(x))))


class PatchMerging(Module):
    """2 x 2 neighbours become one token of twice the width; here too the norm is last.    -> (B, H/2, W/2, 2C)"""

    def __init__(self, dim, *, eps=1e-5):
        self.reduction, self.norm = Linear(4 * dim, 2 * dim, bias=False), LayerNorm(2 * dim, eps=eps)

    def forward(self, x):
        """(B, H, W, C) -> (B, H/2, W/2, 2C), halves rounded up"""
        return self.norm(self.reduction(merged(x)))


class SwinV2(Swin):
    """Stages, each with half the grid and twice the width of the one before, and a linear head.

    (B, height, width, C) -> (B, num_classes), or (B, features) with num_classes=0. Pictures of any size are accepted.

    Parameters
    ----------
    image_size, dim, depths, heads, window, eps, activation, dropout, drop_path
        As for Swin.
    pretrained_windows : sequence of int, optional
        For each stage, the window with which the weights were trained, if they move to another: offsets keep the
        numbers that they had. 0 stands for the stage's own window.
    norm_every : int
        The sum of the branches is normalised too after so many blocks of a stage; 0 for never.
    """

    def __init__(self, *, image_size=256, patch_size=4, channels=3, num_classes=1000, dim, depths, heads, window=8,
                 pretrained_windows=None, norm_every=0, mlp_ratio=4, eps=1e-5, activation=gelu, dropout=0.0,
                 drop_path=0.0):
        pretrained = tuple(pretrained_windows or (0,) * len(depths))
        if not len(depths) == len(heads) == len(pretrained):
            raise ValueError("depths, heads, pretrained_windows: expected one number for each stage, got "
                             f"{depths}, {heads} and {pretrained}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.patch_embed, self.patch_norm = PatchEmbed(patch_size, channels, dim), LayerNorm(dim, eps=eps)
        self.window, self.dropout, self.stages = window, Dropout(dropout), []
        grid, rates = math.ceil(min(self.image_size) / patch_size), drop_path_rates(drop_path, depths)
        for stage, (h, unit, stage_rates) in enumerate(zip(heads, pretrained, rates, strict=True)):
            merge = PatchMerging(dim, eps=eps) if stage else Identity()
            dim, grid = (2 * dim, math.ceil(grid / 2)) if stage else (dim, grid)
            M = min(window, grid)
            self.stages.append(Stage(merge, [Block(
                dim, CosineAttention(dim, h, window=M, unit=unit or M, dropout=dropout),
                shift=M // 2 * (index % 2), mlp_dim=int(mlp_ratio * dim),
                norm3=LayerNorm(dim, eps=eps) if norm_every and (index + 1) % norm_every == 0 else Identity(),
                eps=eps, activation=activation, dropout=dropout, drop_path=rate)
                for index, rate in enumerate(stage_rates)]))
        self.norm = LayerNorm(dim, eps=eps)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()


# section 4.1 and the authors' list of models, by size and window; "cifar" is our own size
TINY = dict(dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24))
SMALL = dict(dim=96, depths=(2, 2, 18, 2), heads=(3, 6, 12, 24))
BASE = dict(dim=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32))
LARGE = dict(dim=192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48))
TRAINED_WITH_12 = dict(pretrained_windows=(12, 12, 12, 6))
VARIANTS = {
    "tiny": partial(SwinV2, **TINY),
    "tiny_w16": partial(SwinV2, window=16, **TINY),
    "small": partial(SwinV2, **SMALL),
    "small_w16": partial(SwinV2, window=16, **SMALL),
    "base": partial(SwinV2, **BASE),
    "base_w12": partial(SwinV2, image_size=192, window=12, **BASE),
    "base_w16": partial(SwinV2, window=16, **BASE),
    "base_w24": partial(SwinV2, image_size=384, window=24, **TRAINED_WITH_12, **BASE),
    "large_w12": partial(SwinV2, image_size=192, window=12, **LARGE),
    "large_w16": partial(SwinV2, window=16, **TRAINED_WITH_12, **LARGE),
    "large_w24": partial(SwinV2, image_size=384, window=24, **TRAINED_WITH_12, **LARGE),
    "huge": partial(SwinV2, image_size=192, window=12, norm_every=6, dim=352, depths=(2, 2, 18, 2),
                    heads=(11, 22, 44, 88)),
    "giant": partial(SwinV2, image_size=192, window=12, norm_every=6, dim=512, depths=(2, 2, 42, 4),
                     heads=(16, 32, 64, 128)),
    "cifar": partial(SwinV2, image_size=32, patch_size=2, num_classes=10, dim=40, depths=(2, 2, 2), heads=(2, 4, 8),
                     window=4),
}
