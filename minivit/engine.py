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

from .backend import array_module, asnumpy, device_of, is_array, to_device

_recording = contextvars.ContextVar("recording", default=True)
_interpreter = contextvars.ContextVar("interpreter", default=None)
_serial = itertools.count()


class Tensor:
    """An array that remembers how it was computed.

    Parameters
    ----------
    data : array_like
        Copied, so that later changes to the caller's array cannot reach a recorded graph. Python numbers become
        float32; arrays keep their dtype.
    requires_grad : bool
        Whether `backward` fills `.grad` of this tensor. Only floating-point tensors can have gradients.
    """

    __slots__ = ("_array", "grad", "requires_grad", "node", "version", "__weakref__")
    __array_ufunc__ = None  # np.float32(2) * t and array * t come to __rmul__ instead of being taken apart by NumPy

    def __init__(self, data, requires_grad=False):
        if isinstance(data, Tensor):
            data = data._array
        array = data.copy() if is_array(data) else np.array(data)
        if not is_array(data) and not isinstance(data, np.generic) and array.dtype == np.float64:
            array = array.astype(np.float32)
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(f"Tensor: requires_grad needs a floating-point dtype, got {array.dtype}")
        self._array, self.requires_grad = array, requires_grad
        self.grad, self.node, self.version = None, None, 0

    @classmethod
    def wrap(cls, array, node=None):
        """A tensor around an array that nobody will write to, without a copy; it cannot be changed in place."""
        tensor = Tensor.__new__(Tensor)
        tensor._array, tensor.requires_grad, tensor.node = array, node is not None, node
        tensor.grad, tensor.version = None, None
        return tensor

    @property
    def data(self):
        """The array, to read; assign to replace it. `mutable()` gives the one to write to."""
        view = self._array.view()
        if isinstance(view, np.ndarray):
            view.flags.writeable = False
        return view

    @data.setter
    def data(self, new):
        old = self.mutable()
        new = new._array if isinstance(new, Tensor) else array_module(old).asarray(new)
        if new.shape != old.shape:
            raise ValueError(f"data: expected shape {old.shape}, got {new.shape}")
        self._array = new.astype(old.dtype)

    def mutable(self):
        """The array itself, to write to in place. A graph recorded before refuses to run backward afterwards."""
        if self.version is None:
            raise RuntimeError("mutable: this tensor was computed by an operation, and other tensors may share its "
                               "values; change a copy: Tensor(t)")
        self.version += 1
        return self._array

    shape = property(lambda self: self._array.shape, doc="The lengths of the axes, a tuple of int.")
    ndim = property(lambda self: self._array.ndim, doc="The number of axes.")
    size = property(lambda self: self._array.size, doc="The number of elements.")
    dtype = property(lambda self: self._array.dtype, doc="The NumPy dtype of the elements.")
    device = property(lambda self: device_of(self._array), doc='"cpu" or "cuda".')

    def numpy(self):
        """The values as a NumPy array in host memory, to read."""
        return asnumpy(self.data)

    def item(self):
        """The value of a tensor with one element, as a Python number."""
        return self._array.item()

    def detach(self):
        """A copy of the values, which the graph does not reach."""
        return Tensor.wrap(self._array.copy())

    def to(self, device):
        """A copy of the values on "cpu" or "cuda", which the graph does not reach."""
        return self.detach() if device == self.device else Tensor.wrap(to_device(self._array, device))

    def backward(self):
        """Add d self / d t to t.grad of every tensor t with requires_grad that this one was computed from."""
        for tensor, gradient in _gradients(self).values():
            tensor.grad = gradient if tensor.grad is None else tensor.grad + gradient

    def __len__(self):
        if not self.ndim:
            raise TypeError("len: this tensor has no axes")
        return self.shape[0]

    def __bool__(self):
        return bool(self._array)

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise TypeError("a Tensor with a gradient does not become an array by itself: use t.data, or an operation "
                            "of minivit.ops")
        return np.array(self._array, dtype=dtype)

    def __float__(self):
        return float(self._array)

    def __int__(self):
        return int(self._array)

    def __format__(self, spec):
        return format(self._array.item() if self.ndim == 0 else self._array, spec)

    def __repr__(self):
        values = np.array2string(asnumpy(self._array), separator=", ", precision=4, threshold=60, prefix="Tensor(")
        origin = f", from {self.node.name}" if self.node else ", requires_grad" if self.requires_grad else ""
        device = "" if self.device == "cpu" else f", {self.device}"
        return f"Tensor({values}, shape={self.shape}, {self.dtype}{device}{origin})"


