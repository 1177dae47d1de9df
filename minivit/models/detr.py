"""End-to-End Object Detection with Transformers (DETR).  Carion et al., ECCV 2020, arXiv:2005.12872.

The objects of a picture are a set, and a set is what the model returns. Q learned queries look at the picture through a
Transformer, all at once and seeing each other; each answers with one object, its class and its box, or with "none".
Nothing is proposed before and nothing is suppressed afterwards: that no two queries name the same object is learned
from a loss that matches answers and objects one to one (`minivit.tasks.detect`).

    B batch    D width    H x W grid of the backbone, N = H W    Q queries    K classes, "no object" is one more
    (B, 800, 800, 3) -> backbone (B, 25, 25, 2048) -> (B, N, D) -> encoder, positions added in every layer (B, N, D)
                     -> decoder of the queries (B, Q, D) -> logits (B, Q, K + 1), boxes (B, Q, 4)

A box is (x, y, width, height), x and y of its centre, as fractions of the picture (without its padding).

Departures from the paper: the authors leave the stem and the first stage of their backbone as ImageNet made them, here
the convolutions are trained with the rest; no dropout acts on the attention probabilities.
"""

import math
from functools import partial

import numpy as np

from ..backend import array_module, to_device
from ..counting import feature_shapes
from ..nn import Dropout, LayerNorm, Linear, Mlp, Module, Parameter, Sequential, freeze_batch_norms, normal
from ..ops import attention, relu, resize, sigmoid
from ..ops.checks import whole
from .resnet import VARIANTS as RESNET
from .resnet import Bottleneck, ResNet

TASK = "detect"  # what its models are made for


