"""Stand-alone self-attention in vision models.  Ramachandran et al., NeurIPS 2019, arXiv:1906.05909.

A ResNet's 3 x 3 convolutions are replaced by attention of each place to the K x K places around it: what a place takes
of its neighbours is not learned once for each offset, but follows from what is there. A learned vector for the row and
one for the column of an offset let a query ask for what is above it, or to its left.

    B batch    H x W grid    C channels    N = H W    h heads    d = C / h    K window
    y_ij = sum_ab softmax_ab(q_ij (k_ab + r_(a-i, b-j))) v_ab, with a, b in the window around i, j          (eq. 2, 3)
    50: (B, 224, 224, 3) -> stem (B, 56, 56, 64) -> stages of bottlenecks (B, 56, 56, 256), (B, 28, 28, 512),
        (B, 14, 14, 1024), (B, 7, 7, 2048) -> mean over the grid (B, 2048) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 32, 32, 64), (B, 16, 16, 128), (B, 8, 8, 256), (B, 4, 4, 512) -> (B, 512) -> (B, 10)
    attention: (B, H, W, C) -> q (B N, h, 1, d), k and v (B N, h, K K, d) -> (B, H, W, C)

What lies outside the map is 0: its keys are r alone and its values nothing. With a stride the result is averaged over
2 x 2 places. In "full" networks the stem is attention too, within blocks of 4 x 4 pixels.

Departures from the paper: the maps of queries, keys and values read all channels, since its numbers of parameters are
theirs; its text has one map for the channels of each head. Where it is silent on the stem, it has 8 heads, 4 mixtures
and vectors of places as wide as its output. Odd grids are halved rounding up.
"""

from functools import partial

from ..engine import no_grad
from ..nn import Linear, Module, Parameter, normal
from ..ops import attention, attention_weights, avg_pool2d, concatenate, expand, max_pool2d, relu, softmax, unfold
from .resnet import Bottleneck, ResNet, ResNetCIFAR


