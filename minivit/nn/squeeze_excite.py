"""Squeeze and excitation (Hu et al., CVPR 2018, arXiv:1709.01507)."""

from ..ops import relu, sigmoid
from .linear import Linear
from .module import Module


class SqueezeExcite(Module):
    """Each channel is multiplied by a number that depends on the means of all channels (section 3).

    (B, H, W, C) -> (B, H, W, C)

    Parameters
    ----------
    channels, hidden : int
        C, and the width between the two linear maps.
    activation : callable
        Between them.
    gate : callable
        Behind them: what makes the factors.
    """

    def __init__(self, channels, hidden, *, activation=relu, gate=sigmoid):
        self.reduce, self.expand = Linear(channels, hidden), Linear(hidden, channels)
        self.activation, self.gate = activation, gate

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        means = x.mean(axis=(1, 2), keepdims=True)                          # (B, 1, 1, C)
        return x * self.gate(self.expand(self.activation(self.reduce(means))))
