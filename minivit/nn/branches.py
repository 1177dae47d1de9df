"""Convolutions side by side that are there for training only, and become one.

Structural reparameterisation (RepVGG, arXiv:2101.03697; MobileOne, arXiv:2206.04040; FastViT, arXiv:2303.14189).
"""

from functools import reduce
from operator import add

from ..backend import array_module
from .fold import scale_and_offset, with_values
from .module import Module
from .normed import ConvNorm
from .norms import BatchNorm2d


class Branches(Module):
    """Convolutions of several kernels, each with its norm, and a norm alone, side by side: their sum.

    (B, H, W, C_in) -> (B, H/stride, W/stride, C_out), rounded up. The norm alone is left out where shapes differ.

    Parameters
    ----------
    inputs, outputs : int
        C_in and C_out.
    kernels : sequence of int
        Odd numbers, the largest first.
    stride, groups : int
        Of all convolutions.
    """

    def __init__(self, inputs, outputs, kernels, *, stride=1, groups=1):
        self.convs = [ConvNorm(inputs, outputs, kernel, stride=stride, groups=groups) for kernel in kernels]
        self.norm = BatchNorm2d(inputs) if stride == 1 and inputs == outputs else None

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C_out)"""
        alone = [] if self.norm is None else [self.norm]
        return reduce(add, [branch(x) for branch in self.convs + alone])

    def folded(self):
        """One convolution, with the largest of the kernels."""
        first, *others = [branch.conv for branch in self.convs]
        weight, bias = first.weight.data.copy(), first.bias.data.copy()
        for conv in others:
            edge = (len(weight) - len(conv.weight.data)) // 2
            weight[edge:len(weight) - edge, edge:len(weight) - edge] += conv.weight.data
            bias += conv.bias.data
        if self.norm is not None:
            scale, offset = scale_and_offset(self.norm)
            add_identity(weight, scale)
            bias += offset
        return with_values(first, weight, bias)


def add_identity(weight, scale):
    """Let a kernel add `scale` times its input, in place: to the centre, from each channel to itself.

    (kernel, kernel, C / groups, C), (C,)
    """
    (kernel, _, inputs, C), xp = weight.shape, array_module(weight)
    channel = xp.arange(C)
    weight[kernel // 2, kernel // 2, channel % inputs, channel] += scale
