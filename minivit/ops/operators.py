"""What can be written on a Tensor: x + y, x[0], x @ w, x.sum(0), x == y ..."""

import operator

from ..engine import Tensor, primitive
from . import arithmetic, indexing, linalg, reduce, shape


def _reflected(operation):
    """y * x where y is a number or an array: the Tensor is on the right."""
    return lambda self, other: operation(other, self)


def _without_gradient(function):
    """An operation on arrays, made one on Tensors, whose value is not differentiable."""
    @primitive
    def operation(*arrays):
        return function(*arrays), None
    return operation


for name in ("add", "sub", "mul", "pow"):
    setattr(Tensor, f"__{name}__", getattr(arithmetic, name))
    setattr(Tensor, f"__r{name}__", _reflected(getattr(arithmetic, name)))
Tensor.__rmul__ = arithmetic.mul
Tensor.__truediv__, Tensor.__rtruediv__ = arithmetic.div, _reflected(arithmetic.div)
Tensor.__matmul__, Tensor.__rmatmul__ = linalg.matmul, _reflected(linalg.matmul)
Tensor.__neg__, Tensor.__abs__ = arithmetic.neg, arithmetic.abs

for name in ("lt", "le", "eq", "ne", "gt", "ge", "and_", "or_", "xor", "invert"):
    setattr(Tensor, f"__{name.strip('_')}__", _without_gradient(getattr(operator, name)))
Tensor.__hash__ = object.__hash__  # by identity: elementwise equality cannot decide about membership

for name in ("exp", "log", "sqrt", "tanh", "abs", "clip", "astype"):
    setattr(Tensor, name, getattr(arithmetic, name))
for name in ("sum", "mean", "var", "max", "min", "logsumexp", "any", "all", "argmax", "argmin", "argsort"):
    setattr(Tensor, name, getattr(reduce, name))
for name in ("swapaxes", "flip", "repeat", "split"):
    setattr(Tensor, name, getattr(shape, name))


def _reshape(self, *lengths):
    """reshape(2, 3) or reshape((2, 3))"""
    return shape.reshape(self, lengths[0] if len(lengths) == 1 else lengths)


def _transpose(self, *axes):
    """transpose(1, 0), transpose((1, 0)), or transpose() to reverse the axes"""
    return shape.transpose(self, axes[0] if len(axes) == 1 else axes or None)


def _getitem(self, index):
    return indexing.getitem(self, *(index if isinstance(index, tuple) else (index,)))


def _setitem(self, index, value):
    raise TypeError("a Tensor cannot be assigned to by index, as other tensors may share its values: compute a new one "
                    "with where(mask, x, y), or write to t.mutable()[...] of a tensor that you made yourself")


def _iter(self):
    return (self[i] for i in range(len(self)))


Tensor.reshape, Tensor.transpose, Tensor.T = _reshape, _transpose, property(shape.transpose, doc="The axes reversed.")
Tensor.__getitem__, Tensor.__setitem__, Tensor.__iter__ = _getitem, _setitem, _iter
