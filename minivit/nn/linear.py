"""Linear maps, and the two-layer perceptron made of them."""

from collections.abc import Callable

from ..ops import gelu, linear
from ..tensor import Tensor
from ..types import Initialiser
from .dropout import Dropout
from .module import Module
from .parameter import Parameter, xavier_uniform, zeros


class Linear(Module):
    """y = x W + b.    (..., in) -> (..., out), with W (in, out) and b (out,)"""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True,
                 initialiser: Initialiser = xavier_uniform) -> None:
        self.weight = Parameter((inputs, outputs), initialiser)
        self.bias = Parameter((outputs,), zeros) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)"""
        return linear(x, self.weight, self.bias)

    def describe(self) -> str:
        """in -> out"""
        return "{} -> {}".format(*self.weight.shape)


class Mlp(Module):
    """Linear, activation, Linear: each token by itself.    (..., D) -> (..., hidden) -> (..., D)"""

    def __init__(self, dim: int, hidden: int, *, outputs: int | None = None, activation: Callable = gelu,
                 dropout: float = 0.0) -> None:
        self.linear1, self.linear2 = Linear(dim, hidden), Linear(hidden, outputs or dim)
        self.activation, self.dropout = activation, Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)"""
        x = self.dropout(self.activation(self.linear1(x)))
        return self.dropout(self.linear2(x))
