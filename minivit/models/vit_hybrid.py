"""Hybrid Vision Transformer: tokens from a ResNet.  Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, section 3.1.

The Transformer reads no patches of pixels but the feature map of a ResNet, whose places are its tokens. The ResNet
needs no statistics of a batch: GroupNorm stands in place of BatchNorm, and the weights of each convolution are
standardised (Big Transfer, arXiv:1912.11370). With little compute hybrids are ahead of ViT, with more they are not.

    B batch    N tokens    D width    P product of the strides    C channels of the ResNet's first stage within blocks
    (B, 224, 224, 3) -> stem (B, 56, 56, C) -> stages (B, 56, 56, 4 C), (B, 28, 28, 8 C), (B, 14, 14, 16 C)
                     -> tokens (B, 196, D) -> with class token (B, 197, D) -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, C) -> (B, 16, 16, 4 C), (B, 8, 8, 8 C) -> (B, 65, D) -> (B, 10)

"R50" with P = 16 has its fourth stage's three blocks in the third stage: depths 3, 4, 9. R26 and the stem alone, "R",
are from arXiv:2106.10270.

Departures from the paper: weights are divided by sqrt(var + 1e-8) and GroupNorm's epsilon is 1e-5, both as in timm;
the authors' JAX code has std + 1e-5 and 1e-6. The last norm of each residual branch begins with the factor 1, there 0.
Convolutions and pooling are padded as there (TensorFlow's "SAME").
"""

import math
from functools import partial

from ..nn import Conv2d, GroupNorm, Identity, Module, PatchEmbed, Sequential, sincos, with_values
from ..ops import conv2d, max_pool2d, mean, relu, sqrt, var
from . import resnet
from .vit import SIZES, ViT

GROUPS = 32


class StdConv(Conv2d):
    """A convolution whose weights have mean 0 and variance 1 for each output (Qiao et al., arXiv:1903.10520).

    (B, H, W, C_in) -> (B, H/stride, W/stride, C_out), rounded up
    """

    def __init__(self, inputs, outputs, kernel, *, stride=1, eps=1e-8):
        super().__init__(inputs, outputs, kernel, stride=stride, padding="same", bias=False)
        self.eps = eps

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C_out)"""
        return conv2d(x, self.standardised(), **self.settings)

    def standardised(self):
        """The weights that it convolves with.    -> (kernel, kernel, C_in, C_out)"""
        of_output = dict(axis=(0, 1, 2), keepdims=True)
        return (self.weight - mean(self.weight, **of_output)) / sqrt(var(self.weight, **of_output) + self.eps)

    def folded(self):
        """A convolution with these weights."""
        kernel, _, inputs, outputs = self.weight.shape
        return with_values(Conv2d(inputs, outputs, kernel, **self.settings), self.standardised().data, None)


class Bottleneck(resnet.Bottleneck):
    """A bottleneck as in ResNet, in which no picture depends on the others of its batch.

    (B, H, W, C_in) -> (B, H/stride, W/stride, 4 C), rounded up
    """

    def __init__(self, inputs, channels, stride):
        outputs = self.expansion * channels
        self.conv1, self.norm1 = StdConv(inputs, channels, 1), GroupNorm(GROUPS, channels)
        self.conv2, self.norm2 = StdConv(channels, channels, 3, stride=stride), GroupNorm(GROUPS, channels)
        self.conv3, self.norm3 = StdConv(channels, outputs, 1), GroupNorm(GROUPS, outputs)
        self.shortcut = Identity() if stride == 1 and inputs == outputs else Sequential(
            StdConv(inputs, outputs, 1, stride=stride), GroupNorm(GROUPS, outputs))


class StemCIFAR(Module):
    """A 3 x 3 convolution with stride 2, for small pictures.    (B, H, W, C_in) -> (B, H/2, W/2, C), rounded up"""

    kernel, stride = 3, 2

    def __init__(self, inputs, outputs):
        self.outputs = outputs
        self.conv, self.norm = StdConv(inputs, outputs, self.kernel, stride=2), GroupNorm(GROUPS, outputs)

    def forward(self, images):
        """(B, H, W, C_in) -> (B, H/2, W/2, C)"""
        return relu(self.norm(self.conv(images)))


class Stem(StemCIFAR):
    """A 7 x 7 convolution and max pooling, each with stride 2.    (B, H, W, C_in) -> (B, H/4, W/4, C), rounded up"""

    kernel, stride = 7, 4

    def forward(self, images):
        """(B, H, W, C_in) -> (B, H/4, W/4, C)"""
        return max_pool2d(super().forward(images), 3, stride=2, padding="same")


class Backbone(Module):
    """A ResNet without its head.    (B, H, W, C_in) -> (B, H/stride, W/stride, outputs), rounded up"""

    def __init__(self, stem, depths, width):
        self.stem, self.body = stem, resnet.Stages(Bottleneck, depths, width, num_classes=0)
        self.stride = stem.stride * 2 ** (len(depths) - 1)
        self.outputs = Bottleneck.expansion * width * 2 ** (len(depths) - 1)

    def forward(self, images):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, outputs)"""
        return self.body.features(self.stem(images))[-1]


