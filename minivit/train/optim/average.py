"""An average of the weights over the last steps, which often predicts better than the weights of any one step."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from ...backend import asnumpy, to_device
from ...engine import Tensor
from ...nn.module import Module
from ...ops.chunks import chunks
from ...types import Array, State
from ..graph import Captured


class ExponentialMovingAverage:
    """a <- d a + (1 - d) w after every step, for all parameters and buffers of a model.

    (Polyak and Juditsky, 1992; the exponential form as in Szegedy et al., arXiv:1512.00567, section 8)

    Parameters
    ----------
    model : Module
    decay : float
        d; the average reaches about 1 / (1 - d) steps back. It starts smaller and grows, min(d, (1 + t) / (10 + t))
        at step t, so that the weights drawn at random at the start are soon forgotten.
    names : list of str, optional
        The only parameters and buffers to average.
    """

    def __init__(self, model: Module, decay: float, *, names: list[str] | None = None) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay: expected 0 <= decay < 1, got {decay}")
        self.decay, self.steps = decay, 0
        tensors = dict(model.named_parameters() + model.named_buffers())
        self.all, self.tensors = tensors, {name: tensors[name] for name in (tensors if names is None else names)}
        self.averages = {name: tensor.data.copy() for name, tensor in self.tensors.items()}
        self.device = next(iter(self.tensors.values())).device
        if self.device != "cpu":
            averages = map(Tensor.without_copy, self.averages.values())
            self.approach = Captured(self.approach, [*self.tensors.values(), *averages])

    def update(self, map: Callable = map) -> None:
        """Take in the weights of one more step; with the `map` of a thread pool, on several threads."""
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        if self.device == "cpu":
            self.approach(share, map)
        else:
            self.approach(to_device(np.float32(share), self.device))

    def approach(self, share: Array, map: Callable = map) -> None:
        """Move the averages by a share of the way towards the weights; on a GPU the share is an array ()."""
        def update_block(views):
            average, weight = views
            average += share * (weight - average)

        list(map(update_block, [views for name, tensor in self.tensors.items() if tensor.dtype.kind == "f"
                                for views in chunks(self.averages[name], tensor.data)]))

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the `with` block, the model has the averaged weights."""
        weights = {name: tensor.data.copy() for name, tensor in self.all.items()}
        try:
            self._assign(self.whole())
            yield
        finally:
            self._assign(weights)

    def whole(self) -> State:
        """{name: average} of all that the model has, on its device."""
        return self.averages

    def _assign(self, values):
        for name, tensor in self.all.items():
            tensor.mutable()[...] = values[name]

    def state_dict(self) -> State:
        """{name: copy of the average in host memory}; a model can load it."""
        return {name: asnumpy(average).copy() for name, average in self.averages.items()}

    def load_state_dict(self, state: State, steps: int) -> None:
        """Take over the averages, and the number of steps that they were taken over."""
        for name, average in self.averages.items():
            average[...] = to_device(state[name], self.tensors[name].device)
        self.steps = steps
