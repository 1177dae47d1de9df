"""Module: what has parameters, and may have parts that have parameters.

A module is an ordinary object. Its parameters and parts are found by looking at its attributes, through lists and
dicts, so there is nothing to register and no `super().__init__()` to forget.
"""

import contextlib
import contextvars
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from ..backend import asnumpy, is_array, to_device
from ..tensor import Tensor
from ..types import State
from .parameter import Buffer, Parameter

_watcher: contextvars.ContextVar[Callable | None] = contextvars.ContextVar("watcher", default=None)


class Module:
    """The base of all layers and models: write `__init__` and `forward`."""

    training = True

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        watcher = _watcher.get()
        return self.forward(*inputs, **settings) if watcher is None else watcher(self, inputs, settings)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """(name, module) of this module (name "") and of all its parts, in the order of their attributes."""
        pending: list[tuple[str, Module]] = [(prefix, self)]
        while pending:
            name, module = pending.pop()
            yield name, module
            pending += reversed([(where, part) for where, part in _parts(module, name) if isinstance(part, Module)])

    def modules(self) -> list["Module"]:
        """This module and all its parts."""
        return [module for _, module in self.named_modules()]

    def _named_tensors(self, every_name=False):
        """(name, tensor) of all parameters and buffers, each once even if two modules share it, or as every_name."""
        seen = set()
        for prefix, module in self.named_modules():
            for name, part in _parts(module, prefix):
                if isinstance(part, Parameter) and (every_name or id(part) not in seen):
                    seen.add(id(part))
                    yield name, part

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(name, parameter) of everything that is trained, as "blocks.0.norm1.weight"."""
        return [(name, p) for name, p in self._named_tensors() if not isinstance(p, Buffer)]

    def named_buffers(self) -> list[tuple[str, Parameter]]:
        """(name, buffer) of the state that is not trained."""
        return [(name, b) for name, b in self._named_tensors() if isinstance(b, Buffer)]

    def parameters(self) -> list[Parameter]:
        """All parameters, each once."""
        return [parameter for _, parameter in self.named_parameters()]

    def initialise(self, seed: int) -> Self:
        """Draw every parameter and buffer anew, from the seed and its own name. Returns the module."""
        for name, tensor in self._named_tensors():
            tensor.redraw((seed, zlib.crc32(name.encode())))
        return self

    def state_dict(self, *, every_name: bool = False) -> State:
        """{name: copy of the values in host memory} of all parameters and buffers.

        What several modules share is there once, under its first name; with `every_name` under each that it has.
        """
        return {name: asnumpy(tensor._array).copy() for name, tensor in self._named_tensors(every_name)}

    def load_state_dict(self, state: State) -> Self:
        """Take over values by name; every name must be there, none left over, every shape right.

        Raises
        ------
        ValueError
            Names everything that is missing, unexpected or misshapen; nothing has been changed then.
        """
        own = dict(self._named_tensors())
        problems = [f"missing: {name} {own[name].shape}" for name in own.keys() - state.keys()]
        problems += [f"unexpected: {name} {np.shape(state[name])}" for name in state.keys() - own.keys()]
        problems += [f"{name}: expected shape {own[name].shape}, got {np.shape(state[name])}"
                     for name in own.keys() & state.keys() if own[name].shape != np.shape(state[name])]
        if problems:
            raise ValueError(f"load_state_dict of {type(self).__name__}:\n  " + "\n  ".join(sorted(problems)))
        for name, tensor in own.items():
            tensor.data = to_device(np.asarray(state[name]), tensor.device)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training: dropout drops, BatchNorm takes the batch's statistics. Returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to prediction. Returns the module."""
        return self.train(False)

    def to(self, device: str) -> Self:
        """Move all parameters, buffers and arrays to "cpu" or "cuda". Returns the module."""
        return self._convert(lambda array: to_device(array, device))

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert all parameters and buffers, and floating-point arrays, to another precision. Returns the module."""
        return self._convert(lambda array: array.astype(dtype) if array.dtype.kind == "f" else array)

    def _convert(self, convert):
        for _, tensor in self._named_tensors():
            tensor._array, tensor.grad = convert(tensor.mutable()), None
        for module in self.modules():
            for name, value in vars(module).items():
                if is_array(value):
                    setattr(module, name, convert(value))
        return self

    def describe(self) -> str:
        """What `repr` shows between the parentheses: the sizes that matter."""
        return ""

    def __repr__(self) -> str:
        rows = list(_rows(self, "", ""))
        width = max(len(text) for text, _ in rows)
        return "\n".join(f"{text:<{width}}  {count:>13,}" if count else text for text, count in rows)


class Sequential(Module):
    """Modules (or plain functions) applied one after the other."""

    def __init__(self, *layers: Any) -> None:
        self.layers = list(layers)

    def forward(self, x: Tensor) -> Any:
        """Apply the layers in order."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return self.layers[index]


def in_turn(layers: Any, x: Tensor) -> Iterator[Any]:
    """What each layer makes of what the one before it made: for models that show their stages.

    Any iterable of modules or functions, and the first one's input -> generator of outputs
    """
    for layer in layers:
        x = layer(x)
        yield x


class Identity(Module):
    """Gives back what it gets."""

    def forward(self, x: Tensor) -> Any:
        """x -> x"""
        return x


@contextlib.contextmanager
def intercept_calls(watcher: Callable) -> Iterator[None]:
    """Inside the `with` block, calls of modules by this thread go through watcher(module, inputs, settings) -> output.

    A watcher calls module.forward(*inputs, **settings) itself, and may look at what comes in and goes out.
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def _parts(module, prefix):
    """(name, part) of a module's attributes in their order, through lists, tuples and dicts."""
    pending = [(f"{prefix}.{name}" if prefix else name, value) for name, value in reversed(vars(module).items())]
    while pending:
        name, value = pending.pop()
        if isinstance(value, (list, tuple)):
            pending += reversed([(f"{name}.{index}", member) for index, member in enumerate(value)])
        elif isinstance(value, dict):
            pending += reversed([(f"{name}.{key}", member) for key, member in value.items()])
        elif isinstance(value, (Module, Parameter)):
            yield name, value


def _rows(module, name, indent):
    """(text, number of parameters) of a module and its parts, equal neighbours of a list shown once."""
    count = sum(p.size for p in module.parameters())
    yield f"{indent}{name + ': ' if name else ''}{type(module).__name__}({module.describe()})", count
    parts = [(part_name, part) for part_name, part in _parts(module, "") if isinstance(part, Module)]
    shown = []
    for part_name, part in parts:
        rows = list(_rows(part, part_name, indent + "  "))
        if shown and part_name.partition(".")[0] == shown[-1][0].partition(".")[0] \
                and [row[0].partition(": ")[2] for row in rows] == [row[0].partition(": ")[2] for row in shown[-1][1]]:
            shown[-1][2] = part_name
        else:
            shown.append([part_name, rows, part_name])
    for first, rows, last in shown:
        if first != last:
            text, count = rows[0]
            yield text.replace(f"{first}: ", f"{first} to {last}: ", 1), count
            yield from rows[1:]
        else:
            yield from rows
