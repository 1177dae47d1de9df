"""What can be written on a Tensor: x + y, x[0], x @ w, x.sum(0), x == y ..."""

import functools
import operator

from ..engine import Tensor, primitive
from . import arithmetic, indexing, linalg, masks, reduce, shape, sorting
from .operands import elementwise


def _reflected(operation):
    """The operation of y - x, where the Tensor x is on the right of a number or an array."""
    return lambda self, other: operation(other, self)


def _without_gradient(function):
    """The same function for Tensors; its value, a truth, is not differentiable."""
    return primitive(functools.wraps(function)(lambda *arrays: (function(*arrays), None)))


for name in ("add", "sub", "mul", "pow"):
    setattr(Tensor, f"__{name}__", getattr(arithmetic, name))
    setattr(Tensor, f"__r{name}__", _reflected(getattr(arithmetic, name)))
Tensor.__rmul__ = arithmetic.mul
Tensor.__truediv__, Tensor.__rtruediv__ = arithmetic.div, _reflected(arithmetic.div)
Tensor.__matmul__, Tensor.__rmatmul__ = linalg.matmul, _reflected(linalg.matmul)
Tensor.__neg__, Tensor.__abs__ = arithmetic.neg, arithmetic.abs

for name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(Tensor, f"__{name}__", _without_gradient(elementwise(getattr(operator, name))))
for name in ("and_", "or_", "xor", "invert"):
    setattr(Tensor, f"__{name.strip('_')}__", _without_gradient(getattr(operator, name)))
for name in ("and", "or", "xor"):
    setattr(Tensor, f"__r{name}__", getattr(Tensor, f"__{name}__"))
Tensor.__hash__ = object.__hash__  # by identity: elementwise equality cannot decide about membership

for name in ("exp", "log", "sqrt", "tanh", "abs", "clip", "astype"):
    setattr(Tensor, name, getattr(arithmetic, name))
for name in ("sum", "mean", "var", "std", "norm", "prod", "cumsum", "max", "min", "logsumexp", "any", "all", "argmax",
             "argmin"):
    setattr(Tensor, name, getattr(reduce, name))
for name in ("swapaxes", "flip", "repeat", "split", "squeeze", "unsqueeze"):
    setattr(Tensor, name, getattr(shape, name))
for name in ("argsort", "sort", "topk"):
    setattr(Tensor, name, getattr(sorting, name))
for name in ("tril", "triu", "masked_fill"):
    setattr(Tensor, name, getattr(masks, name))


def reshape(tensor, *lengths):
    """The elements under another shape: reshape(2, 3) or reshape((2, 3))."""
    return shape.reshape(tensor, lengths[0] if len(lengths) == 1 else lengths)


def transpose(tensor, *axes):
    """The axes in another order: transpose(1, 0) or transpose((1, 0)); transpose() reverses them."""
    return shape.transpose(tensor, axes[0] if len(axes) == 1 else axes or None)


def getitem(tensor, index):
    """tensor[index], with NumPy's rules."""
    return indexing.getitem(tensor, *(index if isinstance(index, tuple) else (index,)))


def setitem(tensor, index, value):
    """Refused."""
    raise TypeError("a Tensor cannot be assigned to by index, as other tensors may share its values: compute a new one "
                    "with where(mask, x, y), or write to t.mutable()[...] of a tensor that you made yourself")


def iterate(tensor):
    """The parts along the first axis, one after the other."""
    return (tensor[i] for i in range(len(tensor)))


Tensor.reshape, Tensor.transpose, Tensor.T = reshape, transpose, property(shape.transpose, doc="The axes reversed.")
Tensor.__getitem__, Tensor.__setitem__, Tensor.__iter__ = getitem, setitem, iterate
