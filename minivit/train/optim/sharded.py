"""Each of several processes keeps the optimiser's state and the averaged weights of its part of the parameters only.

AdamW remembers two numbers for every weight, the average of the weights is a third, and all processes would remember
the same. Here process r is the owner of the r-th part of the parameters: it alone has their state, changes them, and
sends them to the others. The gradient is everybody's, as without: clipping needs all of it.

(Rajbhandari et al., "ZeRO", SC 2020, arXiv:1910.02054, section 5.1: the first of its three stages)
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backend import array_module, to_device
from ...engine import Tensor
from ...nn.module import Module
from ...processes import Alone
from ...types import Array, Params, State
from .around import Around
from .average import ExponentialMovingAverage
from .optimisers import Optimiser


def owners(sizes: list[int], count: int) -> list[int]:
    """Who owns each of some tensors, cut in their order into parts of nearly equal size, none of them empty."""
    if len(sizes) < count:
        raise ValueError(f"shard: expected a tensor for each of {count} processes, got {len(sizes)}")
    wanted = (np.cumsum(sizes) - np.array(sizes) / 2) * count // sum(sizes)  # by the middle of each
    owner: list[int] = []
    for index, rank in enumerate(wanted):
        last = owner[-1] if owner else -1
        owner.append(max(last, min(int(rank), last + 1), count - (len(sizes) - index)))
    return owner


def share_out(tensors: Sequence[Tensor], owner: list[int], group: Alone) -> None:
    """Every process gets the values of each tensor from its owner."""
    sizes = np.array([tensor.size for tensor in tensors])
    ends = np.cumsum(sizes)
    bounds = [0, *(int(sizes[np.array(owner) <= rank].sum()) for rank in range(group.size))]
    flat = array_module(tensors[0].data).empty(int(ends[-1]), tensors[0].dtype)
    for tensor, rank, end in zip(tensors, owner, ends, strict=True):
        if rank == group.rank:
            flat[end - tensor.size:end] = tensor.data.reshape(-1)
    group.collect(flat, bounds)
    for tensor, rank, end in zip(tensors, owner, ends, strict=True):
        if rank != group.rank:
            tensor.mutable()[...] = flat[end - tensor.size:end].reshape(tensor.shape)


class Sharded(Around):
    """An optimiser whose state is shared out.

    Parameters
    ----------
    make : callable
        make(groups) -> Optimiser
    groups : list of dict
        Of all parameters.
    group : Alone
        The processes.
    """

    def __init__(self, make: Callable[[Params], Optimiser], groups: list[dict[str, Any]], group: Alone) -> None:
        self.parameters = [parameter for each in groups for parameter in each["params"]]
        self.group, self.owner = group, owners([parameter.size for parameter in self.parameters], group.size)
        mine = {id(parameter) for parameter, rank in zip(self.parameters, self.owner, strict=True)
                if rank == group.rank}
        parts = [each | {"params": [p for p in each["params"] if id(p) in mine]} for each in groups]
        self.optimiser = make([part for part in parts if part["params"]])

    def step(self, map: Callable = map) -> None:
        """Every owner changes what it owns, then all have it."""
        super().step(map)
        share_out(self.parameters, self.owner, self.group)

    def state_dict(self) -> State:
        """That of the optimiser which one process would have; all processes have to ask for it."""
        parts = self.group.objects(self.optimiser.state_dict())
        whole: State = {"steps": np.concatenate([part["steps"] for part in parts])}
        for rank, part in enumerate(parts):
            first = self.owner.index(rank)
            for key, array in part.items():
                name, _, index = key.partition(".")
                if index:
                    whole[f"{name}.{first + int(index)}"] = array
        return whole

    def load_state_dict(self, state: State) -> None:
        """Take over what belongs to this process of what `state_dict` returned, with any number of processes."""
        first, count = self.owner.index(self.group.rank), len(self.optimiser.parameters)
        if len(state["steps"]) != len(self.parameters):
            raise ValueError(f"load_state_dict: expected the state of {len(self.parameters)} parameters, got that of "
                             f"{len(state['steps'])}")
        part: State = {"steps": state["steps"][first:first + count]}
        for key, array in state.items():
            name, _, index = key.partition(".")
            if index and first <= int(index) < first + count:
                part[f"{name}.{int(index) - first}"] = array
        self.optimiser.load_state_dict(part)


class ShardedAverage(ExponentialMovingAverage):
    """An average of the weights of which each process keeps a part.

    Parameters
    ----------
    model, decay
        As of `ExponentialMovingAverage`.
    group : Alone
        The processes.
    """

    def __init__(self, model: Module, decay: float, group: Alone) -> None:
        sizes = {name: tensor.size for name, tensor in model.named_parameters() + model.named_buffers()}
        owner, self.group = owners(list(sizes.values()), group.size), group
        super().__init__(model, decay, names=[name for name, rank in zip(sizes, owner, strict=True)
                                              if rank == group.rank])

    def whole(self) -> State:
        """What the others have, too."""
        return {name: to_device(average, self.device) for name, average in self.state_dict().items()}

    def state_dict(self) -> State:
        """{name: average} of all; all processes have to ask for it."""
        parts = self.group.objects(super().state_dict())
        found: dict[str, Array] = {name: average for part in parts for name, average in part.items()}
        return {name: found[name] for name in self.all}
