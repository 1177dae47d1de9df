"""A stand-in for CuPy without a GPU: its arrays are NumPy arrays in a wrapper that refuses NumPy arrays, as CuPy does.

It computes nothing by itself and is no faster; what it does is to fail where CuPy would:

- a NumPy array handed to a function, a method or an operator is a TypeError (indices are the exception: CuPy copies
  them to the device), and so is every implicit conversion to NumPy;
- there are no scalars: sums are arrays without axes; there is no writeable flag;
- `empty` is filled with NaN;
- what NumPy has and CuPy 14 has not is an AttributeError.

`modules()` gives what to put into sys.modules; the `device` fixture does it.
"""

import operator
import types

import numpy as np

ABSENT_FUNCTIONS = """
    asmatrix block bmat einsum_path emath errstate float128 frompyfunc geomspace getbufsize geterr insert isnat
    longdouble ma matrix matvec memmap nanpercentile nanquantile ndenumerate nditer nested_iters polyder polydiv polyint
    rec recarray record setbufsize seterr spacing strings unstack vecdot vecmat
    """
ARRAY_METHODS = """
    all any argmax argmin argpartition argsort astype choose clip compress conj copy cumprod cumsum diagonal dot fill
    flatten item max mean min nonzero partition prod ptp put ravel repeat reshape round searchsorted sort squeeze std
    sum swapaxes take tobytes tolist trace transpose var view
    """
GENERATOR_METHODS = """
    beta binomial chisquare dirichlet exponential f gamma geometric hypergeometric integers logseries poisson power
    random standard_exponential standard_gamma standard_normal uniform
    """
BRING_TO_DEVICE = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"}


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
    T = property(lambda self: ndarray(self._host.T))
    flags = property(lambda self: types.SimpleNamespace(
        c_contiguous=self._host.flags.c_contiguous, f_contiguous=self._host.flags.f_contiguous,
        owndata=self._host.flags.owndata))

    def __getattr__(self, name):
        if name not in ARRAY_METHODS.split():
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        indices_may_lie_on_the_host = name == "take"
        return _on_device(getattr(self._host, name), host_arrays=indices_may_lie_on_the_host)

    def get(self):
        """The array in host memory: a copy."""
        return self._host.copy()

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
        return _wrap(self._host[_unwrap(index, host_arrays=True)])

    def __setitem__(self, index, value):
        self._host[_unwrap(index, host_arrays=True)] = _unwrap(value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __len__(self):
        return len(self._host)

    def __bool__(self):
        return bool(self._host)

    def __int__(self):
        return int(self._host)

    def __float__(self):
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
    """Device arrays become NumPy arrays; NumPy arrays are refused."""
    if isinstance(argument, ndarray):
        return argument._host
    if isinstance(argument, np.ndarray) and not host_arrays:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(argument, (tuple, list)):
        return type(argument)(_unwrap(part, host_arrays) for part in argument)
    return argument


def _on_device(function, host_arrays=False):
    def run(*args, **settings):
        args = [_unwrap(a, host_arrays) for a in args]
        settings = {name: _unwrap(setting, host_arrays) for name, setting in settings.items()}
        return _wrap(function(*args, **settings))
    return run


def _bring(function):
    """What makes an array of the host one of the device: a copy, but a device array stays as it is."""
    def run(x, *args, **settings):
        host = function(x.copy() if isinstance(x, np.ndarray) else _unwrap(x), *args, **settings)
        return x if isinstance(x, ndarray) and host is x._host else ndarray(host)
    return run


def _unwritten(host):
    if host.dtype.kind == "f":
        host.fill(np.nan)
    return host


def _operator(name, reflected=False, in_place=False):
    def method(self, other):
        if getattr(other, "__array_ufunc__", self) is None:
            return NotImplemented
        pair = (other, self) if reflected else (self, other)
        result = _on_device(getattr(operator, name))(*pair)
        return self if in_place else result
    return method


def _unary(name):
    return lambda self: ndarray(getattr(operator, name)(self._host))


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor"):
    _bare = _name.strip("_")
    setattr(ndarray, f"__{_bare}__", _operator(_name))
    setattr(ndarray, f"__r{_bare}__", _operator(_name, reflected=True))
    setattr(ndarray, f"__i{_bare}__", _operator(f"i{_bare}", in_place=True))
for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(ndarray, f"__{_name}__", _operator(_name))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(ndarray, f"__{_name}__", _unary(_name))


class Generator:
    """A random generator whose draws lie on the device."""

    def __init__(self, seed=None):
        self._host = np.random.default_rng(seed)

    def __getattr__(self, name):
        if name not in GENERATOR_METHODS.split():
            raise AttributeError(f"'Generator' object has no attribute {name!r}")
        return _on_device(getattr(self._host, name))


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
CUPY.empty = lambda shape, dtype=float: ndarray(_unwritten(np.empty(shape, dtype)))
CUPY.empty_like = lambda x: ndarray(_unwritten(np.empty_like(_unwrap(x))))
CUPY.asnumpy = lambda x: x.get() if isinstance(x, ndarray) else np.asarray(x)
CUPY.get_array_module = lambda *arrays: CUPY if any(isinstance(a, ndarray) for a in arrays) else np
CUPY.broadcast_shapes = np.broadcast_shapes
CUPY.random = types.SimpleNamespace(default_rng=Generator, Generator=Generator)
CUPY.lib = types.SimpleNamespace(stride_tricks=types.SimpleNamespace(
    as_strided=_on_device(np.lib.stride_tricks.as_strided),
    sliding_window_view=_on_device(np.lib.stride_tricks.sliding_window_view)))
CUPY.linalg = types.SimpleNamespace(norm=_on_device(np.linalg.norm))
CUPY.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=lambda: 1))


def _scatter_add(target, index, values):
    np.add.at(target._host, _unwrap(index, host_arrays=True), _unwrap(values))


def modules():
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
