"""What happens in one forward pass, by shapes alone: which module and operation made which value of which others.

A value is known again by the memory of its array, which every operation makes anew.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ...backend import is_array
from ...counting import ShapesAlone, give_up_weights, shape_only
from ...engine import intercept_operations, no_grad
from ...nn import Module, intercept_calls
from ...tensor import Tensor


@dataclass(eq=False)
class Value:
    """An array on its way.

    Attributes
    ----------
    shape : tuple
        With "B" where the batch stands, "4B" where an axis is four batches long.
    flows : bool
        Whether it depends on what the model was given.
    learned : tuple of str
        Names of the parameters that it was made of, where it does not flow.
    constant : str
        What flows without having been given: "zeros", which queries start from.
    """

    shape: tuple
    flows: bool = False
    learned: tuple = ()
    constant: str = ""


@dataclass(eq=False)
class Operation:
    """A primitive that was run; `arguments` are its positional ones, as they were given."""

    name: str
    arguments: list
    inputs: list[Value]
    outputs: list[Value]


@dataclass(eq=False)
class Call:
    """A module that was called, and what happened inside, in order."""

    name: str
    module: Module
    inputs: list[Value]
    outputs: list[Value] = field(default_factory=list)
    steps: list = field(default_factory=list)

    def calls(self) -> Iterator["Call"]:
        """This call and all calls inside it."""
        yield self
        for step in self.steps:
            if isinstance(step, Call):
                yield from step.calls()

    @property
    def floors(self) -> int:
        """How many floors of calls there are: 1 if nothing is called inside."""
        return 1 + max((step.floors for step in self.steps if isinstance(step, Call)), default=0)

    @cached_property
    def is_residual(self) -> bool:
        """Whether something is added, here and not further inside, to what it was made of earlier.

        That is what an earlier module here was given, or what one or two steps (a shortcut) made of it.
        """
        makers = {id(value): step for step in self.steps for value in step.outputs}
        given = {id(value) for step in self.steps if isinstance(step, Call) for value in step.inputs}
        for step in self.steps:
            flowing = [value for value in step.inputs if value.flows]
            if isinstance(step, Operation) and step.name == "add" and len(flowing) == 2:
                if any(id(value) in given for value in flowing):
                    return True
                near, far = (_behind(value, makers, steps=2) for value in flowing)
                if near & _behind(flowing[1], makers) | far & _behind(flowing[0], makers):
                    return True
        return False

    @property
    def passes_on(self) -> bool:
        """Whether it only hands on what it was given, as dropout does in prediction."""
        return {id(value) for value in self.outputs} <= {id(value) for value in self.inputs}


def trace(model: Module, shape: tuple[int, ...]) -> Call:
    """One forward pass of a copy of the model, which stays as it is.

    Parameters
    ----------
    model : Module
        One that reads has a length `longest`, and is given sentences besides.
    shape : tuple of int
        Of one picture, (height, width, C).
    """
    model = copy.deepcopy(model)  # which draws no weights, and gives up its own
    give_up_weights(model)
    whole, values = _run(model, shape, batch=2)
    _, others = _run(model, shape, batch=3)
    for value, other in zip(values, others, strict=True):
        value.shape = tuple(map(_with_batch, value.shape, other.shape))
    return whole


def _with_batch(length, other):
    """An axis of length 2 n with two pictures and 3 n with three is n batches long."""
    if length == other:
        return length
    if 3 * length != 2 * other or length % 2:
        return "?"
    return f"{length // 2}B" if length > 2 else "B"


def _run(model, shape, batch):
    """(the call of the model, all values in the order in which they were met)"""
    names = {id(module): name for name, module in model.named_modules()}
    parameters = {id(_memory(p._array)): name for name, p in model.named_parameters()}
    run, known, values, kept, open_calls = ShapesAlone(), {}, [], [], []
    whole: list[Call] = []

    def value_of(array):
        memory = _memory(array)
        if id(memory) not in known:
            kept.append(memory)  # so that no later array has its address
            name = parameters.get(id(memory))
            known[id(memory)] = Value(array.shape, learned=(name,) if name else ())
            values.append(known[id(memory)])
        return known[id(memory)]

    def run_operation(function, arrays, settings):
        value, _ = run(function, arrays, settings)
        inputs = [value_of(array) for array in arrays if is_array(array)]
        made = value_of(value)
        made.flows = any(v.flows for v in inputs)
        made.learned = () if made.flows else tuple(dict.fromkeys(name for v in inputs for name in v.learned))
        open_calls[-1].steps.append(Operation(function.__name__.strip("_"), arrays, inputs, [made]))
        return value, None

    def follow(module, inputs, settings):
        call = Call(names.get(id(module), ""), module, [value_of(a) for a in _arrays((inputs, settings))])
        if len(open_calls) == 1 and not any(value.flows for step in open_calls[0].steps for value in step.outputs):
            for value in call.inputs:  # what the model itself made of the pictures, by NumPy alone
                value.flows = value.flows or not value.learned
        elif any(value.flows for value in call.inputs):
            for array in _arrays((inputs, settings)):
                value = value_of(array)
                if not value.flows and not value.learned and array.ndim > 1 and len(array) == batch \
                        and array.dtype.kind == "f":  # integers are places, as what a mask keeps
                    value.flows, value.constant = True, "constant" if array.any() else "zeros"
        (open_calls[-1].steps if open_calls else whole).append(call)
        open_calls.append(call)
        output = module.forward(*inputs, **settings)
        call.outputs = [value_of(a) for a in _arrays(output)]
        open_calls.pop()
        return output

    given = [shape_only((batch, *shape))]
    if hasattr(model, "longest"):
        given.append(np.zeros((batch, model.longest), int))
    for array in given:
        value_of(array).flows = True
    with no_grad(), intercept_operations(run_operation), intercept_calls(follow), np.errstate(all="ignore"):
        model.eval()(Tensor.without_copy(given[0]), *given[1:])
    return whole[0], values


def _behind(value, makers, steps=1000):
    """The ids of what a value was made of, as far as it flows, by at most so many steps."""
    found, edge = set(), {id(value)}
    while edge and steps:
        edge = {id(v) for place in edge if place in makers for v in makers[place].inputs if v.flows} - found
        found |= edge
        steps -= 1
    return found


def _memory(array):
    """The array that owns the memory."""
    while getattr(array, "base", None) is not None and is_array(array.base):
        array = array.base
    return array


def _arrays(given: Any) -> Iterator[Any]:
    """The arrays of everything with elements, in their order."""
    if isinstance(given, Tensor):
        yield given._array
    elif is_array(given):
        yield given
    elif isinstance(given, dict):
        yield from _arrays(list(given.values()))
    elif isinstance(given, (list, tuple)):
        for member in given:
            yield from _arrays(member)
