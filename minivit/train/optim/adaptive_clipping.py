"""Adaptive gradient clipping: the gradient of a unit is held small beside the unit's own weights.

A step of size lr G turns a unit with small weights round and hardly moves one with large weights. What tells whether a
step is too large is the ratio of the two norms, so that is what is limited, unit by unit:

    G_i <- lambda max(|W_i|, eps) / |G_i| G_i    where |G_i| exceeds lambda max(|W_i|, eps)

A unit is one output of a map: a column of a matrix (in, out), a kernel (kh, kw, in) of a convolution. A vector, as a
bias or the gains of a layer, is one unit, and so is a single number, as in the authors' code. (timm, whose gains have
the shape (out, 1, 1, 1), takes each of them by itself.) Without eps, a unit of zeros would never start.

(Brock et al., arXiv:2102.06171, section 4, eq. 3)
"""

import math

import numpy as np

from ...backend import array_module
from ...nn.module import Module
from ...nn.parameter import Parameter
from ...types import Array
from .optimisers import listed


def clip_units(parameters: list[Parameter], factor: float, *, eps: float = 1e-3) -> None:
    """Scale down the gradient of each unit whose norm is more than `factor` times that of its weights; in place.

    On a GPU the host waits for nothing.

    Parameters
    ----------
    parameters : list of Parameter
        Those without a gradient are passed over.
    factor : float
        lambda: 0.01 in NFNets with batches of 4096, larger for smaller batches.
    eps : float
        The norm that the weights of a unit count as at least.
    """
    for name, number in (("factor", factor), ("eps", eps)):
        if not 0 < number < math.inf:
            raise ValueError(f"clip_units: {name}: expected a number above 0, got {number}")
    for parameter in listed("clip_units: parameters", parameters):
        if parameter.grad is not None:
            xp = array_module(parameter.grad)
            allowed = factor * xp.maximum(unit_norms(parameter.data), eps)
            ratio = allowed / xp.maximum(unit_norms(parameter.grad), 1e-6)  # 1e-6: the authors' guard against 0 / 0
            parameter.grad *= xp.minimum(ratio, 1).astype(parameter.grad.dtype)


def unit_norms(x: Array) -> Array:
    """The Euclidean norm of each unit.    (..., out) -> (1, ..., out); of a vector or a number one norm"""
    if x.dtype == np.float16:  # whose own sums end at 65,504
        x = x.astype(np.float32)
    is_vector = sum(length > 1 for length in x.shape) < 2
    axes = None if is_vector else tuple(range(x.ndim - 1))
    return array_module(x).sqrt((x * x).sum(axes, keepdims=True))


def clipped_units(model: Module) -> list[Parameter]:
    """The parameters whose units are clipped: all that learn, but for the map to the classes (section 4.1)."""
    return [parameter for name, parameter in model.named_parameters()
            if parameter.requires_grad and "head" not in name]
