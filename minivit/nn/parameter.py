"""Parameters: tensors that are declared by shape and initialiser, and drawn when they are first used.

A model of any size can be built, printed and counted without memory for its weights. Each parameter has a seed of
its own, made of the model's seed and the parameter's name, so that its values depend neither on the order in which
the layers were made nor on what else the model contains.
"""

import itertools
import math
from functools import partial
from typing import Any

import numpy as np

from ..engine import Tensor
from ..types import Initialiser, Numbers

_serial = itertools.count()


class Parameter(Tensor):
    """A trainable tensor, drawn on first use.

    Parameters
    ----------
    shape : tuple of int
    initialiser : callable
        initialiser(rng, shape) -> float32 array. A function with a name, or a `partial` of one: so models can be
        pickled for other processes.
    """

    __slots__ = ("shape", "initialiser", "seed", "_drawn")
    state_names = (*__slots__, "grad", "requires_grad", "node", "version")  # a copy of what is not drawn draws nothing

    def __init__(self, shape: tuple[int, ...], initialiser: Initialiser) -> None:
        self.shape, self.initialiser = tuple(shape), initialiser
        self.seed: int | tuple[int, ...] = (0, next(_serial))
        self._drawn = None
        self.requires_grad, self.grad, self.node, self.version = True, None, None, 0

    @property
    def _array(self):
        if self._drawn is None:
            self._drawn = self.initialiser(np.random.default_rng(self.seed), self.shape)
        return self._drawn

    @_array.setter
    def _array(self, array):
        self._drawn = array

    def redraw(self, seed: int | tuple[int, ...]) -> None:
        """Forget the values; the next use draws them from this seed (an int or a tuple of ints)."""
        self.seed, self._drawn, self.grad = seed, None, None
        self.version += 1

    ndim = property(lambda self: len(self.shape), doc="The number of axes.")
    size = property(lambda self: math.prod(self.shape), doc="The number of elements.")


class Buffer(Parameter):
    """A tensor that belongs to a module's state but is not trained: running statistics, fixed tables."""

    __slots__ = ()

    def __init__(self, shape: tuple[int, ...], initialiser: Initialiser) -> None:
        super().__init__(shape, initialiser)
        self.requires_grad = False


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """All 0."""
    return np.zeros(shape, np.float32)


def ones(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """All 1."""
    return np.ones(shape, np.float32)


def constant(value: float) -> Initialiser:
    """All equal to a number."""
    return partial(_constant, value)


def given(values: dict[str, Any]) -> Initialiser:
    """A copy of an array of the same shape."""
    return partial(_given, values)


def normal(std: Numbers) -> Initialiser:
    """Normal with mean 0."""
    return partial(_normal, std)


def truncated_normal(std: Numbers = 0.02) -> Initialiser:
    """Normal with mean 0, redrawn outside two standard deviations (the initialisation of ViT's embeddings)."""
    return partial(_truncated_normal, std)


def uniform(limit: float) -> Initialiser:
    """Uniform between -limit and limit."""
    return partial(_uniform, limit)


def _constant(value, rng, shape):
    return np.full(shape, value, np.float32)


def _given(values, rng, shape):
    return values.copy()


def _normal(std, rng, shape):
    return np.float32(std) * rng.standard_normal(shape, np.float32)


def _truncated_normal(std, rng, shape):
    x = rng.standard_normal(shape, np.float32)
    while (outside := np.abs(x) > 2).any():
        x[outside] = rng.standard_normal(np.count_nonzero(outside), np.float32)
    return np.float32(std) * x


def _uniform(limit, rng, shape):
    return (2 * rng.random(shape, np.float32) - 1) * np.float32(limit)


def xavier_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform with variance 2 / (fan_in + fan_out), for weights (..., in, out) (Glorot and Bengio, 2010, eq. 16)."""
    receptive_field = math.prod(shape[:-2])
    return uniform(math.sqrt(6 / (receptive_field * (shape[-2] + shape[-1]))))(rng, shape)


def kaiming_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with variance 2 / fan_out, for convolutions (kh, kw, in, out) before a ReLU (He et al., 2015, eq. 14)."""
    return normal(math.sqrt(2 / (math.prod(shape[:-2]) * shape[-1])))(rng, shape)