class LocalAttention(Module):
    """Each place attends to the K x K places around it (eq. 3), in place of a convolution.

    (B, H, W, C) -> (B, H/stride, W/stride, C)

    Parameters
    ----------
    dim, heads, window : int
        C, h and K, an odd number.
    stride : int
        How many rows and columns of results are averaged to one.
    """

    def __init__(self, dim, heads, *, window, stride=1):
        if dim % (2 * heads) or window % 2 == 0:
            raise ValueError(f"LocalAttention: expected a width that 2 x {heads} heads divide and an odd window, got "
                             f"{dim} and {window}")
        self.heads, self.window, self.stride = heads, window, stride
        self.query, self.key_value = Linear(dim, dim, bias=False), Linear(dim, 2 * dim, bias=False)
        self.rows, self.columns = (Parameter((window, heads, dim // heads // 2), normal(dim ** -0.5)) for _ in range(2))

    def forward(self, x):
        """(B, H, W, C) -> (B, H/stride, W/stride, C)"""
        q, k, v = self.parts(x)                                                         # (B N, h, 1 or K K, d)
        y = attention(q, k, v, self.asked(q), scale=1.0).reshape(x.shape)               # (B, H, W, C)
        return y if self.stride == 1 else avg_pool2d(y, self.stride, padding="same", count_include_pad=False)

    def parts(self, x):
        """q, and k and v of the places in its window.    (B, H, W, C) -> (B N, h, 1, d), 2 (B N, h, K K, d)"""
        (B, H, W, C), h, K = x.shape, self.heads, self.window
        q = self.query(x).reshape(B * H * W, h, 1, C // h)                              # (B N, h, 1, d)
        k_v = unfold(self.key_value(x), K, padding=K // 2)                              # (B, N, K K 2 C)
        k, v = k_v.reshape(B * H * W, K * K, 2, h, C // h).transpose(2, 0, 3, 1, 4)     # 2 (B N, h, K K, d)
        return q, k, v

    def asked(self, q):
        """What queries ask of the offsets in their windows, q r.    (B N, h, 1, d) -> (B N, h, 1, K K)"""
        K, h, half = self.rows.shape
        rows, columns = (expand(x, (K, K, h, half)) for x in (self.rows[:, None], self.columns))
        r = concatenate([rows, columns], axis=-1).reshape(K * K, h, 2 * half)           # (K K, h, d)
        scores = q.transpose(2, 1, 0, 3)[0] @ r.transpose(1, 2, 0)                      # (h, B N, d) @ (h, d, K K)
        return scores.transpose(1, 0, 2)[:, :, None]                                    # (B N, h, 1, K K)

    def weights(self, x):
        """What each place takes of those in its window, for pictures.    (B, H, W, C) -> (B, h, N, K K)"""
        with no_grad():
            q, k, _ = self.parts(x)
            shares = attention_weights(q, k, self.asked(q), scale=1.0)[:, :, 0]         # (B N, h, K K)
        (B, H, W, _), h, K = x.shape, self.heads, self.window
        return shares.reshape(B, H * W, h, K * K).transpose(0, 2, 1, 3)                 # (B, h, N, K K)

    def describe(self):
        """The window and the number of heads."""
        return f"{self.window} x {self.window}, {self.heads} heads"


class AttentionBottleneck(Bottleneck):
    """A ResNet's bottleneck with attention as its middle (section 3.1).

    (B, H, W, C_in) -> (B, H/stride, W/stride, 4 C)
    """

    heads, window = 8, 7

    def __init__(self, inputs, channels, stride):
        super().__init__(inputs, channels, stride)
        self.conv2 = LocalAttention(channels, self.heads, window=self.window, stride=stride)


class SmallBottleneck(AttentionBottleneck):
    """For small pictures.    (B, H, W, C_in) -> (B, H/stride, W/stride, 4 C)"""

    heads, window = 4, 5


class AttentionStem(Module):
    """Attention within blocks of P x P pixels, whose values depend on where in the block a pixel is (section 3.2).

    (B, H, W, C_in) -> (B, H, W, C): v_ab = sum_m p(a, b, m) W_m x_ab, p = softmax_m((row_a + column_b) nu_m)
    """

    def __init__(self, inputs, dim, heads=8, *, block=4, mixtures=4):
        self.heads, self.block, self.mixtures = heads, block, mixtures
        self.query_key = Linear(inputs, 2 * dim, bias=False)
        self.values = Linear(inputs, mixtures * dim, bias=False)
        self.rows, self.columns = (Parameter((block, dim), normal(dim ** -0.5)) for _ in range(2))
        self.mixing = Linear(dim, mixtures, bias=False)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H, W, C)"""
        (B, H, W, _), P, h = x.shape, self.block, self.heads
        x = self.blocks_of(x)                                                           # (B n, P P, C_in)
        q_k = self.query_key(x)                                                         # (B n, P P, 2 C)
        n, d = len(x), q_k.shape[-1] // 2 // h
        q, k = q_k.reshape(n, P * P, 2, h, d).transpose(2, 0, 3, 1, 4)                  # 2 (B n, h, P P, d)
        v = self.mixed(x).reshape(n, P * P, h, d).transpose(0, 2, 1, 3)                 # (B n, h, P P, d)
        y = attention(q, k, v, scale=1.0).transpose(0, 2, 1, 3)                         # (B n, P P, h, d)
        y = y.reshape(B, H // P, W // P, P, P, h * d).transpose(0, 1, 3, 2, 4, 5)       # (B, H/P, P, W/P, P, C)
        return y.reshape(B, H, W, h * d)                                                # (B, H, W, C)

    def blocks_of(self, x):
        """The pixels of each block.    (B, H, W, C) -> (B n, P P, C) with n = H W / P^2"""
        (B, H, W, C), P = x.shape, self.block
        if H % P or W % P:
            raise ValueError(f"images: {H} x {W} pixels do not divide into blocks of {P} x {P}")
        x = x.reshape(B, H // P, P, W // P, P, C).transpose(0, 1, 3, 2, 4, 5)           # (B, H/P, W/P, P, P, C)
        return x.reshape(B * (H // P) * (W // P), P * P, C)                             # (B n, P P, C)

    def mixed(self, x):
        """The value of each pixel, by a map that is mixed for its place.    (B n, P P, C_in) -> (B n, P P, C)"""
        n, places, M = len(x), self.block ** 2, self.mixtures
        p = softmax(self.mixing(self.rows[:, None] + self.columns)).reshape(places, M, 1)           # (P P, M, 1)
        values = self.values(x)                                                                     # (B n, P P, M C)
        return (values.reshape(n, places, M, values.shape[-1] // M) * p).sum(axis=2)                # (B n, P P, C)


class FullAttentionNetwork(ResNet):
    """With attention in the stem, and max pooling over its blocks behind it; the settings are those of ResNet.

    (B, height, width, C) -> (B, num_classes). Height and width have to divide by 4.
    """

    def __init__(self, block, depths, *, width=64, channels=3, num_classes=1000):
        super().__init__(block, depths, width=width, channels=channels, num_classes=num_classes)
        self.stem = AttentionStem(channels, width)

    def embed(self, images):
        """The stem.    (B, H, W, C) -> (B, H/4, W/4, width)"""
        return max_pool2d(relu(self.norm(self.stem(images))), self.stem.block)


# table 1: with a convolutional stem, and with attention everywhere; "cifar" is our own size
DEPTHS = {"26": (1, 2, 4, 1), "38": (2, 3, 5, 2), "50": (3, 4, 6, 3)}
VARIANTS = {name: partial(ResNet, AttentionBottleneck, depths) for name, depths in DEPTHS.items()}
VARIANTS |= {f"{name}-full": partial(FullAttentionNetwork, AttentionBottleneck, depths)
             for name, depths in DEPTHS.items()}
VARIANTS["cifar"] = partial(ResNetCIFAR, SmallBottleneck, (1, 1, 2, 2), width=16)
