"""A learned vector for each number of a list: words, classes, places."""

from ..ops import take
from .module import Module
from .parameter import Parameter, normal


class Embedding(Module):
    """Row i of a table for the integer i.    (...) -> (..., D), with the table (count, D)"""

    def __init__(self, count, dim, *, initialiser=None):
        self.weight = Parameter((count, dim), initialiser or normal(1.0))

    def forward(self, indices):
        """Integers from 0 to count - 1, of any shape (...) -> (..., D)"""
        dtype = getattr(indices, "dtype", type(indices).__name__)
        if getattr(dtype, "kind", "") not in ("i", "u"):
            raise TypeError(f"Embedding: expected indices as an array of integers, got {dtype}")
        return take(self.weight, indices)

    def describe(self):
        """count x D"""
        return "{} x {}".format(*self.weight.shape)
