"""Normalisation layers, and the learned scale of a residual branch."""

from ..engine import no_grad
from ..ops import batch_norm, group_norm, layer_norm, rms_norm
from .module import Module
from .parameter import Buffer, Parameter, constant, ones, zeros


class LayerNorm(Module):
    """Each token is shifted and scaled to mean 0 and variance 1, then by learned numbers (Ba et al., 1607.06450).

    (..., D) -> (..., D)
    """

    def __init__(self, dim, *, eps=1e-6):
        self.weight, self.bias, self.eps = Parameter((dim,), ones), Parameter((dim,), zeros), eps

    def forward(self, x):
        """(..., D) -> (..., D)"""
        return layer_norm(x, self.weight, self.bias, eps=self.eps)

    def describe(self):
        """The width."""
        return f"{self.weight.size}"


class RMSNorm(Module):
    """Each token is divided by its root mean square (Zhang and Sennrich, arXiv:1910.07467).    (..., D) -> (..., D)"""

    def __init__(self, dim, *, eps=1e-6):
        self.weight, self.eps = Parameter((dim,), ones), eps

    def forward(self, x):
        """(..., D) -> (..., D)"""
        return rms_norm(x, self.weight, eps=self.eps)


class GroupNorm(Module):
    """Each picture's channels are normalised in groups (Wu and He, arXiv:1803.08494).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, groups, channels, *, eps=1e-5):
        self.weight, self.bias = Parameter((channels,), ones), Parameter((channels,), zeros)
        self.groups, self.eps = groups, eps

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return group_norm(x, self.weight, self.bias, groups=self.groups, eps=self.eps)


class LayerScale(Module):
    """A learned factor for each channel of a residual branch (Touvron et al., arXiv:2103.17239).    (..., D) -> (..., D)"""

    def __init__(self, dim, initial=1e-5):
        self.gamma = Parameter((dim,), constant(initial))

    def forward(self, x):
        """(..., D) -> (..., D)"""
        return x * self.gamma
