"""EfficientFormer: Vision Transformers at MobileNet speed.  Li et al., NeurIPS 2022, arXiv:2206.01191.

What a layer costs on a phone is measured, not counted, and the network is made of what turned out to be cheap. Most of
it works on maps with convolutions, BatchNorm (which `fold` takes away) and the mean of neighbours as token mixer; only
the last blocks, on the coarsest grid, work on tokens with LayerNorm and attention. So maps are made into tokens once.

    B batch    H x W grid    C width    h heads    d width of a key    4 d width of a value
    (B, 224, 224, 3) -> stem (B, 56, 56, 48) -> (B, 28, 28, 96) -> (B, 14, 14, 224) -> (B, 7, 7, 448)
                     -> mean (B, 448) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 32) -> (B, 8, 8, 64) -> (B, 4, 4, 128) -> mean (B, 128) -> logits (B, 10)
    attention: queries and keys (B, h, H W, d), values (B, h, H W, 4 d)

The paper's models have two heads, one for the label and one for what a teacher says, as DeiT has; both read the mean.
In training the model returns both logits, a pair, for the losses in `minivit.tasks.distil`; in `eval()` their mean.

Departures from the paper: none. Where it is silent, everything is as in the authors' code: no norm before the pooling.
"""

from copy import copy
from functools import partial

from ..nn import (BatchNorm2d, Conv2d, ConvNorm, DropPath, Identity, LayerNorm, LayerScale, Linear, Mlp, Module,
                  Sequential, drop_path_rates, fold_after, in_turn, truncated_normal)
from ..ops import gelu, relu, split
from .levit import OffsetAttention, TwoHeads, coarser
from .poolformer import Pooling, Stage


def conv_stem(channels, dim, halvings):
    """3 x 3 convolutions with stride 2, their norms and ReLU.

    (B, height, width, channels) -> (B, H, W, dim) with H = height / 2^halvings, rounded up
    """
    widths = [channels, *(dim // 2 ** step for step in reversed(range(halvings)))]
    return Sequential(*(ConvNorm(inputs, outputs, 3, stride=2, bias=True, activation=relu)
                        for inputs, outputs in zip(widths[:-1], widths[1:], strict=True)))


class ConvMlp(Module):
    """1 x 1 convolution, norm, GELU, 1 x 1 convolution, norm.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, hidden):
        self.linear1, self.norm1 = Conv2d(dim, hidden, 1), BatchNorm2d(hidden)
        self.linear2, self.norm2 = Conv2d(hidden, dim, 1), BatchNorm2d(dim)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return self.norm2(self.linear2(gelu(self.norm1(self.linear1(x)))))

    def folded(self):
        """The same with the norms in the convolutions."""
        mlp = copy(self)
        mlp.linear1, mlp.norm1 = fold_after(self.linear1, self.norm1), Identity()
        mlp.linear2, mlp.norm2 = fold_after(self.linear2, self.norm2), Identity()
        return mlp


class PoolingBlock(Module):
    """x + scale Pooling(x), then x + scale MLP(x): the 4-D block.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, *, mlp_dim, layer_scale, drop_path=0.0):
        self.mixer, self.scale1 = Pooling(), LayerScale(dim, layer_scale)
        self.mlp, self.scale2 = ConvMlp(dim, mlp_dim), LayerScale(dim, layer_scale)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.scale1(self.mixer(x)))
        return x + self.drop_path(self.scale2(self.mlp(x)))


class Attention(OffsetAttention):
    """LeViT's, with a bias for each distance, but linear maps without norms.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, heads, *, key_dim, grid):
        super().__init__(heads, key_dim=key_dim, value_dim=4 * key_dim, grid=grid,
                         proj=Linear(heads * 4 * key_dim, dim), activation=Identity())
        self.qkv = Linear(dim, heads * 6 * key_dim)  # head by head its query, key and value

    def queries_keys_values(self, x):
        """(B, H, W, C) -> (B, h, H W, d), (B, h, H W, d), (B, h, H W, 4 d)"""
        return split(self.by_head(self.qkv(x)), (self.key_dim, self.key_dim, self.value_dim), axis=-1)


class AttentionBlock(Module):
    """x + scale Attention(LN(x)), then x + scale MLP(LN(x)): the 3-D block.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, attention, *, mlp_dim, layer_scale, drop_path=0.0):
        self.norm1, self.attention, self.scale1 = LayerNorm(dim, eps=1e-5), attention, LayerScale(dim, layer_scale)
        self.norm2, self.mlp = LayerNorm(dim, eps=1e-5), Mlp(dim, mlp_dim)
        self.scale2, self.drop_path = LayerScale(dim, layer_scale), DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.scale1(self.attention(self.norm1(x))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))


