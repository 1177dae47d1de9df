"""einops on Tensors: rearrange, reduce, repeat, einsum, pack and unpack, all differentiable.

einops asks the subclasses of its AbstractBackend who knows a type; to have defined one is enough.
Rogozhnikov, "Einops: Clear and reliable tensor manipulations with Einstein-like notation", ICLR 2022.
"""

from einops._backends import AbstractBackend

from ..engine import Tensor
from .einsum import einsum
from .shape import concatenate, expand, stack


class TensorBackend(AbstractBackend):
    """What einops needs to know about Tensors; they have reshape, transpose, sum, mean, max and min themselves."""

    framework_name = "minivit"

    def is_appropriate_type(self, tensor):
        """Whether einops should come here with it."""
        return isinstance(tensor, Tensor)

    def is_float_type(self, x):
        """Whether x can be averaged."""
        return x.dtype.kind == "f"

    def add_axes(self, x, n_axes, pos2len):
        """Repeat x along new axes, at positions and with lengths given by pos2len, so that it has n_axes."""
        old = iter(x.shape)
        shape = [1 if position in pos2len else next(old) for position in range(n_axes)]
        return expand(x.reshape(shape), [pos2len.get(position, n) for position, n in enumerate(shape)])

    def stack_on_zeroth_dimension(self, tensors):
        """A list of k tensors (...) -> (k, ...)"""
        return stack(tensors)

    def concat(self, tensors, axis):
        """Tensors joined along an axis, for pack."""
        return concatenate(tensors, axis)

    def einsum(self, pattern, *x):
        """The sum of products that a pattern of single letters describes."""
        return einsum(pattern, *x)
