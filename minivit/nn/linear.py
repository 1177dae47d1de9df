"""Linear maps, and the two-layer perceptron made of them."""

from ..ops import gelu, linear
from .dropout import Dropout
from .module import Module
from .parameter import Parameter, xavier_uniform, zeros


class Linear(Module):
    """y = x W + b.    (..., in) -> (..., out), with W (in, out) and b (out,)"""

    def __init__(self, inputs, outputs, *, bias=True, initialiser=xavier_uniform):
        self.weight = Parameter((inputs, outputs), initialiser)
        self.bias = Parameter((outputs,), zeros) if bias else None

    def forward(self, x):
        """(..., in) -> (..., out)"""
        return linear(x, self.weight, self.bias)

    def describe(self):
        """in -> out"""
        return "{} -> {}".format(*self.weight.shape)


class Mlp(Module):
    """Linear, activation, Linear: each token by itself.    (..., D) -> (..., hidden) -> (..., D)"""

    def __init__(self, dim, hidden, *, outputs=None, activation=gelu, dropout=0.0):
        self.linear1, self.linear2 = Linear(dim, hidden), Linear(hidden, outputs or dim)
        self.activation, self.dropout = activation, Dropout(dropout)

    def forward(self, x):
        """(..., D) -> (..., D)"""
        x = self.dropout(self.activation(self.linear1(x)))
        return self.dropout(self.linear2(x))
