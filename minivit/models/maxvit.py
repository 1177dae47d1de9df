"""MaxViT: Multi-Axis Vision Transformer.  Tu et al., ECCV 2022, arXiv:2204.01697.

Attention of all pixels to all is split in two of linear cost: within windows of neighbours (block attention), and
within groups of pixels that lie evenly spread over the whole grid (grid attention). Both cut the grid with the same
reshape, but for which of two axes is the window; one after the other, they carry anything anywhere. A convolution
(MBConv) goes before each such pair, and stands for positions too.

    B batch    H x W grid    C channels    M window    G grid attention's groups are G x G    h heads
    w number of windows    n = M M or G G tokens in a window
    (B, 224, 224, 3) -> stem (B, 112, 112, 64) -> four stages (B, 56, 56, C), (B, 28, 28, 2C), (B, 14, 14, 4C),
                     (B, 7, 7, 8C) -> mean over the grid (B, 8C) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> stem (B, 16, 16, 32) -> two stages (B, 8, 8, 64), (B, 4, 4, 128) -> logits (B, 10)
    attention: (B, H, W, C) -> windows (B w, n, C) -> attention -> (B w, n, C) -> (B, H, W, C)

On a grid with a side shorter than M or G, windows and groups are as small as that side.

Departures from the paper: where it is silent, everything is as in the authors' code: a norm before MBConv and none
behind it, a quarter of the block's channels in squeeze and excitation, GELU by tanh, and a hidden layer with tanh
before the logits. But batch norm's running averages move by a tenth each step, as in timm; there by a hundredth.
"""

from functools import partial

from ..nn import (BatchNorm2d, Conv2d, ConvNorm, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Sequential,
                  SqueezeExcite, drop_path_rates, in_turn, truncated_normal)
from ..ops import avg_pool2d, gelu_tanh, silu, tanh
from .swin import WindowAttention, window_partition, window_reverse

ConvNormGELU = partial(ConvNorm, norm=partial(BatchNorm2d, eps=1e-3), activation=gelu_tanh, padding="same")


