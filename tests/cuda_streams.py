"""Streams, graphs and memory pools for the stand-in for CuPy, and a count of what crosses the bus.

Every function, operator and kernel of the stand-in is carried out by `execute`. While the current stream captures,
nothing is carried out: an operation is noted with the memory of its arguments, its result is memory full of NaN, and
`Graph.launch` carries all of them out, in order, on the same memory. What CuPy 14 refuses meanwhile is refused (its
cuda/stream.pyx, cuda/memory.pyx and cublas.pyx): whatever goes to the host or comes from it, and cuBLAS. So is what it
would let pass, and memory be overwritten for: a graph whose intermediate results lie in the pool that everybody uses.
"""

import collections
import contextlib
import threading
import types
import weakref

import numpy as np

TRAFFIC = collections.Counter()  # "to the device", "bytes to the device", "to the host", "waits"
CUBLAS = {"matmul", "dot", "vdot", "inner", "outer", "tensordot", "einsum"}  # tests may empty it
WAITING = {"bincount", "nonzero", "flatnonzero", "argwhere", "unique"}  # the host reads how large the result is
WRITING = {"copyto", "put", "place", "putmask", "setitem", "at", "iadd", "isub", "imul", "itruediv", "iand", "ior"}
WRITING_METHODS = {"fill", "put", "sort", "partition"}
_local = threading.local()


class Stream:
    """A stream; its work is done at once, but what was copied to the host can be read after an event only."""

    def __init__(self, null=False, non_blocking=False):
        self.ptr, self.non_blocking, self.graph, self.copies = (0 if null else id(self)), non_blocking, None, []

    def __enter__(self):
        _stack().append(self)
        return self

    def __exit__(self, *error):
        _stack().pop()

    def begin_capture(self):
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if not self.non_blocking:
            raise RuntimeError("the stand-in captures on non-blocking streams: others forbid the null stream meanwhile")
        self.graph = Graph(getattr(_local, "pool", None))

    def end_capture(self):
        graph, self.graph = self.graph, None
        return graph

    def is_capturing(self):
        return self.graph is not None

    def synchronize(self):
        refuse_capture("synchronize")
        Event(self).synchronize()

    def record(self):
        return Event(self)


class Event:
    """A place in a stream."""

    def __init__(self, stream):
        self.copies, stream.copies = stream.copies, []

    def synchronize(self):
        TRAFFIC["waits"] += 1
        for target, values in self.copies:
            target[...] = values
        self.copies = []


class Graph:
    """Noted operations, as functions without arguments."""

    def __init__(self, pool):
        self.operations, self.pool = [], weakref.ref(pool) if pool else None

    def launch(self, stream=None):
        if self.pool is None or self.pool() is None:
            raise RuntimeError("the memory of this graph's intermediate results may be somebody else's by now: capture "
                               "with a memory pool of its own, and keep it")
        for operation in self.operations:
            operation()


class MemoryPool:
    """Where memory comes from, inside `using_allocator(pool.malloc)`."""

    def malloc(self, size):
        raise NotImplementedError

    def free_all_blocks(self):
        refuse_capture("cudaFree")


@contextlib.contextmanager
def using_allocator(malloc):
    _local.pool, before = malloc.__self__, getattr(_local, "pool", None)
    try:
        yield
    finally:
        _local.pool = before


def get_current_stream():
    return _stack()[-1]


def _stack():
    if not hasattr(_local, "streams"):
        _local.streams = [NULL]
    return _local.streams


NULL = Stream(null=True)


def refuse_capture(what):
    """Fail as CuPy does where the current stream is capturing."""
    if get_current_stream().graph is not None:
        raise RuntimeError(f"the current stream is capturing, so synchronous API calls are disallowed ({what})")


def count_to_host(what):
    """Something is read back, for which the host waits."""
    refuse_capture(what)
    TRAFFIC.update({"to the host": 1, "waits": 1})


