"""Normalisation layers, and the learned scale of a residual branch."""

import math
from typing import Any

from ..ops import batch_norm, group_norm, layer_norm, rms_norm
from ..ops.checks import whole
from ..team import first_of_team
from ..tensor import Tensor
from ..types import Array, Initialiser
from .module import Module
from .parameter import Buffer, Parameter, constant, ones, zeros


class LayerNorm(Module):
    """Each token is shifted and scaled to mean 0 and variance 1, then by learned numbers (Ba et al., 1607.06450).

    (..., D) -> (..., D). For a tuple of lengths, the last axes are normalised together: (H, W, C) is a picture.
    `initialiser` is the weight's: with zeros, a branch that ends here starts as nothing.
    """

    def __init__(self, dim: int | tuple[int, ...], *, eps: float = 1e-6, weight: bool = True, bias: bool = True,
                 initialiser: Initialiser = ones) -> None:
        self.shape, self.eps = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,), eps
        self.weight, self.bias = _learned(self.shape, weight, bias, initialiser)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)"""
        if len(self.shape) == 1:
            return layer_norm(x, self.weight, self.bias, eps=self.eps)
        rows = (*x.shape[:-len(self.shape)], math.prod(self.shape))
        if x.shape != (*rows[:-1], *self.shape):
            raise ValueError(f"LayerNorm: expected x with the last axes {self.shape}, got {x.shape}")
        weight, bias = (p if p is None else p.reshape(rows[-1]) for p in (self.weight, self.bias))
        return layer_norm(x.reshape(rows), weight, bias, eps=self.eps).reshape(x.shape)

    def describe(self) -> str:
        """The width."""
        return " x ".join(map(str, self.shape))


class RMSNorm(Module):
    """Each token is divided by its root mean square (Zhang and Sennrich, arXiv:1910.07467).    (..., D) -> (..., D)"""

    def __init__(self, dim: int, *, eps: float = 1e-6, weight: bool = True) -> None:
        self.weight, self.eps = Parameter((dim,), ones) if weight else None, eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)"""
        return rms_norm(x, self.weight, eps=self.eps)


class GroupNorm(Module):
    """Each picture's channels are normalised in groups (Wu and He, 1803.08494).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, groups: int, channels: int, *, eps: float = 1e-5, weight: bool = True, bias: bool = True,
                 initialiser: Initialiser = ones) -> None:
        if channels % whole("GroupNorm", "groups", groups):
            raise ValueError(f"GroupNorm: {channels} channels are not divisible into {groups} groups")
        self.weight, self.bias = _learned((channels,), weight, bias, initialiser)
        self.groups, self.eps = groups, eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)"""
        return group_norm(x, self.weight, self.bias, groups=self.groups, eps=self.eps)


class LayerScale(Module):
    """A learned factor for each channel of a residual branch (Touvron et al., 2103.17239).    (..., D) -> (..., D)"""

    def __init__(self, dim: int, initial: float = 1e-5) -> None:
        self.gamma = Parameter((dim,), constant(initial))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)"""
        return x * self.gamma


class BatchNorm2d(Module):
    """Each channel is normalised over the batch and the grid (Ioffe and Szegedy, arXiv:1502.03167).

    (B, H, W, C) -> (B, H, W, C), or any (B, ..., C). In training with the statistics of the batch, of which running
    averages are kept, running <- (1 - momentum) running + momentum batch (the variance unbiased, as in PyTorch); they
    are used in eval. A batch with one value a channel, or none, has no variance: it is refused in training.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5, momentum: float = 0.1, weight: bool = True,
                 bias: bool = True, initialiser: Initialiser = ones) -> None:
        if momentum is None or not 0 <= momentum <= 1:
            raise ValueError(f"BatchNorm2d: momentum must be from 0 to 1, got {momentum}")
        self.weight, self.bias = _learned((channels,), weight, bias, initialiser)
        self.running_mean, self.running_var = Buffer((channels,), zeros), Buffer((channels,), ones)
        self.eps, self.momentum = eps, momentum

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)"""
        if self.training:
            return batch_norm(x, self.weight, self.bias, eps=self.eps, record=self.record)
        return batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, eps=self.eps)

    def record(self, mean: Array, var: Any, count: int) -> None:
        """Take the batch's mean and (biased) variance over `count` elements into the running averages."""
        if not first_of_team():  # the statistics are the whole team's: one member keeps them
            return
        for running, batch in [(self.running_mean, mean), (self.running_var, var * (count / (count - 1)))]:
            average = running.mutable()
            average += self.momentum * (batch - average)

    def describe(self) -> str:
        """The number of channels."""
        return f"{self.running_mean.size}"


def _learned(shape, weight, bias, initialiser):
    """A factor and an offset for each number, or None where they are not wanted."""
    return Parameter(shape, initialiser) if weight else None, Parameter(shape, zeros) if bias else None
