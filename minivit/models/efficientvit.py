"""EfficientViT: memory efficient Vision Transformer with cascaded group attention.  Liu et al., CVPR 2023, 2305.07027.

What takes the time of a small Transformer is the moving of numbers in attention, not arithmetic. So a block has one
attention between two MLPs (a sandwich), and each head sees a share of the channels only. So that heads do not learn the
same, they stand in a cascade: each adds what the one before found to its own share, which makes the model deeper too.

This is Microsoft's EfficientViT (M0 to M5). The other of that name, by MIT, has linear attention.

    B batch    H x W grid    C width    h heads    d width of a key    C / h width of a value    M window    n = M M
    w number of windows
    (B, 224, 224, 3) -> stem (B, 14, 14, 128) -> (B, 7, 7, 256) -> (B, 4, 4, 384) -> mean (B, 384) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 8, 8, 64) -> (B, 4, 4, 96) -> (B, 2, 2, 128) -> mean (B, 128) -> logits (B, 10)
    attention: (B, H, W, C) -> windows (B w, M, M, C) -> h shares (B w, M, M, C / h), one head after the other
               -> joined (B w, M, M, C) -> (B, H, W, C)

Grids that do not divide into windows are padded below and on the right with zeros, which are attended to. Nearly all
weights have a BatchNorm behind them, which `fold` takes away.

Departures from the paper: none. What it leaves open is as in the authors' code: windows, the depthwise convolutions'
kernels, ReLU before the last map of attention.
"""

from functools import partial

from ..engine import no_grad
from ..nn import (BatchNorm2d, ConvNorm, LinearNorm, MBConv, Module, Parameter, Sequential, SqueezeExcite,
                  absolute_offsets, in_turn, offset_bias, zeros)
from ..ops import attention, attention_weights, concatenate, relu, split
from .levit import Mlp, coarser, conv_stem, head, starts_as_nothing
from .poolformer import Stage
from .pvt import as_tokens
from .swin import pad_to_multiple, window_partition, window_reverse