def sine_positions(real, dim):
    """Where each place of a grid is, in waves of many lengths (appendix A.4).    bool (B, H, W) -> (B, H W, D) float64

    The first half of the channels tells the row, the second the column: sine and cosine take turns. Places are counted
    in the picture, which is where `real` is True, and scaled so that its last row and column are at 2 pi.
    """
    xp, (B, H, W), half = array_module(real), real.shape, dim // 2
    frequency = 10_000.0 ** -(xp.arange(half) // 2 * 2 / half)
    is_sine, waves = xp.arange(half) % 2 == 0, []
    for axis in (1, 2):
        places = real.cumsum(axis=axis).astype(np.float64)                                  # 1, 2, 3 ...
        last = places[:, -1:] if axis == 1 else places[:, :, -1:]
        angles = (2 * math.pi * places / (last + 1e-6))[..., None] * frequency              # (B, H, W, D/2)
        waves.append(xp.where(is_sine, xp.sin(angles), xp.cos(angles)))
    return xp.concatenate(waves, axis=-1).reshape(B, H * W, dim)                            # (B, N, D)


class PlacedAttention(Module):
    """Attention whose queries, keys and values come from three inputs: positions belong to the first two alone.

    (B, N, D), (B, M, D), (B, M, D) -> (B, N, D). `real` (B, M) is False for keys that are padding.
    """

    def __init__(self, dim, heads):
        if dim % whole("PlacedAttention", "heads", heads):
            raise ValueError(f"PlacedAttention: width {dim} is not divisible by {heads} heads")
        self.heads = heads
        self.query, self.key, self.value, self.proj = (Linear(dim, dim) for _ in range(4))

    def forward(self, query, key, value, real=None):
        """(B, N, D), (B, M, D), (B, M, D) -> (B, N, D)"""
        q, k, v = (self.split(layer(x)) for layer, x in
                   ((self.query, query), (self.key, key), (self.value, value)))
        out = attention(q, k, v, None if real is None else real[:, None, None])   # (B, H, N, d)
        return self.proj(out.transpose(0, 2, 1, 3).reshape(query.shape))          # (B, N, H, d) -> (B, N, D)

    def split(self, x):
        """(B, N, D) -> (B, H, N, d)"""
        B, N, D = x.shape
        return x.reshape(B, N, self.heads, D // self.heads).transpose(0, 2, 1, 3)  # (B, H, N, d)


class EncoderLayer(Module):
    """LN(x + Attention), then LN(x + MLP) (fig. 10, left).    (B, N, D), positions (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, mlp_dim, dropout):
        self.attention, self.norm1 = PlacedAttention(dim, heads), LayerNorm(dim, eps=1e-5)
        self.mlp, self.norm2 = Mlp(dim, mlp_dim, activation=relu, dropout=dropout), LayerNorm(dim, eps=1e-5)
        self.dropout = Dropout(dropout)

    def forward(self, x, positions, real=None):
        """(B, N, D), (B, N, D) -> (B, N, D)"""
        placed = x + positions
        x = self.norm1(x + self.dropout(self.attention(placed, placed, x, real)))
        return self.norm2(x + self.mlp(x))


class DecoderLayer(Module):
    """The queries look at each other, then at the picture, then an MLP (fig. 10, right).    (B, Q, D) -> (B, Q, D)"""

    def __init__(self, dim, heads, *, mlp_dim, dropout):
        self.self_attention, self.norm1 = PlacedAttention(dim, heads), LayerNorm(dim, eps=1e-5)
        self.cross_attention, self.norm2 = PlacedAttention(dim, heads), LayerNorm(dim, eps=1e-5)
        self.mlp, self.norm3 = Mlp(dim, mlp_dim, activation=relu, dropout=dropout), LayerNorm(dim, eps=1e-5)
        self.dropout = Dropout(dropout)

    def forward(self, x, query_positions, memory, positions, real=None):
        """(B, Q, D), (Q, D), (B, N, D), (B, N, D) -> (B, Q, D)"""
        placed = x + query_positions
        x = self.norm1(x + self.dropout(self.self_attention(placed, placed, x)))
        looked = self.cross_attention(x + query_positions, memory + positions, memory, real)
        x = self.norm2(x + self.dropout(looked))
        return self.norm3(x + self.mlp(x))


class Decoder(Module):
    """Object queries, which are learned positions, and the layers that answer them (section 3.2).

    (B, N, D), positions (B, N, D) -> [(B, Q, D), ...], what each layer makes, behind a norm that they share
    """

    def __init__(self, dim, heads, *, queries, depth, mlp_dim, dropout):
        self.query_positions = Parameter((queries, dim), normal(1.0))
        self.layers = [DecoderLayer(dim, heads, mlp_dim=mlp_dim, dropout=dropout) for _ in range(depth)]
        self.norm = LayerNorm(dim, eps=1e-5)

    def forward(self, memory, positions, real=None):
        """(B, N, D), (B, N, D) -> a list of (B, Q, D)"""
        B, (Q, D) = len(memory), self.query_positions.shape
        x, made = array_module(memory.data).zeros((B, Q, D), memory.dtype), []
        for layer in self.layers:
            x = layer(x, self.query_positions, memory, positions, real)
            made.append(self.norm(x))
        return made


def three_layers(dim, outputs):
    """A perceptron of three layers, for each query by itself.    (..., D) -> (..., outputs)"""
    return Sequential(Linear(dim, dim), relu, Linear(dim, dim), relu, Linear(dim, outputs))


class DETR(Module):
    """Backbone, encoder, decoder, and two heads (fig. 2).    (B, height, width, C) -> (B, Q, K + 1), (B, Q, 4)

    Parameters
    ----------
    backbone : callable
        Makes a model with `features`, backbone(num_classes=0, **settings): the last of its grids is what is read.
    num_classes, queries : int
        K, and Q: no picture may have more objects.
    dim, heads, encoder_depth, decoder_depth, mlp_dim : int
        D, the heads of every attention, the numbers of layers, and the width between the two layers of the MLPs.
    dropout : float
        Rate of dropout behind each attention, and behind both layers of the MLPs.
    **settings
        Of the backbone: image_size, channels ...
    """

    def __init__(self, backbone, *, num_classes=91, queries=100, dim=256, heads=8, encoder_depth=6, decoder_depth=6,
                 mlp_dim=2048, dropout=0.1, **settings):
        for name, number in (("queries", queries), ("decoder_depth", decoder_depth), ("num_classes", num_classes)):
            whole("DETR", name, number)
        if dim % 4:
            raise ValueError(f"DETR: dim: {dim} is not divisible by 4: sines and cosines, of rows and of columns")
        self.backbone = backbone(num_classes=0, **settings)
        self.image_size = self.backbone.image_size
        *_, inputs = feature_shapes(self.backbone, (1, *self.image_size, settings.get("channels", 3)))[-1]
        self.project, layer = Linear(inputs, dim), dict(mlp_dim=mlp_dim, dropout=dropout)
        self.encoder = [EncoderLayer(dim, heads, **layer) for _ in range(encoder_depth)]
        self.decoder = Decoder(dim, heads, queries=queries, depth=decoder_depth, **layer)
        self.head, self.box_head = Linear(dim, num_classes + 1), three_layers(dim, 4)

    def forward(self, images, mask=None):
        """What the last layer says: logits of the classes, the last of them "no object", and boxes.

        (B, height, width, C) -> (B, Q, K + 1), (B, Q, 4). Pictures of different sizes are padded, below and to the
        right, to the largest; `mask`, bool (B, height, width), is True where the picture is.
        """
        return self.answer(self.decode(images, mask)[-1])

    def answers(self, images, mask=None):
        """What every layer of the decoder says, as `forward` returns it, for the auxiliary losses (section 3.2)."""
        return [self.answer(x) for x in self.decode(images, mask)]

    def answer(self, x):
        """(B, Q, D) -> (B, Q, K + 1), (B, Q, 4)"""
        return self.head(x), sigmoid(self.box_head(x))

    def decode(self, images, mask=None):
        """What every layer of the decoder makes of the queries.    (B, height, width, C) -> [(B, Q, D), ...]"""
        x, positions, real = self.place(self.backbone.features(images)[-1], mask)
        for layer in self.encoder:
            x = layer(x, positions, real)
        return self.decoder(x, positions, real)

    def place(self, grid, mask=None):
        """The places of a grid as tokens of width D, their positions, and which of them are in the picture.

        (B, H, W, C), bool (B, height, width) or None -> (B, N, D), (B or 1, N, D), bool (B, N) or None
        """
        xp, (B, H, W, _), D = array_module(grid.data), grid.shape, self.project.weight.shape[1]
        real = xp.ones((1, H, W), bool)
        if mask is not None:
            real = resize(to_device(mask, grid.device)[..., None], (H, W), mode="nearest").data[..., 0]  # (B, H, W)
        positions = sine_positions(real, D).astype(grid.dtype)
        x = self.project(grid).reshape(B, H * W, D)                                                      # (B, N, D)
        return x, positions, None if mask is None else real.reshape(B, H * W)                            # (B, N)


def frozen_resnet(*args, **settings):
    """A ResNet whose normalisation stays as it was learned on ImageNet."""
    return freeze_batch_norms(ResNet(*args, **settings))


VARIANTS = {
    "50": partial(DETR, partial(frozen_resnet, Bottleneck, (3, 4, 6, 3))),
    "101": partial(DETR, partial(frozen_resnet, Bottleneck, (3, 4, 23, 3))),
    # for the built-in scenes: trained from the start, so that its backbone normalises by the batch
    "cifar": partial(DETR, RESNET["scenes"], num_classes=6, queries=10, dim=64, heads=4, encoder_depth=2,
                     decoder_depth=2, mlp_dim=128, dropout=0.0),
}
