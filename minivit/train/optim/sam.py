"""Sharpness-aware minimisation: down, where the loss is highest nearby.

A minimum in a narrow valley fits the pictures that were learned from, and a small change of the weights leaves it. SAM
looks for weights whose whole neighbourhood has a small loss. In each step it climbs to what is, to first order, the
highest point at the distance rho, and takes the gradient from there:

    e = rho g(w) / |g(w)|        with the gradient g of the loss, and |g| over all parameters together
    w <- step of another optimiser from w, with the gradient g(w + e)

So a step costs two gradients, both of the same batch with the same random numbers. The climb follows the gradient of
the loss alone, without weight decay and before any clipping; the gradient at the top is what is clipped. There is one
climb for the whole batch (the paper lets each of several accelerators climb by itself with its share).

(Foret et al., ICLR 2021, arXiv:2010.01412, algorithm 1, eq. 2 with p = 2 and eq. 3)
"""

import contextlib
import math
from collections.abc import Iterator, Sequence

from ...backend import array_module
from ...engine import Tensor
from ...types import Array
from .around import Around
from .optimisers import Optimiser, check_settings, clip_gradients


class SAM(Around):
    """Another optimiser whose steps follow the gradient from uphill.

        optimiser = SAM(SGD(parameter_groups(model, weight_decay=5e-4), lr=0.1), rho=0.05)
        loss(model).backward()
        with optimiser.uphill():
            optimiser.zero_grad()
            loss(model).backward()
        optimiser.step()
        optimiser.zero_grad()

    Layers that keep averages of what they see, as BatchNorm does, are to do so in the first pass alone: put the second
    inside `with unchanged(buffers)`. The authors' code keeps the state of the first pass.

    Parameters
    ----------
    optimiser : Optimiser
        Whose parameters, state and learning rate are SAM's as well.
    rho : float
        How far the climb leads.
    """

    def __init__(self, optimiser: Optimiser, rho: float = 0.05) -> None:
        check_settings({"rho": rho})
        self.optimiser, self.parameters, self.rho = optimiser, optimiser.parameters, rho

    @contextlib.contextmanager
    def uphill(self, norm: Array | float | None = None) -> Iterator[None]:
        """Inside the `with` block the weights are w + e, by the gradients that they have; afterwards they are w again.

        `norm` is that of all gradients together, a number or an array () where they are, if it is known already.
        """
        climbing = [parameter for parameter in self.parameters if parameter.grad is not None]
        norm = clip_gradients(climbing, math.inf) if norm is None else norm
        with unchanged(climbing):
            for parameter in climbing:
                g = parameter.grad
                weight = parameter.mutable()
                weight += array_module(g).asarray(self.rho / (norm + 1e-12), dtype=g.dtype) * g
            yield


@contextlib.contextmanager
def unchanged(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Behind the `with` block, the tensors have the bits that they had before it, in the same memory."""
    before = [(tensor, tensor.data.copy()) for tensor in tensors]
    try:
        yield
    finally:
        for tensor, values in before:
            tensor.mutable()[...] = values
