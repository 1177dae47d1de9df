"""ViT_C, a Vision Transformer with a convolutional stem.  Xiao et al., NeurIPS 2021, arXiv:2106.14881.

ViT cuts patches with one convolution of large kernel and stride, unlike anything in convolutional networks. Here a few
3 x 3 convolutions with stride 2 come instead, and the Transformer loses one block to pay for them. Training becomes
faster and less sensitive to optimiser and learning rate.

    B batch    N tokens    D width    P product of the strides, the patch size that the stem stands for
    (B, 224, 224, 3) -> (B, 112, 112, C_1) -> ... -> (B, 14, 14, C_4) -> tokens (B, 196, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 64) -> (B, 16, 16, 128) -> (B, 8, 8, 128) twice -> (B, 64, D) -> (B, 10)

Departures from the paper: none; "cifar" is our own size, its head reads the mean of the tokens.
"""

import math
from functools import partial

from ..nn import BatchNorm2d, Conv2d, Module, sincos
from ..ops import relu
from .vit import ViT, ViTGAP


class ConvStem(Module):
    """3 x 3 convolutions with BatchNorm and ReLU, then a 1 x 1 convolution to the Transformer's width (section 3.1).

    (B, height, width, C) -> (B, N, D) with N = (height / P) (width / P)

    Parameters
    ----------
    channels, dim : int
        C and D.
    layers : sequence of (int, int)
        Output channels and stride of each 3 x 3 convolution.
    """

    def __init__(self, channels, layers, dim):
        inputs = [channels] + [outputs for outputs, _ in layers]
        self.convs = [Conv2d(before, outputs, 3, stride=stride, padding=1, bias=False)
                      for before, (outputs, stride) in zip(inputs, layers, strict=False)]
        self.norms = [BatchNorm2d(outputs) for outputs, _ in layers]
        self.proj = Conv2d(inputs[-1], dim, 1)
        self.channels, self.patch_size = channels, stem_stride(layers)

    def forward(self, images):
        """(B, height, width, C) -> (B, N, D)"""
        P, pixels = self.patch_size, images.shape[1:3]
        if any(n % P for n in pixels):
            raise ValueError(f"images: {pixels[0]} x {pixels[1]} pixels do not divide by the stem's stride {P}")
        x = images
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = relu(norm(conv(x)))                       # (B, height / strides so far, width / strides so far, C_i)
        x = self.proj(x)                                  # (B, height / P, width / P, D)
        return x.reshape(len(images), (pixels[0] // P) * (pixels[1] // P), x.shape[-1])  # (B, N, D)


def stem_stride(layers):
    """P, the product of the strides of a stem's layers."""
    return math.prod(stride for _, stride in layers)


class ViTC(ViT):
    """A ViT whose tokens come from a convolutional stem, with settings as ViT but for `stem` instead of `patch_size`.

    (B, height, width, C) -> (B, num_classes)

    Parameters
    ----------
    stem : sequence of (int, int)
        As for `ConvStem`.
    """

    def __init__(self, *, stem, dim, channels=3, **settings):
        super().__init__(patch_size=stem_stride(stem), dim=dim, channels=channels, **settings)
        self.patch_embed = ConvStem(channels, stem, dim)


class ViTCGAP(ViTC, ViTGAP):
    """Without a class token: the head reads the mean of all encoded tokens."""


# The appendix: the paper's ViT_C; the MLPs of the two smaller ones are three times as wide as the tokens
VARIANTS = {
    "1GF": partial(ViTC, stem=[(24, 2), (48, 2), (96, 2), (192, 2)], dim=192, depth=11, heads=3, mlp_dim=576),
    "4GF": partial(ViTC, stem=[(48, 2), (96, 2), (192, 2), (384, 2)], dim=384, depth=11, heads=6, mlp_dim=1152),
    "18GF": partial(ViTC, stem=[(64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)], dim=768, depth=11,
                    heads=12),
    "cifar": partial(ViTCGAP, image_size=32, num_classes=10, dim=128, depth=2, heads=4,
                     stem=[(64, 2), (128, 1), (128, 2), (128, 1)], positions=sincos),
}
