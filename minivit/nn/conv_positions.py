"""Positions that depend on what is there: a depthwise convolution beside the identity.

Chu et al., ICLR 2023, arXiv:2102.10882 (CPVT, "PEG"); also in Twins, CoaT and FastViT. The zeros around the picture
tell the tokens where its borders are, and the convolution carries that inwards, for pictures of any size.
"""

from .branches import add_identity
from .conv import Conv2d
from .fold import with_values
from .module import Module


class ConvPositions(Module):
    """x + depthwise convolution of x.    (B, H, W, C) -> (B, H, W, C)

    Parameters
    ----------
    channels : int
    kernel : int
        An odd number.
    """

    def __init__(self, channels, kernel=3):
        if kernel % 2 == 0:
            raise ValueError(f"ConvPositions: expected an odd kernel, which has a centre, got {kernel}")
        self.conv = Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return x + self.conv(x)

    def folded(self):
        """One convolution, whose kernel holds the identity in its centre."""
        weight = self.conv.weight.data.copy()                       # (kernel, kernel, 1, C)
        add_identity(weight, 1)
        return with_values(self.conv, weight, self.conv.bias.data)
