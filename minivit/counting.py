"""What a model costs: parameters and multiply-adds, counted by running the shapes.

The model's own `forward` runs on arrays that have a shape but no memory (one zero, repeated with strides of 0), so a
model of two billion weights is counted in a second and nothing is written down twice. The table below says what the
products cost and what shape comes out; every other operation is run to learn its shape, and counts nothing, as in the
literature (where "FLOPs" is often the number of multiply-adds, and twice that where the two are counted apart).
"""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .backend import is_array
from .engine import Tensor, intercept_operations, no_grad
from .nn import Module, intercept_calls
from .ops.windows import Windows


def _linear(x, w, b=None):
    return (*x[:-1], w[-1]), math.prod(x) * w[-1]


def _matmul(x, y):
    shape = (*np.broadcast_shapes(x[:-2], y[:-2]), x[-2], y[-1])
    return shape, math.prod(shape) * x[-1]


def _attention(q, k, v, bias=None):
    return (*q[:-1], v[-1]), math.prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


def _self_attention(qkv, bias=None):
    B, N, D = *qkv[:2], qkv[2] // 3
    return (B, N, D), 2 * B * N * N * D


def _neighbourhood_attention(q, k, v, bias, **places):
    return v, math.prod(q[:-1]) * ((bias[-1] + 1) // 2) ** 2 * (q[-1] + v[-1])


def _conv2d(x, w, b=None, *, groups=1, **places):
    windows = Windows(x[1:3], w[:2], **places)
    shape = (x[0], *windows.grid, w[-1])
    return shape, math.prod(shape) * math.prod(w[:3])


# name of the operation: shapes of its arguments -> (shape of its value, multiply-adds)
PRODUCTS = {"linear": _linear, "matmul": _matmul, "attention": _attention, "self_attention": _self_attention,
            "neighbourhood_attention": _neighbourhood_attention, "conv2d": _conv2d}
# operations whose value has the shape of their first argument, and that would cost time to run
UNCHANGED = {"gelu", "gelu_tanh", "quick_gelu", "relu", "relu6", "leaky_relu", "elu", "silu", "mish", "softplus",
             "sigmoid", "hardswish", "hardsigmoid", "softmax", "layer_norm", "rms_norm", "batch_norm", "group_norm",
             "l2_normalise"}


@dataclass
class Row:
    """One module of a model: what goes in and out, and what it costs with all its parts."""

    name: str
    module: Module
    inputs: tuple
    depth: int
    output: tuple = ()
    multiply_adds: int = 0

    @property
    def parameters(self) -> int:
        """The number of trainable numbers in the module and its parts."""
        return sum(p.size for p in self.module.parameters())


@dataclass
class Count:
    """The cost of a forward pass."""

    parameters: int
    multiply_adds: int = 0
    rows: list[Row] = field(default_factory=list)


def count(model: Module, shape: tuple[int, ...], *others: np.ndarray) -> Count:
    """Count the parameters and the multiply-adds of one forward pass, without computing it.

    Parameters
    ----------
    model : Module
        Its weights are given up: what is counted here cannot be used afterwards.
    shape : tuple of int
        Of the model's input, as (1, 224, 224, 3).
    *others : array
        What it takes besides, as sentences.

    Returns
    -------
    Count
        With a row for each call of a module, in the order of the calls.
    """
    total = Count(sum(p.size for p in model.parameters()))
    names = {id(module): name for name, module in model.named_modules()}
    give_up_weights(model)
    shapes, depth = ShapesAlone(), 0

    def follow(module, inputs, settings):
        nonlocal depth
        row = Row(names.get(id(module), ""), module, getattr(inputs[0], "shape", ()), depth)
        total.rows.append(row)
        before, depth = shapes.multiply_adds, depth + 1
        output = module.forward(*inputs, **settings)
        depth -= 1
        row.multiply_adds, row.output = shapes.multiply_adds - before, getattr(output, "shape", ())
        return output

    with no_grad(), intercept_operations(shapes), intercept_calls(follow), np.errstate(all="ignore"):
        model.eval()(Tensor.without_copy(shape_only(shape)), *others)
    total.multiply_adds = shapes.multiply_adds
    return total


def give_up_weights(model: Module) -> None:
    """Put arrays that have a shape but no memory in the place of all that a model has learned."""
    for tensor in [t for _, t in model.named_parameters() + model.named_buffers()]:
        tensor._array = shape_only(tensor.shape)


class ShapesAlone:
    """Runs operations on arrays without memory, for `intercept_operations`, and adds up what they would cost."""

    def __init__(self) -> None:
        self.multiply_adds, self.costs = 0, {}

    def __call__(self, function: Callable, arrays: list, settings: dict) -> tuple[np.ndarray, None]:
        """A value of the right shape, and no pullback."""
        key = (function, *(_key(array) for array in arrays), *((name, _key(x)) for name, x in settings.items()))
        if key not in self.costs:  # blocks repeat, and so do their operations
            self.costs[key] = _cost(function, arrays, settings)
        shape, multiply_adds = self.costs[key]
        self.multiply_adds += multiply_adds
        return shape_only(shape), None


def _cost(function, arrays, settings):
    """(shape of the value, multiply-adds) of an operation."""
    name = function.__name__
    shapes = [getattr(array, "shape", array) for array in arrays]
    if name in PRODUCTS:
        known = {key: settings[key] for key in ("stride", "padding", "dilation", "groups") if key in settings}
        return PRODUCTS[name](*shapes, **known)
    return shapes[0] if name in UNCHANGED else function(*arrays, **settings)[0].shape, 0


def _key(argument):
    """What tells arguments apart: of an array that has no memory its shape; of others, which may be indices, all."""
    if not is_array(argument):
        return repr(argument)
    return argument.shape, argument.dtype, argument.tobytes() if any(argument.strides) else None


class _Features(Module):
    """What a model's `features` makes of pictures, of which it remembers the shapes."""

    def __init__(self, model):
        self.model, self.shapes = model, []

    def forward(self, images):
        self.shapes = [x.shape for x in self.model.features(images)]
        return images


def feature_shapes(model: Module, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes (B, H, W, C) of what model.features makes of pictures, without computing it; the model stays as it is.

    Parameters
    ----------
    model : Module
    shape : tuple of int
        Of the pictures, (B, height, width, C).
    """
    features = _Features(copy.deepcopy(model))  # which draws no weights, and gives up its own
    count(features, shape)
    return features.shapes


def shape_only(shape: tuple[int, ...]) -> np.ndarray:
    """An array of a shape that takes no memory: one zero, repeated."""
    return np.broadcast_to(np.float32(0), shape)
