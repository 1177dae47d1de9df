"""Normalisation layers, and the learned scale of a residual branch."""

from ..team import first_of_team
from ..ops import batch_norm, group_norm, layer_norm, rms_norm
from .module import Module
from .parameter import Buffer, Parameter, constant, ones, zeros


class LayerNorm(Module):
    """Each token is shifted and scaled to mean 0 and variance 1, then by learned numbers (Ba et al., 1607.06450).

    (..., D) -> (..., D); `initialiser` is the weight's: with zeros, a branch that ends here starts as nothing.
    """

    def __init__(self, dim, *, eps=1e-6, initialiser=ones):
        self.weight, self.bias, self.eps = Parameter((dim,), initialiser), Parameter((dim,), zeros), eps

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
    """Each picture's channels are normalised in groups (Wu and He, 1803.08494).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, groups, channels, *, eps=1e-5, initialiser=ones):
        self.weight, self.bias = Parameter((channels,), initialiser), Parameter((channels,), zeros)
        self.groups, self.eps = groups, eps

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        return group_norm(x, self.weight, self.bias, groups=self.groups, eps=self.eps)


class LayerScale(Module):
    """A learned factor for each channel of a residual branch (Touvron et al., 2103.17239).    (..., D) -> (..., D)"""

    def __init__(self, dim, initial=1e-5):
        self.gamma = Parameter((dim,), constant(initial))

    def forward(self, x):
        """(..., D) -> (..., D)"""
        return x * self.gamma


class BatchNorm2d(Module):
    """Each channel is normalised over the batch and the grid (Ioffe and Szegedy, arXiv:1502.03167).

    (B, H, W, C) -> (B, H, W, C), and of tokens (B, N, C) -> (B, N, C). In training with the statistics of the batch, of
    which running averages are kept, running <- (1 - momentum) running + momentum batch (the variance unbiased, as in
    PyTorch); they are used in eval.
    """

    def __init__(self, channels, *, eps=1e-5, momentum=0.1, initialiser=ones):
        self.weight, self.bias = Parameter((channels,), initialiser), Parameter((channels,), zeros)
        self.running_mean, self.running_var = Buffer((channels,), zeros), Buffer((channels,), ones)
        self.eps, self.momentum = eps, momentum

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        if self.training:
            return batch_norm(x, self.weight, self.bias, eps=self.eps, record=self.record)
        return batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, eps=self.eps)

    def record(self, mean, var, count):
        """Take the batch's mean and (biased) variance over `count` elements into the running averages."""
        if not first_of_team():  # the statistics are the whole team's: one member keeps them
            return
        for running, batch in [(self.running_mean, mean), (self.running_var, var * (count / max(count - 1, 1)))]:
            average = running.mutable()
            average += self.momentum * (batch - average)

    def describe(self):
        """The number of channels."""
        return f"{self.weight.size}"