class CascadedGroupAttention(Module):
    """Head i sees its share of the channels plus what head i - 1 found (section 3.1, eq. 2, 3).

    (B, M, M, C) -> (B, M, M, C). Queries go through a depthwise convolution; scores have a bias for each |dy|, |dx|.

    Parameters
    ----------
    dim, heads, key_dim : int
        C, h and d.
    size : int
        M.
    kernels : sequence of int
        Of the convolution of each head's queries.
    """

    def __init__(self, dim, heads, *, key_dim, size, kernels):
        if dim % heads:
            raise ValueError(f"CascadedGroupAttention: width {dim} is not divisible by {heads} heads")
        if len(kernels) < heads:
            raise ValueError(f"kernels: expected one for each of {heads} heads, got {tuple(kernels)}")
        self.heads, self.widths = heads, (key_dim, key_dim, dim // heads)
        self.qkv = [LinearNorm(dim // heads, sum(self.widths)) for _ in range(heads)]
        self.depthwise = [ConvNorm(key_dim, key_dim, kernel, groups=key_dim) for kernel in kernels[:heads]]
        self.bias_table, self.index = Parameter((size * size, heads), zeros), absolute_offsets((size, size))
        self.proj = LinearNorm(dim, dim, norm=starts_as_nothing)

    def forward(self, x):
        """(B, M, M, C) -> (B, M, M, C)"""
        found = [found for found, *_ in self.cascade(x)]
        return self.proj(relu(concatenate(found, axis=-1)))

    def cascade(self, x):
        """One head after the other: what it found, and its queries, keys and biases.

        (B, M, M, C) -> h times (B, M, M, C / h), (B, 1, n, d), (B, 1, n, d), (1, n, n)
        """
        biases, found = offset_bias(self.bias_table, self.index), None
        for i, share in enumerate(split(x, [self.widths[-1]] * self.heads, axis=-1)):
            q, k, v = split(self.qkv[i](share if found is None else share + found), self.widths, axis=-1)
            q, k, v = (as_tokens(y)[:, None] for y in (self.depthwise[i](q), k, v))    # (B, 1, n, d), and C / h
            bias = biases[i:i + 1]
            found = attention(q, k, v, bias).reshape(share.shape)                      # (B, M, M, C / h)
            yield found, q, k, bias

    def weights(self, x):
        """What each query looks at, for pictures: the attention probabilities.    (B, M, M, C) -> (B, h, n, n)"""
        with no_grad():
            return concatenate([attention_weights(*looking) for _, *looking in self.cascade(x)], axis=1)

    def describe(self):
        """The number of heads, and their widths."""
        key, _, value = self.widths
        return f"{self.heads} heads, keys of {key}, values of {value}"


class WindowedAttention(Module):
    """Cascaded group attention within windows of M x M.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, heads, *, size, **settings):
        self.size, self.attention = size, CascadedGroupAttention(dim, heads, size=size, **settings)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        (_, H, W, C), M = x.shape, self.size
        x = pad_to_multiple(x, M)                                                         # (B, H', W', C)
        windows = self.attention(window_partition(x, M).reshape(-1, M, M, C))             # (B w, M, M, C)
        return window_reverse(windows, M, x.shape[1:3])[:, :H, :W]

    def describe(self):
        """The window."""
        return f"windows of {self.size} x {self.size}"


class Residual(Module):
    """x + branch(x), any shape."""

    def __init__(self, branch):
        self.branch = branch

    def forward(self, x):
        """Any shape, unchanged."""
        return x + self.branch(x)


def local_mlp(dim, norm=BatchNorm2d):
    """x + depthwise 3 x 3 convolution, then x + MLP(x): both ends of the sandwich (eq. 1).

    -> two Modules, (B, H, W, C) -> (B, H, W, C)
    """
    return Residual(ConvNorm(dim, dim, 3, groups=dim, norm=norm)), Residual(Mlp(dim, relu))


def Block(dim, heads, **settings):
    """Attention between two MLPs: the sandwich (fig. 6, eq. 1).    (B, H, W, C) -> (B, H, W, C)"""
    return Sequential(*local_mlp(dim, starts_as_nothing), Residual(WindowedAttention(dim, heads, **settings)),
                      *local_mlp(dim, starts_as_nothing))


def Shrink(inputs, outputs):
    """An inverted residual block with stride 2 between two MLPs (section 3.2).    (B, H, W, C) -> (B, H/2, W/2, C')"""
    excite = partial(SqueezeExcite, hidden=max(8, (inputs + 4) // 8 * 8))
    return Sequential(*local_mlp(inputs), MBConv(inputs, outputs, hidden=4 * inputs, stride=2, excite=excite,
                                                 activation=relu), *local_mlp(outputs))


class EfficientViT(Module):
    """A stem, stages that halve the grid (fig. 6), the mean of the tokens, and a linear head behind a BatchNorm.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures of any size are
    accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that it is made for: no window is larger than their grids.
    dims, depths, heads : sequence of int
        C, blocks and h of each stage.
    key_dim, window : int
        d and M, everywhere the same, but for grids that are smaller than M.
    kernels : sequence of int
        Of the depthwise convolution of the first head's queries, the second's, and so on.
    halvings : int
        Convolutions of the stem.
    """

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, dims, depths, heads, key_dim=16, window=7,
                 kernels=(5, 5, 5, 5), halvings=4):
        if not len(dims) == len(depths) == len(heads):
            raise ValueError(f"dims, depths, heads: expected one number for each stage, got {dims}, {depths} and "
                             f"{heads}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        grid = tuple(n // 2 ** halvings for n in self.image_size)
        if min(grid) < 1:
            raise ValueError(f"image_size: expected at least {2 ** halvings} pixels, got {self.image_size}")
        self.window, self.stages, before = window, [], conv_stem(channels, dims[0], halvings, relu)
        for C, depth, h, following in zip(dims, depths, heads, [*dims[1:], None], strict=True):
            settings = dict(key_dim=key_dim, size=min(window, *grid), kernels=kernels)
            self.stages.append(Stage(before, [Block(C, h, **settings) for _ in range(depth)]))
            before, grid = Shrink(C, following) if following else None, coarser(grid, 2)
        self.head = head(dims[-1], num_classes)

    def features(self, images):
        """What each stage makes.    (B, height, width, C) -> [(B, H, W, dims[0]), (B, H/2, W/2, dims[1]), ...]"""
        return list(in_turn(self.stages, images))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.features(images)[-1].mean(axis=(1, 2)))


# table 1; "cifar" is our own size
VARIANTS = {name: partial(EfficientViT, dims=dims, depths=depths, heads=heads, kernels=kernels)
            for name, dims, depths, heads, kernels in [
    ("M0", (64, 128, 192), (1, 2, 3), (4, 4, 4), (5, 5, 5, 5)),
    ("M1", (128, 144, 192), (1, 2, 3), (2, 3, 3), (7, 5, 3, 3)),
    ("M2", (128, 192, 224), (1, 2, 3), (4, 3, 2), (7, 5, 3, 3)),
    ("M3", (128, 240, 320), (1, 2, 3), (4, 3, 4), (5, 5, 5, 5)),
    ("M4", (128, 256, 384), (1, 2, 3), (4, 4, 4), (7, 5, 3, 3)),
    ("M5", (192, 288, 384), (1, 3, 4), (3, 3, 4), (7, 5, 3, 3))]}
VARIANTS["cifar"] = partial(EfficientViT, image_size=32, num_classes=10, dims=(64, 96, 128), depths=(1, 2, 2),
                            heads=(4, 4, 4), window=4, halvings=2)
