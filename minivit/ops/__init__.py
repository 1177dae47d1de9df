"""Differentiable functions of Tensors, a file per family."""

from . import operators  # noqa: F401  binds the operators of Tensor
from .arithmetic import (
    abs,
    add,
    astype,
    clip,
    cos,
    div,
    erf,
    exp,
    log,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    sin,
    sqrt,
    sub,
    tanh,
    where,
)
from .indexing import getitem, take, take_along_axis
from .linalg import linear, matmul
from .reduce import argmax, argmin, argsort, logsumexp, max, mean, min, sum, var
from .shape import concatenate, expand, flip, pad, repeat, reshape, roll, split, stack, swapaxes, transpose
