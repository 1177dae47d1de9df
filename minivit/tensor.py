"""The tensor: an array, and how it was computed.

Its operators and methods (x + y, x[0], x.sum()) are operations of `ops` and are bound to it there; `backward` is the
engine's.
"""

import numpy as np

from .backend import array_module, asnumpy, device_of, is_array, to_device


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
    def without_copy(cls, array, node=None):
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
        return Tensor.without_copy(self._array.copy())

    def to(self, device):
        """A copy of the values on "cpu" or "cuda", which the graph does not reach."""
        return self.detach() if device == self.device else Tensor.without_copy(to_device(self._array, device))

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
        values = np.array2string(asnumpy(self._array), separator=", ", precision=4, suppress_small=True, threshold=60,
                                 edgeitems=3 if self.ndim < 3 else 1, prefix="Tensor(")
        origin = f", from {self.node.name}" if self.node else ", requires_grad" if self.requires_grad else ""
        device = "" if self.device == "cpu" else f", {self.device}"
        return f"Tensor({values}, shape={self.shape}, {self.dtype}{device}{origin})"
