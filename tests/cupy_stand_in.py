"""A stand-in for CuPy without a GPU: its arrays are NumPy arrays in a wrapper that refuses NumPy arrays, as CuPy does.

It computes nothing by itself and is no faster; what it does is to fail where CuPy would:

- a NumPy array handed to a function, a method or an operator is a TypeError (indices are the exception: CuPy copies
  them to the device), and so is every implicit conversion to NumPy;
- there are no scalars: sums are arrays without axes; there is no writeable flag;
- `empty` is filled with NaN;
- what NumPy has and CuPy 14 has not is an AttributeError.

Its streams and graphs are in cuda_streams.py, which also counts what crosses the bus. `install` makes it what
`import cupy` gives; the fixtures `device` and `gpu` call it.
"""

import math
import operator
import sys
import types

import numpy as np

from tests import cuda_streams, cupy_random
from tests.cupy_names import ABSENT_FUNCTIONS, ARRAY_METHODS, BRING_TO_DEVICE, READING_METHODS


class ndarray:
    """An array that pretends to lie on a GPU."""

    __array_priority__ = 100
    __hash__ = None

    def __init__(self, host):
        self._host = host

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    data = property(lambda self: types.SimpleNamespace(ptr=self._host.ctypes.data))
    T = property(lambda self: ndarray(self._host.T))
    flags = property(lambda self: types.SimpleNamespace(
        c_contiguous=self._host.flags.c_contiguous, f_contiguous=self._host.flags.f_contiguous,
        owndata=self._host.flags.owndata))

    def __getattr__(self, name):
        if name in READING_METHODS:
            cuda_streams.count_to_host(name)
            return getattr(self._host, name)
        if name not in ARRAY_METHODS.split():
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        indices_may_lie_on_the_host = name == "take"
        return _on_device(getattr(self._host, name), host_arrays=indices_may_lie_on_the_host)

    def get(self, out=None, blocking=True):
        """The array in host memory: a copy."""
        if blocking:
            cuda_streams.count_to_host("get")
            return self._host.copy()
        cuda_streams.copy_to_host(self._host, out)
        return out

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy "
                        "array explicitly.")

    def __array_ufunc__(self, ufunc, method, *inputs, **settings):
        if any(not isinstance(x, (ndarray, np.ndarray, np.generic, bool, int, float)) for x in inputs):
            return NotImplemented
        return _on_device(getattr(ufunc, method))(*inputs, **settings)

    def __array_function__(self, function, given, args, settings):
        return getattr(CUPY, function.__name__)(*args, **settings)

    def __getitem__(self, index):
        return _on_device(operator.getitem, host_arrays=True)(self, index)

    def __setitem__(self, index, value):
        _on_device(operator.setitem)(self, _index(index), value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __len__(self):
        return len(self._host)

    def __bool__(self):
        cuda_streams.count_to_host("bool")
        return bool(self._host)

    def __int__(self):
        cuda_streams.count_to_host("int")
        return int(self._host)

    def __float__(self):
        cuda_streams.count_to_host("float")
        return float(self._host)

    def __repr__(self):
        return repr(self._host)


def _wrap(result):
    """Arrays and NumPy scalars become device arrays, also inside a tuple or list."""
    if isinstance(result, (np.ndarray, np.generic)):
        return ndarray(np.asarray(result))
    if isinstance(result, (tuple, list)):
        return type(result)(_wrap(part) for part in result)
    return result


def _unwrap(argument, host_arrays=False):
    """Device arrays become NumPy arrays; NumPy arrays are refused, or copied to the device."""
    if isinstance(argument, ndarray):
        return argument._host
    if isinstance(argument, np.ndarray):
        if not host_arrays:
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        cuda_streams.count_to_device(argument)
    if isinstance(argument, (tuple, list)):
        return type(argument)(_unwrap(part, host_arrays) for part in argument)
    return argument


def _on_device(function, host_arrays=False):
    def run(*args, **settings):
        args = [_unwrap(a, host_arrays) for a in args]
        settings = {name: _unwrap(setting, host_arrays) for name, setting in settings.items()}
        return _wrap(cuda_streams.execute(function, args, settings))
    return run


def _index(index):
    """An index with its arrays of the host brought to the device."""
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    return CUPY.asarray(index) if isinstance(index, np.ndarray) else index


def _bring(function):
    """What makes an array of the host one of the device: a copy, but a device array stays as it is."""
    def run(x, *args, **settings):
        if isinstance(x, ndarray):
            result = _on_device(function)(x, *args, **settings)
            return x if result._host is x._host else result
        host = np.array(function(x, *args, **settings))
        cuda_streams.count_to_device(host)
        return ndarray(host)
    return run


def _empty(shape, dtype=float):
    """Memory that begins at a multiple of 512 bytes, as CuPy's does, full of NaN."""
    dtype = np.dtype(dtype)
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * dtype.itemsize
    memory = np.empty(size + 512, np.uint8)
    start = -memory.ctypes.data % 512
    host = memory[start:start + size].view(dtype).reshape(shape)
    cuda_streams.launch(lambda: memory)  # a graph keeps it, as its pool does: operations may know but the address
    if dtype.kind == "f":
        host.fill(np.nan)
    return ndarray(host)


def _operator(name, reflected=False, in_place=False):
    def method(self, other):
        if not isinstance(other, (ndarray, np.ndarray, np.generic)) and hasattr(other, "__array_ufunc__"):
            return NotImplemented
        pair = (other, self) if reflected else (self, other)
        result = _on_device(getattr(operator, name))(*pair)
        return self if in_place else result
    return method


def _unary(name):
    return lambda self: _on_device(getattr(operator, name))(self)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    _bare = _name.strip("_")
    setattr(ndarray, f"__{_bare}__", _operator(_name))
    setattr(ndarray, f"__r{_bare}__", _operator(_name, reflected=True))
    setattr(ndarray, f"__i{_bare}__", _operator(f"i{_bare}", in_place=True))
for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(ndarray, f"__{_name}__", _operator(_name))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(ndarray, f"__{_name}__", _unary(_name))


class _Cupy(types.ModuleType):
    """NumPy's functions under CuPy's conditions."""

    def __getattr__(self, name):
        if name in ABSENT_FUNCTIONS.split() or name.startswith("_"):
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        attribute = getattr(np, name)
        if isinstance(attribute, type) or not callable(attribute):
            return attribute
        return _bring(attribute) if name in BRING_TO_DEVICE else _on_device(attribute, host_arrays=name == "take")


CUPY = _Cupy("cupy")
CUPY.ndarray = ndarray
CUPY.empty = _empty
CUPY.empty_like = lambda x: _empty(x.shape, x.dtype)
CUPY.asnumpy = lambda x: x.get() if isinstance(x, ndarray) else np.asarray(x)
CUPY.get_array_module = lambda *arrays: CUPY if any(isinstance(a, ndarray) for a in arrays) else np
CUPY.broadcast_shapes = np.broadcast_shapes
CUPY.random = cupy_random
CUPY.lib = types.SimpleNamespace(stride_tricks=types.SimpleNamespace(
    as_strided=_on_device(np.lib.stride_tricks.as_strided),
    sliding_window_view=_on_device(np.lib.stride_tricks.sliding_window_view)))
CUPY.linalg = types.SimpleNamespace(norm=_on_device(np.linalg.norm))
CUPY.cuda = cuda_streams.CUDA
CUPY.get_default_memory_pool = cuda_streams.MemoryPool


def _scatter_add(target, index, values):
    _on_device(np.add.at)(target, _index(index), values)


def install(monkeypatch):
    """Let `import cupy` give the stand-in, until the test ends."""
    for name, module in _modules().items():
        monkeypatch.setitem(sys.modules, name, module)


def _modules():
    """The modules to put into sys.modules, by name."""
    from scipy import special

    from tests import cuda_on_cpu

    class Special(types.ModuleType):
        def __getattr__(self, name):
            return _on_device(getattr(special, name))

    CUPY.RawModule = cuda_on_cpu.RawModule
    cupyx, scipy = types.ModuleType("cupyx"), types.ModuleType("cupyx.scipy")
    cupyx.scatter_add, cupyx.scipy, scipy.special = _scatter_add, scipy, Special("cupyx.scipy.special")
    return {"cupy": CUPY, "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.special": scipy.special}
