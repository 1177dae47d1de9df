"""Noise that is only there in training: dropped activations and dropped branches."""

from typing import Any

import numpy as np

from ..ops import drop_path, dropout
from ..ops.checks import check_rate
from ..tensor import Tensor
from .module import Module
from .randomness import RandomSource


class Dropout(Module):
    """Each number is set to 0 with probability `rate`, the others are divided by 1 - rate (Srivastava et al., 2014)."""

    operation = staticmethod(dropout)

    def __init__(self, rate: float) -> None:
        check_rate(type(self).__name__, "rate", rate)
        self.rate, self.source = rate, RandomSource()

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, unchanged; the identity outside training."""
        if not self.training or self.rate == 0:
            return x
        return self.operation(x, rate=self.rate, rng=self.source.generator(x.device))

    def describe(self) -> str:
        """The rate."""
        return f"{self.rate:g}"


def drop_path_rates(rate: float, depths: Any) -> Any:
    """The rate of stochastic depth of each block: it grows linearly from 0 in the first to `rate` in the last.

    For stages of `depths` blocks -> [[float, ...], ...], a list for each stage (arXiv:1603.09382, section 3)
    """
    check_rate("drop_path_rates", "rate", rate)
    rates = iter(np.linspace(0, rate, sum(depths)).tolist())
    return [[next(rates) for _ in range(depth)] for depth in depths]


class DropPath(Dropout):
    """A residual branch is left out for whole pictures with probability `rate` (stochastic depth, arXiv:1603.09382).

    (B, ...) -> (B, ...); kept branches are divided by 1 - rate.
    """

    operation = staticmethod(drop_path)
