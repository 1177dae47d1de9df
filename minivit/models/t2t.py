"""Tokens-to-Token ViT: Training Vision Transformers from Scratch on ImageNet.  Yuan et al., ICCV 2021, 2101.11986.

Patches that do not overlap cut through edges and lines, and a token knows nothing of what its neighbour saw. Here
windows overlap: a layer of attention lets their tokens see each other, the tokens are laid out as a picture again, and
windows of that picture are the next, fewer tokens. The backbone behind it is a ViT that is deep and narrow.

    B batch    H x W grid    N = H W    k window    C pixels' width    t token width    D width    L depth    m features
    (B, 224, 224, 3) -> split 7/4/2 (B, 56 56, 147) -> layer (B, 56, 56, t) -> split 3/2/1 (B, 28 28, 9 t)
                     -> layer (B, 28, 28, t) -> split 3/2/1 (B, 14 14, 9 t) -> linear (B, N, D)
                     -> with class token (B, 1 + N, D) -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> split 3/2/1 (B, 16 16, 27) -> layer (B, 16, 16, t) -> split 3/2/1 (B, 8 8, 9 t)
                     -> linear (B, 64, D) -> (B, 65, D) -> (B, D) -> (B, 10)

Positions are not learned; for pictures of another size they are interpolated, as in the authors' code.

Departures from the paper, all as in the authors' code: the layer's skip connection adds the values, since the tokens
that it reads have another width. Its scores are divided by the root of that width, 147 or
576, and not by that of the queries' width. A performer's queries and keys are not scaled at all. Another departure from
that code: its performers drop a tenth of their numbers in training, here `dropout` is one rate for all.
"""

import math
from functools import partial

import numpy as np

from ..nn import (Attention, Buffer, Dropout, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter,
                  drop_path_rates, in_turn, interpolate_positions, repeat_batch, to_grid, truncated_normal)
from ..ops import attention, concatenate, exp, split, unfold


