"""Axial-DeepLab: stand-alone axial-attention for panoptic segmentation.  Wang et al., ECCV 2020, arXiv:2003.07853.

Attention between all places of a map costs the square of their number. Here a place looks at its column, and then at
its row: two steps reach every other place, and cost H + W instead of H W for each. How far away a key is counts for
what the query asks, for what the key answers and for what its value says; so no 3 x 3 convolution is needed any more.

    B batch    H x W grid    C channels    N places of a column or row, at most K    h heads    d = C / h
    s_ij = q_i k_j + q_i r^q_(i-j) + k_j r^k_(j-i)        y_i = sum_j softmax_j(s_ij) (v_j + r^v_(i-j))  (section 3.2)
    50s: (B, 224, 224, 3) -> stem (B, 56, 56, 32) -> four stages (B, 56, 56, 128), (B, 28, 28, 256), (B, 14, 14, 512),
         (B, 7, 7, 1024) -> mean over the grid (B, 1024) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 64), (B, 8, 8, 128), (B, 4, 4, 256) -> (B, 256) -> logits (B, 10)
    along rows: (B, H, W, C) -> (B H, W, C) -> q and k (B H, h, W, d / 2), v (B H, h, W, d) -> (B, H, W, C)

Departures from the paper: those of its authors' PyTorch code. The r are the same for all heads; each of the three terms
and both parts of the values have a BatchNorm, in the place of 1 / sqrt(d). Odd grids, which it cannot halve, are halved
rounding up.
"""

from functools import partial

import numpy as np

from ..engine import no_grad
from ..nn import (BatchNorm2d, ConvNorm, Identity, Linear, LinearNorm, Module, Parameter, Sequential, in_turn, normal,
                  zeros)
from ..ops import avg_pool2d, concatenate, max_pool2d, relu, softmax, stack, take


