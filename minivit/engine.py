"""Reverse-mode automatic differentiation on arrays.

An operation is a plain function on arrays that returns its value and its pullback, the function that turns the
gradient of the loss with respect to the value, dy, into gradients with respect to the arguments:

    @primitive
    def exp(x):
        y = array_module(x).exp(x)
        return y, lambda dy: dy * y

Called with Tensors, it leaves a Node behind: the pullback, and the nodes of the arguments that it leads to. Nodes
are numbered as they are made, so an argument always has a smaller number than what was computed from it: to walk
backwards is to visit the nodes by falling number (a topological order), adding up what arrives at each.

Baydin et al., "Automatic differentiation in machine learning: a survey", JMLR 2018, arXiv:1502.05767, section 3.2.
First derivatives only: the pullbacks work on arrays and leave no nodes of their own.
"""

import contextlib
import contextvars
import functools
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from .backend import add_up, array_module, is_array
from .guards import EXPLAINED, explained, may_change, plain_settings, refuse_widening, with_an_array
from .tensor import Tensor, plain_array
from .types import Array

_recording = contextvars.ContextVar("recording", default=True)
_interpreter: contextvars.ContextVar[Callable | None] = contextvars.ContextVar("interpreter", default=None)
_serial = itertools.count()


class Node:
    """One executed operation: its pullback, and where the gradients that it returns go."""

    __slots__ = ("number", "name", "backward", "arguments", "leaves")

    def __init__(self, name: str, backward: Callable, tensors: list[tuple[int, Tensor]]) -> None:
        self.number, self.name, self.backward = next(_serial), name, backward
        # Nodes, not tensors, are linked: a value that no pullback has kept can be freed during the forward pass.
        self.arguments = [(position, t.node or t, t.shape) for position, t in tensors if t.requires_grad]
        self.leaves = [(t, t.version, t.requires_grad) for _, t in tensors if t.node is None]

    def release(self):
        """The pullback and the arguments, which are forgotten; an error if a leaf is no longer what it was."""
        for leaf, version, required in self.leaves:
            if leaf.version != version:
                raise RuntimeError(f"backward: an argument of {self.name!r} was changed in place after it was used")
            if leaf.requires_grad and not required:
                raise RuntimeError(f"backward: requires_grad of an argument of {self.name!r} was switched on after it "
                                   "was used; compute the loss again")
        released = self.backward, self.arguments
        self.backward, self.arguments, self.leaves = None, (), ()
        return released


def primitive(function: Callable) -> Callable[..., Tensor]:
    """Make a function of arrays, returning (value, backward), differentiable: callable with Tensors.

    Tensors and arrays are positional arguments; numbers, axes and other settings may be either positional or named.
    `backward(dy)` returns the gradient of each positional argument (None where there is none; trailing ones may be left
    out); a gradient that is costly may come as a function without arguments, called only if somebody needs it. The
    engine sums the gradients of broadcast arguments. `dy` may not be changed; what is returned is `dy`, a view of it,
    or a fresh array that nobody else holds.
    """
    name = function.__name__.strip("_")

    @functools.wraps(function)
    def operation(*args, **settings):
        tensors = [(position, t) for position, t in enumerate(args) if isinstance(t, Tensor)]
        recording = _recording.get() and any(t.requires_grad for _, t in tensors)
        if settings:
            settings = plain_settings(name, settings)
        arrays = []
        for argument in args:
            if isinstance(argument, Tensor):
                argument = argument._array
            elif isinstance(argument, np.generic):
                argument = argument.item()  # a NumPy float64 scalar would turn a float32 tensor into float64
            elif is_array(argument):
                argument = plain_array(argument, name, copy=recording)  # its owner may change it before backward runs
            arrays.append(argument)
        if not tensors:
            arrays = with_an_array(arrays)
        interpreter = _interpreter.get()
        try:
            if interpreter is None:
                value, backward = function(*arrays, **settings)
            else:
                value, backward = interpreter(function, arrays, settings)
        except EXPLAINED as error:
            if str(error).startswith(f"{name}:"):
                raise
            raise explained(error, name, function, arrays) from error
        value = np.asarray(value) if isinstance(value, np.generic) else value
        refuse_widening(name, value, arrays)
        if recording and value.dtype.kind == "f":
            return Tensor.without_copy(value, Node(name, backward, tensors))
        return Tensor.without_copy(value.copy() if may_change(value, args) else value)

    return operation


class Gradients:
    """What has arrived so far, on a walk backwards, at each place: at a Node, or at a leaf of the graph.

    Several gradients that arrive at one place are added up, in place where the sum is an array of our own: a rule may
    hand one array, dy or a view of it, to several places, which must not be written to.
    """

    def __init__(self, root, gradient: Array) -> None:
        self.arrived, self.owned = {root: gradient}, set()

    def add(self, place, gradient: Array, dy) -> None:
        """Take in a gradient that a rule made of dy."""
        if place in self.owned:
            self.arrived[place] += gradient
            return
        flags = gradient.flags
        is_fresh = (flags.c_contiguous and getattr(flags, "writeable", True)  # CuPy has no such flag
                    and not array_module(dy).may_share_memory(gradient, dy))
        if place not in self.arrived:
            self.arrived[place] = gradient
        elif is_fresh:
            gradient += self.arrived[place]
            self.arrived[place] = gradient
        else:
            self.arrived[place], is_fresh = self.arrived[place] + gradient, True
        if is_fresh:
            self.owned.add(place)

    def pop(self, place):
        """What arrived at a place, to be read; None if nothing did, since a pullback on the way returned None."""
        return self.arrived.pop(place, None)

    def own(self, place):
        """What arrived at a place, in memory that nobody else holds."""
        return self.arrived[place] if place in self.owned else self.arrived[place].copy()