class SoftSplit(Module):
    """Overlapping windows of k x k pixels as tokens (section 3.1).    (B, H, W, C) -> (B, N, k k C)"""

    def __init__(self, kernel, stride, padding):
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x):
        """(B, H, W, C) -> (B, N, k k C)"""
        return unfold(x, self.kernel, stride=self.stride, padding=self.padding)

    def grid_of(self, grid):
        """Rows and columns of the windows of a picture (H, W)."""
        return tuple((n + 2 * self.padding - self.kernel) // self.stride + 1 for n in grid)


class TokenTransformer(Module):
    """v + W Attention(LN(x)), then x + MLP(LN(x)), with one head (section 3.1).    (B, N, inputs) -> (B, N, t)

    The tokens that it makes are narrower than those that it reads, so the values stand in the place of x.
    """

    qkv_bias = False

    def __init__(self, inputs, dim, *, eps=1e-5, dropout=0.0):
        self.norm1, self.qkv = LayerNorm(inputs, eps=eps), Linear(inputs, 3 * dim, bias=self.qkv_bias)
        self.proj, self.dropout = Linear(dim, dim), Dropout(dropout)
        self.norm2, self.mlp = LayerNorm(dim, eps=eps), Mlp(dim, dim, dropout=dropout)

    def forward(self, x):
        """(B, N, inputs) -> (B, N, t)"""
        q, k, v = split(self.qkv(self.norm1(x)), 3, axis=-1)                # 3 (B, N, t)
        x = v + self.dropout(self.proj(self.attend(q, k, v)))
        return x + self.mlp(self.norm2(x))

    def attend(self, q, k, v):
        """softmax(q k^T / sqrt(inputs)) v.    3 (B, N, t) -> (B, N, t)"""
        q, k, v = (x.reshape(len(x), 1, *x.shape[1:]) for x in (q, k, v))   # 3 (B, 1, N, t)
        out = attention(q, k, v, scale=self.qkv.weight.shape[0] ** -0.5)
        return out.reshape(len(out), *out.shape[2:])                        # (B, N, t)


class TokenPerformer(TokenTransformer):
    """The same with attention at a cost that grows with N and not with its square.    (B, N, inputs) -> (B, N, t)

    exp(q . k) is the mean of phi(q) . phi(k) over random directions (Choromanski et al., ICLR 2021, arXiv:2009.14794,
    lemma 1); so the sum over the keys can be made once for all queries. There are m = t / 2 directions, at right angles
    to each other, which are drawn once and not trained.
    """

    qkv_bias = True

    def __init__(self, inputs, dim, *, eps=1e-5, dropout=0.0):
        super().__init__(inputs, dim, eps=eps, dropout=dropout)
        self.directions = Buffer((dim // 2, dim), right_angles)

    def attend(self, q, k, v):
        """phi(q) (phi(k)^T v) / (phi(q) sum of phi(k)).    3 (B, N, t) -> (B, N, t)"""
        q, k = self.features(q), self.features(k)                           # 2 (B, N, m)
        total = k.sum(axis=1, keepdims=True).swapaxes(1, 2)                 # (B, m, 1)
        return q @ (k.swapaxes(1, 2) @ v) / (q @ total + 1e-8)

    def features(self, x):
        """phi(x) = exp(w x - |x|^2 / 2) / sqrt(m) for each direction w.    (B, N, t) -> (B, N, m)"""
        half_square = (x * x).sum(axis=-1, keepdims=True) / 2               # (B, N, 1)
        return exp(x @ self.directions.T - half_square) / math.sqrt(len(self.directions))


def right_angles(rng, shape):
    """m <= t directions at right angles, each of length sqrt(m).    -> (m, t) float32"""
    m, t = shape
    q, _ = np.linalg.qr(rng.standard_normal((t, m)))
    return (math.sqrt(m) * q.T).astype(np.float32)


class TokensToToken(Module):
    """Soft splits with a layer between each and the next (section 3.1).    (B, height, width, C) -> (B, H, W, D)

    Parameters
    ----------
    splits : sequence of (int, int, int)
        Kernel, stride and padding of each.
    channels, token_dim, dim : int
        C of the pictures, t, and D.
    layer : callable
        What lets tokens see each other: layer(inputs, t, eps=..., dropout=...), TokenTransformer or TokenPerformer.
    eps, dropout : float
        Of the layers.
    """

    def __init__(self, splits, channels, token_dim, dim, *, layer, eps=1e-5, dropout=0.0):
        self.splits = [SoftSplit(*sizes) for sizes in splits]
        inputs = [kernel * kernel * (token_dim if index else channels) for index, (kernel, *_) in enumerate(splits)]
        self.layers = [layer(width, token_dim, eps=eps, dropout=dropout) for width in inputs[:-1]]
        self.project = Linear(inputs[-1], dim)

    def forward(self, images):
        """(B, height, width, C) -> (B, H, W, D)"""
        x = images
        for windows, layer in zip(self.splits, [*self.layers, self.project], strict=True):
            x = to_grid(layer(windows(x)), windows.grid_of(x.shape[1:3]))   # restructurisation: (B, H, W, t)
        return x

    def grid_of(self, grid):
        """Rows and columns of the tokens of a picture (height, width)."""
        for windows in self.splits:
            grid = windows.grid_of(grid)
        return grid


class Block(Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)); queries, keys and values without bias.    (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, mlp_dim, eps=1e-5, dropout=0.0, drop_path=0.0):
        self.norm1, self.norm2 = LayerNorm(dim, eps=eps), LayerNorm(dim, eps=eps)
        self.attention = Attention(dim, heads, qkv_bias=False, dropout=dropout)
        self.mlp, self.drop_path = Mlp(dim, mlp_dim, dropout=dropout), DropPath(drop_path)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class T2TViT(Module):
    """Tokens of tokens by transformers, then a deep and narrow ViT, whose class token the head reads (section 3.3).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures of any size are accepted of which
    a window fits into each map.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels on whose grid the positions count the tokens.
    dim, depth, heads, mlp_dim : int
        D, L, heads, and the width between the two layers of the MLP.
    token_dim : int
        t
    splits : sequence of (int, int, int)
        Kernel, stride and padding of each soft split.
    eps : float
        What LayerNorm adds to the variance.
    dropout, drop_path : float
        As for ViT.
    """

    token_layer = TokenTransformer

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, dim, depth, heads, mlp_dim, token_dim=64,
                 splits=((7, 4, 2), (3, 2, 1), (3, 2, 1)), eps=1e-5, dropout=0.0, drop_path=0.0):
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.tokens = TokensToToken(splits, channels, token_dim, dim, layer=self.token_layer, eps=eps, dropout=dropout)
        self.grid = self.tokens.grid_of(self.image_size)
        if min(self.grid) < 1:
            raise ValueError("image_size: {} x {} pixels leave a grid of {} x {} tokens".format(
                *self.image_size, *self.grid))
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.positions = Buffer((1, 1 + self.grid[0] * self.grid[1], dim), sinusoid)
        [rates] = drop_path_rates(drop_path, [depth])
        self.dropout = Dropout(dropout)
        self.blocks = [Block(dim, heads, mlp_dim=mlp_dim, eps=eps, dropout=dropout, drop_path=rate) for rate in rates]
        self.norm = LayerNorm(dim, eps=eps)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = self.encode(images)
        return self.head(self.norm(x)[:, 0])

    def encode(self, images):
        """What each block makes, one after the other.    (B, height, width, C) -> generator of (B, 1 + N, D)"""
        x = self.tokens(images)
        (B, H, W, D), class_token = x.shape, repeat_batch(self.class_token, len(x))
        x = concatenate([class_token, x.reshape(B, H * W, D)], axis=1)      # (B, 1 + N, D)
        x = x + interpolate_positions(self.positions, self.grid, (H, W), prefix=1, antialias=False)
        return in_turn(self.blocks, self.dropout(x))

    def features(self, images, layers=None):
        """The patches' tokens on their grid: what the blocks `layers` make, by default the last, behind the norm.

        (B, height, width, C) -> [(B, H, W, D) for each layer]
        """
        made = list(self.encode(images))
        chosen = [self.norm(made[-1])] if layers is None else [made[layer] for layer in layers]
        return [to_grid(x, self.tokens.grid_of(images.shape[1:3]), prefix=1) for x in chosen]


class T2TViTPerformer(T2TViT):
    """A performer between the splits: what the paper calls T2T-ViT, while the other is its T2T-ViT_t."""

    token_layer = TokenPerformer


def sinusoid(rng, shape):
    """sin(n / 10000^(2 i / D)) and cos of the same in turn, for the places n = 0, 1, ... in a row (1706.03762, 3.5).

    -> (1, N, D) float32
    """
    _, N, D = shape
    angle = np.arange(N)[:, None] / 10_000 ** (np.arange(D) // 2 * 2 / D)   # (N, D)
    return np.where(np.arange(D) % 2, np.cos(angle), np.sin(angle)).astype(np.float32)[None]


# D, L, heads and the MLP's width: table 1 and section 4.2 (many narrow heads; wide and shallow); "cifar" is our own
SIZES = {name: dict(zip(("dim", "depth", "heads", "mlp_dim"), sizes, strict=True)) for name, sizes in {
    "7": (256, 7, 4, 512), "10": (256, 10, 4, 512), "12": (256, 12, 4, 512), "14": (384, 14, 6, 1152),
    "19": (448, 19, 7, 1344), "24": (512, 24, 8, 1536), "14-resnext": (384, 14, 32, 1152),
    "14-wide": (768, 4, 12, 2304)}.items()}
VARIANTS = {name: partial(T2TViTPerformer, **sizes) for name, sizes in SIZES.items()}
VARIANTS |= {f"t-{name}": partial(T2TViT, **SIZES[name]) for name in ("14", "19", "24")}
VARIANTS["cifar"] = partial(T2TViT, image_size=32, num_classes=10, dim=96, depth=6, heads=3, mlp_dim=192, token_dim=32,
                            splits=((3, 2, 1), (3, 2, 1)))
