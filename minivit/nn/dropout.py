"""Noise that is only there in training: dropped activations and dropped branches."""

from ..ops import drop_path, dropout
from .module import Module
from .randomness import RandomSource


class Dropout(Module):
    """Each number is set to 0 with probability `rate`, the others are divided by 1 - rate (Srivastava et al., 2014)."""

    operation = staticmethod(dropout)

    def __init__(self, rate):
        if not 0 <= rate < 1:
            raise ValueError(f"{type(self).__name__}: rate must be in [0, 1), got {rate}")
        self.rate, self.source = rate, RandomSource()

    def forward(self, x):
        """Any shape, unchanged; the identity outside training."""
        if not self.training or self.rate == 0:
            return x
        return self.operation(x, rate=self.rate, rng=self.source.generator(x.device))

    def describe(self):
        """The rate."""
        return f"{self.rate:g}"


class DropPath(Dropout):
    """A residual branch is left out for whole pictures with probability `rate` (stochastic depth, arXiv:1603.09382).

    (B, ...) -> (B, ...); kept branches are divided by 1 - rate.
    """

    operation = staticmethod(drop_path)