class EfficientFormer(Module):
    """A stem, stages that halve the grid, of which the last ends with attention (fig. 3), and a linear head.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures may be smaller than
    `image_size`, but not larger.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the biases of attention are learned for.
    halvings : int
        Convolutions of the stem.
    dims, depths : sequence of int
        C and blocks of each stage.
    attention_blocks : int
        How many of the blocks have attention: the last ones of the last stage.
    heads, key_dim : int
        h and d.
    mlp_ratio : float
        Width between the two layers of the MLPs, in multiples of C.
    layer_scale : float
        Where the factors behind the branches begin.
    drop_path : float
        As for ViT.
    """

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, halvings=2, dims, depths, attention_blocks,
                 heads=8, key_dim=32, mlp_ratio=4, layer_scale=1e-5, drop_path=0.0):
        if len(dims) != len(depths):
            raise ValueError(f"dims, depths: expected one number for each stage, got {dims} and {depths}")
        if not 0 <= attention_blocks <= depths[-1]:
            raise ValueError(f"attention_blocks: expected 0 to {depths[-1]}, the depth of the last stage, got "
                             f"{attention_blocks}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        grid = coarser(self.image_size, 2 ** (halvings + len(dims) - 1))
        embed, self.stages = conv_stem(channels, dims[0], halvings), []
        for C, following, rates in zip(dims, [*dims[1:], None], drop_path_rates(drop_path, depths), strict=True):
            pooled = len(rates) - (0 if following else attention_blocks)
            settings = dict(mlp_dim=int(mlp_ratio * C), layer_scale=layer_scale)
            blocks = [PoolingBlock(C, drop_path=rate, **settings) for rate in rates[:pooled]]
            attending = [AttentionBlock(C, Attention(C, heads, key_dim=key_dim, grid=grid), drop_path=rate, **settings)
                         for rate in rates[pooled:]]
            # in the authors' code maps become tokens here, which has a number among the blocks
            self.stages.append(Stage(embed, [*blocks, Identity(), *attending] if attending else blocks))
            embed = ConvNorm(C, following, 3, stride=2, bias=True) if following else None
        self.norm, self.head = LayerNorm(dims[-1], eps=1e-5), head(dims[-1], num_classes)

    def features(self, images):
        """What each stage makes.    (B, height, width, C) -> [(B, H, W, dims[0]), (B, H/2, W/2, dims[1]), ...]"""
        return list(in_turn(self.stages, images))

    def pool(self, images):
        """The mean of the last stage's tokens, behind a norm.    (B, height, width, C) -> (B, last of dims)"""
        return self.norm(self.features(images)[-1]).mean(axis=(1, 2))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.pool(images))


class DistilledEfficientFormer(TwoHeads, EfficientFormer):
    """With a second head, for what a teacher says.    (B, height, width, C) -> (B, num_classes), or two in training"""

    def __init__(self, *, dims, num_classes=1000, **settings):
        super().__init__(dims=dims, num_classes=num_classes, **settings)
        self.distillation_head = head(dims[-1], num_classes)


def head(dim, num_classes):
    """A linear map, or nothing without classes.    (B, dim) -> (B, num_classes)"""
    return Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()


# the table of the appendix; "cifar" is our own size
VARIANTS = {
    "L1": partial(DistilledEfficientFormer, dims=(48, 96, 224, 448), depths=(3, 2, 6, 4), attention_blocks=1),
    "L3": partial(DistilledEfficientFormer, dims=(64, 128, 320, 512), depths=(4, 4, 12, 6), attention_blocks=4),
    "L7": partial(DistilledEfficientFormer, dims=(96, 192, 384, 768), depths=(6, 6, 18, 8), attention_blocks=8),
    "cifar": partial(EfficientFormer, image_size=32, num_classes=10, halvings=1, dims=(32, 64, 128), depths=(2, 2, 4),
                     attention_blocks=2, heads=4, key_dim=16),
}