class HybridEmbed(Module):
    """A feature map cut into patches, as ViT cuts pictures, and a linear map of each to a token.

    (B, height, width, C_in) -> (B, N, D) with N = (height / P) (width / P), rounded up
    """

    def __init__(self, backbone, channels, patch_size, dim):
        self.backbone, self.proj = backbone, PatchEmbed(patch_size, backbone.outputs, dim)
        self.channels, self.patch_size = channels, patch_size * backbone.stride

    def forward(self, images):
        """(B, height, width, C_in) -> (B, N, D)"""
        return self.proj(self.backbone(images))


class ViTHybrid(ViT):
    """A ViT that reads a ResNet's feature map, of pictures of any size.

    (B, height, width, channels) -> (B, num_classes), or (B, D) with num_classes=0. The settings are those of ViT, and:

    Parameters
    ----------
    depths : sequence of int
        Blocks in each stage of the ResNet; none: the stem alone. The first stage keeps the stem's grid, each other
        one halves it.
    width : int
        C, which each stage doubles. GroupNorm has 32 groups: they must divide it.
    patch_size : int
        Places of the feature map that make one token, in each direction.
    stem : callable
        stem(channels, width) -> Module with `stride` and `outputs`: Stem, or StemCIFAR.
    """

    def __init__(self, *, depths, width=64, patch_size=1, stem=Stem, image_size=224, channels=3, dim, **settings):
        backbone = stem(channels, width)
        if depths:
            backbone = Backbone(backbone, depths, width)
        embed = HybridEmbed(backbone, channels, patch_size, dim)
        size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        P = embed.patch_size
        super().__init__(image_size=tuple(math.ceil(pixels / P) * P for pixels in size), patch_size=P,
                         channels=channels, dim=dim, **settings)
        self.image_size, self.patch_embed = size, embed

    def grid_of(self, images):
        """Rows and columns of the tokens of these pictures."""
        return tuple(math.ceil(pixels / self.patch_embed.patch_size) for pixels in images.shape[1:3])


# 2010.11929, table 6 (R50), and 2106.10270, table 2 (R, R26); "cifar" is our own size
R50 = {16: (3, 4, 9), 32: (3, 4, 6, 3)}  # by the product of the strides
VARIANTS = {f"R50+{size}/{stride}": partial(ViTHybrid, depths=R50[stride], **SIZES[size])
            for size in ("B", "L") for stride in (16, 32)}
VARIANTS["R50x2+L/32"] = partial(ViTHybrid, depths=R50[32], width=128, **SIZES["L"])
VARIANTS["R26+S/32"] = partial(ViTHybrid, depths=(2, 2, 2, 2), **SIZES["S"])
VARIANTS["R+Ti/16"] = partial(ViTHybrid, depths=(), patch_size=8, **SIZES["Ti"])
VARIANTS["cifar"] = partial(ViTHybrid, depths=(1, 1), width=32, stem=StemCIFAR, image_size=32, num_classes=10, dim=96,
                            depth=3, heads=3, positions=sincos)