class AxialAttention(Module):
    """Each place of a row looks at all places of it (section 3.2).    (B, N, C) -> (B, N, C) with N from 1 to K

    The columns of `qkv` are for each head a query, a key and a value; those of `relative` r^q, r^k and r^v, its rows
    the distances from 1 - K to K - 1. `span` is K.
    """

    def __init__(self, dim, heads, *, span):
        if dim % (2 * heads):
            raise ValueError(f"AxialAttention: width {dim} is not divisible by 2 x {heads} heads")
        self.heads, self.span, d = heads, span, dim // heads
        self.qkv = LinearNorm(dim, 2 * dim, initialiser=normal(dim ** -0.5))
        self.relative = Parameter((2 * span - 1, 2 * d), normal(d ** -0.5))
        self.score_norm, self.value_norm = BatchNorm2d(3 * heads), BatchNorm2d(2 * dim)

    def forward(self, x):
        """(B, N, C) -> (B, N, C)"""
        (B, N, C), r = x.shape, self.positions(x.shape[1])                              # (N, N, 2 d)
        weights, v = self.look(x, r)                                                    # (B, h, N, N), (B, h, N, d)
        values = stack([weights @ v, by_place(weights, quarters(r)[2])], axis=-1)       # (B, h, N, d, 2)
        values = values.transpose(0, 2, 1, 3, 4).reshape(B, N, 2 * C)                   # (B, N, 2 C)
        return self.value_norm(values).reshape(B, N, C, 2).sum(axis=-1)                 # (B, N, C)

    def positions(self, places):
        """r of each query and key by their distance i - j.    N -> (N, N, 2 d)"""
        if places > self.span:
            raise ValueError(f"AxialAttention: {places} places in a row are more than the {self.span} that relative "
                             "positions are learned for")
        i = np.arange(places)
        return take(self.relative, i[:, None] - i + self.span - 1)

    def look(self, x, r):
        """What each place takes of each other, and v.    (B, N, C), (N, N, 2 d) -> (B, h, N, N), (B, h, N, d)"""
        B, N, C = x.shape
        x = self.qkv(x).reshape(B, N, self.heads, 2 * C // self.heads).transpose(0, 2, 1, 3)        # (B, h, N, 2 d)
        (q, k, v), (r_q, r_k, _) = quarters(x), quarters(r)
        asked, answered = by_place(q, r_q.swapaxes(1, 2)), by_place(k, r_k.swapaxes(1, 2))          # (B, h, N, N)
        scores = concatenate([q @ k.swapaxes(2, 3), asked, answered.swapaxes(2, 3)], axis=1)        # (B, 3 h, N, N)
        scores = self.score_norm(scores.transpose(0, 2, 3, 1))                                      # (B, N, N, 3 h)
        scores = scores.reshape(B, N, N, 3, self.heads).sum(axis=3).transpose(0, 3, 1, 2)           # (B, h, N, N)
        return softmax(scores), v

    def weights(self, x):
        """What each place takes of each other of its row, for pictures.    (B, N, C) -> (B, h, N, N)"""
        with no_grad():
            return self.look(x, self.positions(x.shape[1]))[0]

    def describe(self):
        """The number of heads, and the span."""
        return f"{self.heads} heads, span {self.span}"


def quarters(x):
    """Both quarters of the first half, and the second half.    (..., 2 d) -> (..., d/2) twice, (..., d)"""
    n = x.shape[-1] // 4
    return x[..., :n], x[..., n:2 * n], x[..., 2 * n:]


def by_place(x, tables):
    """Each place's vectors times a matrix of its own.    (B, h, N, d), (N, d, M) -> (B, h, N, M)"""
    (B, h, N, d), M = x.shape, tables.shape[2]
    x = x.transpose(2, 0, 1, 3).reshape(N, B * h, d) @ tables                           # (N, B h, M)
    return x.reshape(N, B, h, M).transpose(1, 2, 0, 3)                                  # (B, h, N, M)


class AxialBlock(Module):
    """A bottleneck with attention along columns and rows instead of its 3 x 3 convolution (section 3.2).

    (B, H, W, C_in) -> (B, H/stride, W/stride, 2 C); `spans` are the most rows and columns that H and W may be
    """

    def __init__(self, inputs, channels, heads, *, stride, spans):
        self.down, self.stride = ConvNorm(inputs, channels, 1, activation=relu), stride
        self.columns, self.rows = (AxialAttention(channels, heads, span=span) for span in spans)
        self.up = ConvNorm(channels, 2 * channels, 1, norm=partial(BatchNorm2d, initialiser=zeros))
        self.shortcut = Identity() if stride == 1 and inputs == 2 * channels else ConvNorm(
            inputs, 2 * channels, 1, stride=stride)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, 2 C)"""
        y = self.attend(self.down(x))
        if self.stride > 1:
            y = avg_pool2d(y, self.stride, padding="same", count_include_pad=False)
        return relu(self.up(relu(y)) + self.shortcut(x))

    def attend(self, x):
        """Along columns, then along rows.    (B, H, W, C) -> (B, H, W, C)"""
        B, H, W, C = x.shape
        x = self.columns(x.transpose(0, 2, 1, 3).reshape(B * W, H, C))                  # (B W, H, C)
        x = x.reshape(B, W, H, C).transpose(0, 2, 1, 3)                                 # (B, H, W, C)
        return self.rows(x.reshape(B * H, W, C)).reshape(B, H, W, C)                    # (B H, W, C), (B, H, W, C)


class AxialNet(Module):
    """A stem of convolutions, then stages of axial blocks, each with half the grid and twice the width of the last.

    (B, height, width, C) -> (B, num_classes), or (B, features) with num_classes=0. Pictures may be smaller than
    `image_size`, but not larger.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels, which the relative positions are learned for.
    width : int
        Channels behind the stem; the first stage makes four times as many.
    depths : sequence of int
        Blocks of each stage.
    heads : int
        h, the same in all stages.
    """

    halvings = 2  # of the grid in the stem

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, width, depths, heads=8):
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stem, self.stages = self.make_stem(channels, width), []
        spans, inputs = tuple(-(-n // 2 ** self.halvings) for n in self.image_size), width
        for stage, depth in enumerate(depths):
            blocks, C = [], 2 * width * 2 ** stage
            for index in range(depth):
                stride = 2 if stage and not index else 1
                blocks.append(AxialBlock(inputs, C, heads, stride=stride, spans=spans))
                inputs, spans = 2 * C, tuple(-(-n // stride) for n in spans)
            self.stages.append(Sequential(*blocks))
        self.head = Linear(inputs, num_classes) if num_classes else Identity()

    def make_stem(self, channels, width):
        """That of a ResNet: 7 x 7 pixels, and max pooling."""
        return Sequential(ConvNorm(channels, width, 7, stride=2, activation=relu),
                          partial(max_pool2d, kernel=3, stride=2, padding=1))

    def features(self, images):
        """What each stage makes.    (B, height, width, C) -> [(B, H, W, 4 width), (B, H/2, W/2, 8 width), ...]"""
        return list(in_turn(self.stages, self.stem(images)))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.features(images)[-1].mean(axis=(1, 2)))


class AxialCIFAR(AxialNet):
    """For 32 x 32 pictures, with a stem of 3 x 3 pixels and stride 2.    (B, H, W, 3) -> (B, num_classes)"""

    halvings = 1

    def __init__(self, *, image_size=32, num_classes=10, **settings):
        super().__init__(image_size=image_size, num_classes=num_classes, **settings)

    def make_stem(self, channels, width):
        """3 x 3 pixels, no pooling."""
        return ConvNorm(channels, width, 3, stride=2, activation=relu)


# the sizes of the authors' PyTorch code
VARIANTS = {
    "26s": partial(AxialNet, width=32, depths=(1, 2, 4, 1)),
    "50s": partial(AxialNet, width=32, depths=(3, 4, 6, 3)),
    "50m": partial(AxialNet, width=48, depths=(3, 4, 6, 3)),
    "50l": partial(AxialNet, width=64, depths=(3, 4, 6, 3)),
    "cifar": partial(AxialCIFAR, width=16, depths=(1, 2, 3), heads=4),
}
