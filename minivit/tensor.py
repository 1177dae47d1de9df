"""The tensor: an array, and how it was computed.

Its operators and methods (x + y, x[0], x.sum()), and what NumPy's functions do with it, are operations of `ops` and are
bound to it there; `backward` is the engine's.
"""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from .backend import array_module, asnumpy, device_of, is_array, to_device
from .types import Array, Numbers


def plain_array(x: Any, name: str, copy: bool | None) -> Array:
    """An array of NumPy's or CuPy's own type, its bytes in the order of this machine; `name` is for errors.

    Others would silently do something else: np.matrix multiplies matrices, and a masked array leaves out.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array, got a masked array: say what stands in the gaps by .filled(value)")
    if type(x) is np.ndarray and not x.dtype.isnative:
        return x.astype(x.dtype.newbyteorder("="))
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
        return plain_array(np.array(x), name, copy=False)
    return x.copy() if copy else x


def array_from_numbers(data: Numbers):
    """An array of (nested lists of) Python numbers: float32 where some are floats. Arrays in the lists keep float64."""
    array = np.array(data)
    if array.dtype == np.float64 and not isinstance(data, np.generic) and not _holds_float64(data):
        return array.astype(np.float32)
    return array


def _holds_float64(data):
    if isinstance(data, (list, tuple)):
        return any(map(_holds_float64, data))
    return getattr(data, "dtype", None) == np.float64


class Tensor:
    """An array that remembers how it was computed.

    Parameters
    ----------
    data : array_like
        Copied, so that later changes to the caller's array cannot reach a recorded graph. Python floats become
        float32, integers int64, truths bool; arrays keep their dtype.
    requires_grad : bool
        Whether `backward` fills `.grad` of this tensor. Only floating-point tensors can have gradients.
    """

    state_names: tuple[str, ...] = ("_array", "grad", "requires_grad", "node", "version")
    __slots__ = (*state_names, "__weakref__")

    if TYPE_CHECKING:  # what __init__ sets, and what ops/operators.py and the engine bind
        _array: Array
        grad: Array | None
        requires_grad: bool
        version: Any
        backward: Any
        __add__: Any
        __radd__: Any
        __sub__: Any
        __rsub__: Any
        __mul__: Any
        __rmul__: Any
        __truediv__: Any
        __rtruediv__: Any
        __pow__: Any
        __matmul__: Any
        __rmatmul__: Any
        __neg__: Any
        __getitem__: Any
        __setitem__: Any

        def __getattr__(self, name: str) -> Any:
            """An operation as a method: x.sum()."""

    def __init__(self, data: Numbers, requires_grad: bool = False) -> None:
        if isinstance(data, Tensor):
            data = data._array
        array = plain_array(data, "Tensor", copy=True) if is_array(data) else array_from_numbers(data)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"Tensor: expected real numbers or truths, got dtype {array.dtype}")
        if requires_grad and array.dtype.kind != "f":
            raise TypeError(f"Tensor: requires_grad needs a floating-point dtype, got {array.dtype}; write numbers "
                            "with a point, or convert the array with .astype(np.float32)")
        self._array, self.requires_grad = array, requires_grad
        self.grad, self.node, self.version = None, None, 0

    @classmethod
    def without_copy(cls, array: Array, node: Any = None) -> "Tensor":
        """A tensor around an array that nobody will write to, without a copy; it cannot be changed in place."""
        tensor = Tensor.__new__(Tensor)
        tensor._array, tensor.requires_grad, tensor.node = array, node is not None, node
        tensor.grad, tensor.version = None, None
        return tensor

    @property
    def data(self) -> Array:
        """The array, to read; assign to replace it. `mutable()` gives the one to write to."""
        view = self._array.view()
        if isinstance(view, np.ndarray):
            view.flags.writeable = False
        return view

    @data.setter
    def data(self, new: Any) -> None:
        old = self.mutable()
        new = new._array if isinstance(new, Tensor) else array_module(old).asarray(new)
        if new.shape != old.shape:
            raise ValueError(f"data: expected shape {old.shape}, got {new.shape}")
        self._array = new.astype(old.dtype)

    def mutable(self) -> Array:
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

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array in host memory, to read."""
        return asnumpy(self.data)

    def item(self) -> float:
        """The value of a tensor with one element, as a Python number."""
        return self._array.item()

    def detach(self) -> "Tensor":
        """A copy of the values, which the graph does not reach."""
        return Tensor.without_copy(self._array.copy())

    def to(self, device: str) -> "Tensor":
        """A copy of the values on "cpu" or "cuda", which the graph does not reach."""
        return self.detach() if device == self.device else Tensor.without_copy(to_device(self._array, device))

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len: this tensor has no axes")
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(self._array)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise TypeError("a Tensor with a gradient does not become an array by itself: use t.data, or an operation "
                            "of minivit.ops (stack makes one Tensor of several)")
        if copy is not False:
            return np.array(self._array, dtype=dtype)
        if dtype is not None and np.dtype(dtype) != self.dtype:
            raise ValueError(f"a Tensor of dtype {self.dtype} becomes an array of dtype {np.dtype(dtype)} by a copy "
                             "only")
        return self.data

    def __copy__(self) -> "Tensor":
        if self.node is None:  # another leaf, with memory of its own
            return copy.deepcopy(self)
        return Tensor.without_copy(self._array, self.node)

    def __getstate__(self):
        """What deepcopy and pickle take: of a leaf only, as the graph of a copy would lead to copies of the leaves."""
        if self.node is not None:
            raise TypeError(f"a Tensor computed by {self.node.name!r} cannot be copied with its graph, nor pickled: "
                            "take its values, t.detach()")
        return None, {name: getattr(self, name) for name in self.state_names}

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError(f"only an integer without axes counts or names a place, got {self.dtype} {self.shape}")
        return int(self._array)

    def __float__(self) -> float:
        return float(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __format__(self, spec: str) -> str:
        return format(self._array.item() if self.ndim == 0 else self._array, spec)

    def __repr__(self) -> str:
        values = np.array2string(asnumpy(self._array), separator=", ", precision=4, suppress_small=True, threshold=60,
                                 edgeitems=3 if self.ndim < 3 else 1, prefix="Tensor(")
        origin = f", from {self.node.name}" if self.node else ", requires_grad" if self.requires_grad else ""
        device = "" if self.device == "cpu" else f", {self.device}"
        return f"Tensor({values}, shape={self.shape}, {self.dtype}{device}{origin})"