def _gradients(root, wanted=frozenset()):
    """{place: gradient} of all leaves that require one and of the nodes that are wanted; frees the graph on the way."""
    nodes = _nodes_behind(root)
    gradients, found = Gradients(root.node or root, array_module(root._array).ones_like(root._array)), {}
    for node in sorted(nodes, key=lambda node: -node.number):
        if node in wanted and node in gradients.arrived:
            found[node] = gradients.own(node)
        dy, (pullback, arguments) = gradients.pop(node), node.release()
        if dy is None:
            continue
        returned = pullback(dy)
        for position, place, shape in arguments:
            gradient = _returned(node, returned, position, shape)
            if gradient is not None:
                gradients.add(place, gradient, dy)
        del dy, pullback, returned, gradient  # frees what they hold before the next pullback allocates
    return found | {leaf: gradients.own(leaf) for leaf in gradients.arrived}


def _nodes_behind(root):
    """The set of all nodes that a loss was computed by."""
    if root.size != 1:
        raise ValueError(f"backward: expected a loss with one element, got shape {root.shape}; sum or average it first")
    if not root.requires_grad:
        raise RuntimeError("backward: the loss depends on no tensor with requires_grad (or was computed in no_grad)")
    nodes, stack = set(), [root.node] if root.node else []
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes.add(node)
            if node.backward is None:
                raise RuntimeError(f"backward: the graph behind {node.name!r} was freed by an earlier backward; "
                                   "compute the loss again")
            stack.extend(place for _, place, _ in node.arguments if isinstance(place, Node))
    return nodes


def _returned(node, gradients, position, shape):
    """The gradient that a pullback returned for an argument, in the shape of that argument; or None."""
    if not isinstance(gradients, tuple):
        gradients = (gradients,)
    if position >= len(gradients):
        raise TypeError(f"{node.name}: argument {position + 1} has no gradient; pass its values alone, t.detach()")
    gradient = gradients[position]
    if callable(gradient):
        gradient = gradient()
    if isinstance(gradient, np.generic):
        gradient = np.asarray(gradient)
    return gradient if gradient is None or gradient.shape == shape else unbroadcast(gradient, shape)


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an argument of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    if added < 0 or any(n not in (1, m) for n, m in zip(shape, gradient.shape[added:], strict=True)):
        raise ValueError(f"backward: a pullback returned shape {gradient.shape} for an argument of shape {shape}")
    repeated = tuple(range(added)) + tuple(
        added + axis for axis, n in enumerate(shape) if n == 1 and gradient.shape[added + axis] != 1)
    return add_up(gradient, repeated, keepdims=True).reshape(shape)  # (..., 1, ...) -> shape


def grad(loss: Tensor, tensors: list[Tensor]) -> list[Array]:
    """The gradients of a loss with respect to a list of tensors, as a list of arrays.

    A tensor may be one that was made with requires_grad, or one that was computed from such on the way to the loss.
    Touches nothing that other threads see: each can work on a share of the batch. Frees the graph of the loss.
    A tensor that the loss does not depend on gets zeros.
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"grad: loss: expected a Tensor, got {type(loss).__name__}")
    tensors = _learning_tensors(tensors)
    found, given = _gradients(loss, {t.node or t for t in tensors}), set()
    gradients = []
    for t in tensors:
        place = t.node or t
        gradient = found.get(place)
        if gradient is None:
            gradient = array_module(t._array).zeros_like(t._array)
        elif place in given:  # named twice: memory of its own
            gradient = gradient.copy()
        gradients.append(gradient)
        given.add(place)
    return gradients


def _learning_tensors(tensors):
    """The tensors as a list; an error if there is one that no gradient can be found for."""
    if isinstance(tensors, Tensor):
        raise TypeError("grad: tensors: expected a list of Tensors, got one Tensor; write grad(loss, [x])")
    tensors = list(tensors)
    for index, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise TypeError(f"grad: tensors[{index}]: expected a Tensor, got {type(t).__name__}")
        if not t.requires_grad:
            raise ValueError(f"grad: tensors[{index}] of shape {t.shape} does not require a gradient, so the graph "
                             "does not lead to it: make it with Tensor(data, requires_grad=True)")
    return tensors


def backward(loss: Tensor) -> None:
    """Add d loss / d t to t.grad of every tensor t that was made with requires_grad and that the loss depends on."""
    for leaf, gradient in _gradients(loss).items():
        leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient


Tensor.backward = backward


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Inside the `with` block, operations of this thread leave no graph behind."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def is_recording() -> bool:
    """Whether this thread is outside `no_grad`: inside, an operation can leave out what only its pullback needs."""
    return _recording.get()


@contextlib.contextmanager
def intercept_operations(interpreter: Callable) -> Iterator[None]:
    """Inside the `with` block, interpreter(function, arrays, settings) -> (value, backward) runs every primitive.

    What counts multiply-adds without computing them, and what draws a graph, need no second model.
    """
    token = _interpreter.set(interpreter)
    try:
        yield
    finally:
        _interpreter.reset(token)