class Shortcut(Module):
    """The mean of 2 x 2 pixels, and 1 x 1 to other channels.    (B, H, W, C_in) -> (B, H/2, W/2, C), rounded up"""

    def __init__(self, inputs, outputs):
        self.expand = Identity() if inputs == outputs else Conv2d(inputs, outputs, 1)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/2, W/2, C)"""
        return self.expand(avg_pool2d(x, 2, padding="same", count_include_pad=False))


class MBConv(Module):
    """x + MBConv(norm(x)), or with stride 2 Proj(Pool(x)) + MBConv(norm(x)) (appendix A.1).

    (B, H, W, C_in) -> (B, H/stride, W/stride, C), rounded up
    """

    def __init__(self, inputs, outputs, *, stride=1, drop_path=0.0):
        hidden = 4 * outputs
        self.norm = BatchNorm2d(inputs, eps=1e-3)
        self.expand = ConvNormGELU(inputs, hidden, 1)
        self.depthwise = ConvNormGELU(hidden, hidden, 3, stride=stride, groups=hidden)
        self.excite = SqueezeExcite(hidden, outputs // 4, activation=silu)
        self.project, self.drop_path = Conv2d(hidden, outputs, 1), DropPath(drop_path)
        self.shortcut = Shortcut(inputs, outputs) if stride == 2 else Identity()

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
        y = self.project(self.excite(self.depthwise(self.expand(self.norm(x)))))
        return self.shortcut(x) + self.drop_path(y)


def grid_partition(x, groups):
    """Cut a grid into groups of G x G tokens, H/G and W/G apart (fig. 3).    (B, H, W, C) -> (B w, n, C)"""
    (B, H, W, C), G = x.shape, groups
    x = x.reshape(B, G, H // G, G, W // G, C).transpose(0, 2, 4, 1, 3, 5)  # (B, H/G, W/G, G, G, C)
    return x.reshape(-1, G * G, C)                                         # (B w, n, C)


def grid_reverse(windows, groups, grid):
    """Put the groups of a grid (H, W) back to their places.    (B w, n, C) -> (B, H, W, C)"""
    (H, W), G, C = grid, groups, windows.shape[-1]
    x = windows.reshape(-1, H // G, W // G, G, G, C).transpose(0, 3, 1, 4, 2, 5)  # (B, G, H/G, G, W/G, C)
    return x.reshape(-1, H, W, C)                                                 # (B, H, W, C)


class BlockAttention(Module):
    """x + Attention(LN(x)) within windows of neighbours, then x + MLP(LN(x)) (section 3.2).

    (B, H, W, C) -> (B, H, W, C). `size` is M.
    """

    partition, reverse = staticmethod(window_partition), staticmethod(window_reverse)

    def __init__(self, dim, heads, *, size, drop_path=0.0):
        self.norm1, self.attention = LayerNorm(dim, eps=1e-5), WindowAttention(dim, heads, window=size)
        self.norm2, self.mlp = LayerNorm(dim, eps=1e-5), Mlp(dim, 4 * dim, activation=gelu_tanh)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.attend(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def attend(self, x):
        """Cut the grid, attend within each part, and put it together again.    (B, H, W, C) -> (B, H, W, C)"""
        grid = x.shape[1:3]
        size = min(self.attention.window, *grid)
        if any(n % size for n in grid):
            raise ValueError(f"{type(self).__name__}: a grid of {grid[0]} x {grid[1]} does not divide into windows of "
                             f"{size} x {size}")
        windows = self.attention(self.partition(x, size))    # (B w, n, C)
        return self.reverse(windows, size, grid)             # (B, H, W, C)


class GridAttention(BlockAttention):
    """The same within groups of tokens from all over the grid.    (B, H, W, C) -> (B, H, W, C). `size` is G."""

    partition, reverse = staticmethod(grid_partition), staticmethod(grid_reverse)


def Block(inputs, dim, *, head_dim, window, grid, stride, drop_path):
    """MBConv, block attention, grid attention (fig. 2).    (B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
    return Sequential(MBConv(inputs, dim, stride=stride, drop_path=drop_path),
                      BlockAttention(dim, dim // head_dim, size=window, drop_path=drop_path),
                      GridAttention(dim, dim // head_dim, size=grid, drop_path=drop_path))


class MaxViT(Module):
    """A stem, stages that halve the grid, and a head with one hidden layer (fig. 2).

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. The grid of each stage, which is
    that of the stage before halved and rounded up, must divide into windows.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    stem : int
        Channels of the stem's two convolutions.
    dims, depths : sequence of int
        Channels and blocks of each stage.
    head_dim : int
        Channels of each head of attention.
    window, grid : int
        M and G.
    drop_path : float
        As for ViT.
    """

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, stem=64, dims, depths, head_dim=32, window=7,
                 grid=7, drop_path=0.0):
        if len(dims) != len(depths):
            raise ValueError(f"dims, depths: expected one number for each stage, got {dims} and {depths}")
        if any(dim % head_dim for dim in dims):
            raise ValueError(f"dims: expected multiples of head_dim={head_dim}, got {dims}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stem = Sequential(ConvNormGELU(channels, stem, 3, stride=2, bias=True),
                               Conv2d(stem, stem, 3, padding="same"))
        self.stages, inputs = [], stem
        for dim, rates in zip(dims, drop_path_rates(drop_path, depths), strict=True):
            self.stages.append(Sequential(*[
                Block(dim if index else inputs, dim, head_dim=head_dim, window=window, grid=grid,
                      stride=1 if index else 2, drop_path=rate) for index, rate in enumerate(rates)]))
            inputs = dim
        self.norm, self.hidden = LayerNorm(inputs, eps=1e-5), Linear(inputs, inputs)
        self.head = Linear(inputs, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes, as timm's `features_only` gives it behind the stem.

        (B, height, width, C) -> [(B, height / 4, width / 4, dims[0]), (B, height / 8, width / 8, dims[1]), ...]
        """
        return list(in_turn(self.stages, self.stem(images)))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        x = self.norm(self.features(images)[-1].mean(axis=(1, 2)))    # (B, last of dims)
        return self.head(tanh(self.hidden(x)))


# table 1; "cifar" is our own size
VARIANTS = {
    "tiny": partial(MaxViT, dims=(64, 128, 256, 512), depths=(2, 2, 5, 2)),
    "small": partial(MaxViT, dims=(96, 192, 384, 768), depths=(2, 2, 5, 2)),
    "base": partial(MaxViT, dims=(96, 192, 384, 768), depths=(2, 6, 14, 2)),
    "large": partial(MaxViT, stem=128, dims=(128, 256, 512, 1024), depths=(2, 6, 14, 2)),
    "xlarge": partial(MaxViT, stem=192, dims=(192, 384, 768, 1536), depths=(2, 6, 14, 2)),
    "cifar": partial(MaxViT, image_size=32, num_classes=10, stem=32, dims=(64, 128), depths=(2, 2), window=4, grid=4),
}