class Node:
    """One executed operation: its pullback, and where the gradients that it returns go."""

    __slots__ = ("number", "name", "backward", "arguments", "shape", "leaves")

    def __init__(self, name, backward, tensors, value):
        self.number, self.name, self.backward, self.shape = next(_serial), name, backward, value.shape
        # Nodes, not tensors, are linked: a value that no pullback has kept can be freed during the forward pass.
        self.arguments = [(position, t.node or t, t.shape) for position, t in tensors if t.requires_grad]
        self.leaves = [(t, t.version) for _, t in tensors if t.node is None]


def primitive(function):
    """Make a function of arrays, returning (value, backward), differentiable: callable with Tensors.

    Positional arguments are tensors, arrays, numbers or None; settings are keyword-only. `backward(dy)` returns the
    gradient of each positional argument (None where there is none); a gradient that is costly may come as a function
    without arguments, called only if somebody needs it. Gradients of broadcast arguments are summed by the engine.
    `dy` may not be changed; what is returned is `dy`, a view of it, or a fresh array that nobody else holds.
    """
    name = function.__name__.strip("_")

    @functools.wraps(function)
    def operation(*args, **settings):
        tensors = [(position, t) for position, t in enumerate(args) if isinstance(t, Tensor)]
        recording = _recording.get() and any(t.requires_grad for _, t in tensors)
        for setting, given in settings.items():
            if isinstance(given, Tensor):
                raise TypeError(f"{name}: {setting} is a Tensor; pass it by position, so that it can get a gradient")
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
            raise _named(error, name, arrays) from error
        value = np.asarray(value) if isinstance(value, np.generic) else value
        _refuse_widening(name, value, arrays)
        if recording and value.dtype.kind == "f":
            return Tensor.wrap(value, Node(name, backward, tensors, value))
        return Tensor.wrap(value.copy() if _may_change(value, args) else value)

    return operation


def _named(error, name, arrays):
    """The error again, with the name of the operation and the shapes of its arguments in the message."""
    arrays = [array for array in arrays if is_array(array)]
    devices = sorted({device_of(array) for array in arrays})
    if len(devices) > 1:
        return TypeError(f"{name}: arguments on {' and '.join(devices)}; move them to one device with .to(device)")
    kind = next(kind for kind in (IndexError, TypeError, ValueError) if isinstance(error, kind))
    return kind(f"{name}: {error} [arguments of shape {', '.join(str(array.shape) for array in arrays)}]")


def _may_change(value, args):
    """Whether a value outside the graph shows memory that somebody can write to without the graph's knowledge."""
    for argument in args:
        if isinstance(argument, Tensor):
            if argument.node is None and argument.version is None:
                continue
            argument = argument._array
        if type(argument) is type(value) and array_module(value).may_share_memory(argument, value):
            return True
    return False


def _refuse_widening(name, value, arrays):
    """float32 with float64, or with an array of integers, would give float64: that is the caller's to decide."""
    dtypes = [array.dtype for array in arrays if is_array(array)]
    floats = {dtype for dtype in dtypes if dtype.kind == "f"}
    if len(dtypes) > 1 and floats and value.dtype.kind == "f" and floats != {value.dtype}:
        given = ", ".join(map(str, dtypes))
        raise TypeError(f"{name}: arguments of dtype {given} would give {value.dtype}; convert one with .astype")


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
            elif origin in arrived:
                arrived[origin] = arrived[origin] + gradient
                owned.add(origin)
            else:
                arrived[origin] = gradient
                if gradient.flags.c_contiguous and not array_module(dy).may_share_memory(gradient, dy):
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


@contextlib.contextmanager
def no_grad():
    """Inside the `with` block, operations of this thread leave no graph behind."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@contextlib.contextmanager
def interpret(interpreter):
    """Inside the `with` block, interpreter(function, arrays, settings) -> (value, backward) runs every primitive.

    What counts multiply-adds without computing them, and what draws a graph, need no second model.
    """
    token = _interpreter.set(interpreter)
    try:
        yield
    finally:
        _interpreter.reset(token)