def count_to_device(host):
    """An array of the host is copied to the device; a number becomes an argument of a kernel."""
    if host.ndim:
        refuse_capture("H2D transfer")
        TRAFFIC.update({"to the device": 1, "bytes to the device": host.nbytes})


def copy_to_host(values, out):
    """Copy into pinned memory without waiting: NaN until an event that is recorded later has been waited for."""
    refuse_capture("D2H transfer")
    TRAFFIC["to the host"] += 1
    out[...] = np.nan
    get_current_stream().copies.append((out, values.copy()))


def launch(kernel):
    """Carry out a function without arguments that works on fixed memory: now, or whenever the graph is launched."""
    graph = get_current_stream().graph
    if graph is None:
        kernel()
    else:
        graph.operations.append(kernel)


def execute(function, args, settings):
    """function(*args, **settings) for NumPy arrays that lie on the device."""
    graph, name = get_current_stream().graph, getattr(function, "__name__", "")
    if name in WAITING or (name == "where" and len(args) == 1) or _is_mask(function, args):
        count_to_host(name)
    if name in ("concatenate", "stack") and len(args[0]) > 8:
        count_to_device(np.empty(len(args[0]), np.int64))  # their addresses
    if graph is None:
        return function(*args, **settings)
    if name in CUBLAS:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
    target, owner = settings.get("out"), getattr(function, "__self__", None)
    if target is not None or name in (WRITING_METHODS if isinstance(owner, np.ndarray) else WRITING):
        graph.operations.append(lambda: function(*args, **settings))
        return args[0] if target is None else target
    with np.errstate(all="ignore"):
        result = _without_effect(function, owner, args, settings)
    sources = list(_arrays((owner, args, settings)))
    fresh = [not any(np.may_share_memory(x, source) for source in sources) for x in _arrays(result)]
    results = _as_arrays(result)
    if any(fresh):
        targets = [x for x, is_fresh in zip(_arrays(results), fresh, strict=True) if is_fresh]
        graph.operations.append(lambda: _repeat(function, args, settings, fresh, targets))
        for x in targets:
            if x.dtype.kind == "f":
                x.fill(np.nan)
    return results


def _is_mask(function, args):
    """Whether pictures are chosen by a mask, of which the host counts the True."""
    if getattr(function, "__name__", "") not in ("getitem", "setitem"):
        return False
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    return any(isinstance(part, np.ndarray) and part.dtype == bool for part in index)


def _without_effect(function, owner, args, settings):
    """The shapes and dtypes of a result; a random generator stays where it is."""
    if not isinstance(owner, np.random.Generator):
        return function(*args, **settings)
    state = owner.bit_generator.state
    try:
        return function(*args, **settings)
    finally:
        owner.bit_generator.state = state


def _repeat(function, args, settings, fresh, targets):
    values = [x for x, is_fresh in zip(_arrays(function(*args, **settings)), fresh, strict=True) if is_fresh]
    for target, value in zip(targets, values, strict=True):
        target[...] = value


def _as_arrays(result):
    if isinstance(result, (tuple, list)):
        return type(result)(map(_as_arrays, result))
    return np.array(result) if isinstance(result, np.generic) else result


def _arrays(tree):
    """All arrays, and NumPy's numbers, in nested tuples, lists and dictionaries."""
    if isinstance(tree, (np.ndarray, np.generic)):
        yield tree
    elif isinstance(tree, (tuple, list, dict)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from _arrays(part)


CUDA = types.SimpleNamespace(
    Stream=Stream, MemoryPool=MemoryPool, using_allocator=using_allocator, get_current_stream=get_current_stream,
    alloc_pinned_memory=bytearray, runtime=types.SimpleNamespace(
        getDeviceCount=lambda: 1, getDeviceProperties=lambda device: {"name": b"none", "totalGlobalMem": 4 << 30},
        memGetInfo=lambda: (3 << 30, 4 << 30), driverGetVersion=lambda: 13000, runtimeGetVersion=lambda: 13000))
