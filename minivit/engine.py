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

import numpy as np

from .backend import array_module, is_array
from .guards import explained, may_change, refuse_tensors, refuse_widening
from .tensor import Tensor

_recording = contextvars.ContextVar("recording", default=True)
_interpreter = contextvars.ContextVar("interpreter", default=None)
_serial = itertools.count()


class Node:
    """One executed operation: its pullback, and where the gradients that it returns go."""

    __slots__ = ("number", "name", "backward", "arguments", "leaves")

    def __init__(self, name, backward, tensors):
        self.number, self.name, self.backward = next(_serial), name, backward
        # Nodes, not tensors, are linked: a value that no pullback has kept can be freed during the forward pass.
        self.arguments = [(position, t.node or t, t.shape) for position, t in tensors if t.requires_grad]
        self.leaves = [(t, t.version) for _, t in tensors if t.node is None]


def primitive(function):
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
        refuse_tensors(name, settings)
        arrays = []
        for argument in args:
            if isinstance(argument, Tensor):
                argument = argument._array
            elif isinstance(argument, np.generic):
                argument = argument.item()  # a NumPy float64 scalar would turn a float32 tensor into float64
            elif recording and is_array(argument):
                argument = argument.copy()  # its owner may change it before backward runs
            arrays.append(argument)
        interpreter = _interpreter.get()
        try:
            if interpreter is None:
                value, backward = function(*arrays, **settings)
            else:
                value, backward = interpreter(function, arrays, settings)
        except (ValueError, IndexError, TypeError) as error:
            if str(error).startswith(name):
                raise
            raise explained(error, name, arrays) from error
        value = np.asarray(value) if isinstance(value, np.generic) else value
        refuse_widening(name, value, arrays)
        if recording and value.dtype.kind == "f":
            return Tensor.without_copy(value, Node(name, backward, tensors))
        return Tensor.without_copy(value.copy() if may_change(value, args) else value)

    return operation


def _gradients(root):
    """{id: (leaf, gradient)} for every leaf that requires a gradient; frees the graph as it is walked."""
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
            stack.extend(origin for _, origin, _ in node.arguments if isinstance(origin, Node))
    arrived = {root.node or root: array_module(root._array).ones_like(root._array)}
    owned = set()  # the places whose gradient is an array of our own, which may be added to
    for node in sorted(nodes, key=lambda node: -node.number):
        for tensor, version in node.leaves:
            if tensor.version != version:
                raise RuntimeError(f"backward: an argument of {node.name!r} was changed in place after it was used")
        dy, pullback, arguments = arrived.pop(node, None), node.backward, node.arguments
        node.backward, node.arguments, node.leaves = None, (), ()
        if dy is None:
            continue  # a pullback returned None: there is no gradient to pass on
        gradients, gradient = pullback(dy), None
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        for position, origin, shape in arguments:
            gradient = gradients[position]
            if callable(gradient):
                gradient = gradient()
            if gradient is None:
                continue
            gradient = unbroadcast(np.asarray(gradient) if isinstance(gradient, np.generic) else gradient, shape)
            if origin in owned:
                arrived[origin] += gradient
                continue
            is_fresh = gradient.flags.c_contiguous and not array_module(dy).may_share_memory(gradient, dy)
            if origin not in arrived:
                arrived[origin] = gradient
            elif is_fresh:
                gradient += arrived[origin]
                arrived[origin] = gradient
            else:
                arrived[origin], is_fresh = arrived[origin] + gradient, True
            if is_fresh:
                owned.add(origin)
        del dy, pullback, gradients, gradient  # frees what they hold before the next pullback allocates
    return {id(leaf): (leaf, gradient if leaf in owned else gradient.copy()) for leaf, gradient in arrived.items()}


def unbroadcast(gradient, shape):
    """Sum a gradient over the axes along which an argument of `shape` was repeated."""
    if gradient.shape == shape:
        return gradient
    added = gradient.ndim - len(shape)
    repeated = tuple(range(added)) + tuple(
        added + axis for axis, n in enumerate(shape) if n == 1 and gradient.shape[added + axis] != 1)
    return gradient.sum(repeated, keepdims=True).reshape(shape)  # (..., 1, ...) -> shape


def grad(loss, tensors):
    """The gradients of a loss with respect to some tensors, as a list of arrays.

    Touches nothing that other threads see: each can work on a shard of the batch. Frees the graph of the loss.
    A tensor that the loss does not depend on gets zeros.
    """
    found = _gradients(loss)
    return [found[id(t)][1] if id(t) in found else array_module(t._array).zeros_like(t._array) for t in tensors]


def backward(loss):
    """Add d loss / d t to t.grad of every tensor t with requires_grad that the loss was computed from."""
    for tensor, gradient in _gradients(loss).values():
        tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient


Tensor.backward = backward


@contextlib.contextmanager
def no_grad():
    """Inside the `with` block, operations of this thread leave no graph behind."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def is_recording():
    """Whether this thread is outside `no_grad`: inside, an operation can leave out what only its pullback needs."""
    return _recording.get()


@contextlib.contextmanager
def intercept_operations(interpreter):
    """Inside the `with` block, interpreter(function, arrays, settings) -> (value, backward) runs every primitive.

    What counts multiply-adds without computing them, and what draws a graph, need no second model.
    """
    token = _interpreter.set(interpreter)
    try:
        yield
    finally:
        _interpreter.reset(token)
