"""Where arrays live: the one file that knows CuPy exists.

Everything above asks `array_module(x)` for the module that made `x` (NumPy or CuPy) and works with that.
CuPy is imported only when a GPU is asked for.
"""

import contextlib
import contextvars
import ctypes
import math
import sys
import threading

import numpy as np

_team = contextvars.ContextVar("team", default=None)
_precision = contextvars.ContextVar("precision", default="float32")
_blas_limits = []  # of the whole process, as BLAS has them


def array_module(*arrays):
    """The module that made the arrays: cupy if any of them lies on a GPU, else numpy."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(array, cupy.ndarray) for array in arrays):
        return cupy
    return np


def is_array(x):
    """Whether x is an array of NumPy or CuPy (a NumPy scalar is not)."""
    cupy = sys.modules.get("cupy")
    return isinstance(x, np.ndarray) or (cupy is not None and isinstance(x, cupy.ndarray))


def device_of(array):
    """The device that an array lies on, as a string: "cpu" or "cuda"."""
    return "cpu" if array_module(array) is np else "cuda"


def asnumpy(x):
    """The array in host memory, as NumPy's; an array that is there already is returned as it is."""
    return x if array_module(x) is np else x.get()


def to_device(x, device):
    """The array on `device` ("cpu" or "cuda"); an array that is there already is returned as it is."""
    if device == "cpu":
        return asnumpy(x)
    return module_for(device).asarray(x)


def module_for(device):
    """numpy for "cpu", cupy for "cuda".

    Raises
    ------
    ValueError
        For any other name.
    RuntimeError
        If CuPy is not installed or finds no usable GPU; the message names the remedy.
    """
    if device == "cpu":
        return np
    if device != "cuda":
        raise ValueError(f"device: expected 'cpu' or 'cuda', got {device!r}")
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(f"device 'cuda' needs CuPy ({error}): pip install -r requirements-gpu.txt") from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        raise RuntimeError(f"device 'cuda': the NVIDIA driver does not answer ({error}); nvidia-smi must list a GPU, "
                           "and at least the CUDA version of the CuPy in requirements-gpu.txt") from error
    if count == 0:
        raise RuntimeError("device 'cuda': no NVIDIA GPU found; use device='cpu'")
    return cupy


def default_device():
    """The device that "auto" stands for: "cuda" where CuPy and a GPU are usable, else "cpu"."""
    try:
        module_for("cuda")
    except RuntimeError:
        return "cpu"
    return "cuda"


def random_generator(seed, device="cpu"):
    """A generator of random numbers on a device, from an integer seed or a sequence of them.

    CuPy's take one integer: several are first mixed into one. Philox only counts, and so is quick to start.
    """
    if device == "cpu":
        return np.random.default_rng(seed)
    random = module_for(device).random
    return random.Generator(random.Philox4x3210(int(np.random.SeedSequence(seed).generate_state(1)[0])))


def scatter_add(target, index, values):
    """target[index] += values, where an index that occurs twice adds twice."""
    if array_module(target) is np:
        np.add.at(target, index, values)
    else:
        import cupyx
        cupyx.scatter_add(target, index, values)


def erf(x):
    """The error function 2 / sqrt(pi) * integral of exp(-t^2) from 0 to x, elementwise; keeps the dtype."""
    if array_module(x) is np:
        from scipy.special import erf
    else:
        from cupyx.scipy.special import erf
    return erf(x)


def normal_cdf(x):
    """The normal distribution function, (1 + erf(x / sqrt 2)) / 2, accurate also where it is tiny."""
    if array_module(x) is np:
        from scipy.special import ndtr
    else:
        from cupyx.scipy.special import ndtr
    return ndtr(x)


@contextlib.contextmanager
def blas_threads(count):
    """Limit the BLAS library to `count` threads inside the `with` block, and restore its setting after it."""
    from threadpoolctl import threadpool_limits
    with threadpool_limits(count, user_api="blas"):
        _blas_limits.append(count)
        try:
            yield
        finally:
            _blas_limits.pop()


def blas_limit():
    """The number of threads that `blas_threads` allows the BLAS library at present, or None."""
    return _blas_limits[-1] if _blas_limits else None


PRECISIONS = ("float32", "tf32", "bfloat16")  # of the factors of a product: 23, 10 and 7 bits after the point


@contextlib.contextmanager
def product_precision(name):
    """Inside the `with` block, a GPU multiplies float32 matrices in another of the PRECISIONS than "float32".

    "tf32" and "bfloat16" round the factors of each multiplication, and the tensor cores do many at a time; arrays and
    sums stay float32. Needs nvmath-python. The pullbacks of what was computed inside take the precision in force where
    `backward` runs. On a CPU, products are float32 whatever is asked for.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {name!r}")
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)


def precision():
    """The precision that `product_precision` asks for at present."""
    return _precision.get()


class Team:
    """The threads that work on the shards of one batch, and the sum of an array over all of them.

    Every member must ask for the same sums in the same order, as it does when all run the same model. The sums are
    added in the order of the ranks, so that the same number of threads gives the same bits.
    """

    def __init__(self, size):
        self.size, self.barrier, self.parts = size, threading.Barrier(size), [None] * size

    @contextlib.contextmanager
    def member(self, rank):
        """Inside the `with` block, `all_sum` of this thread adds over the team; an error here releases the others."""
        token = _team.set((self, rank))
        try:
            yield
        except BaseException:
            self.barrier.abort()
            raise
        finally:
            _team.reset(token)


def all_sum(array):
    """The sum of the team members' arrays; outside a team, the array itself."""
    team, rank = _team.get() or (None, 0)
    if team is None or team.size == 1:
        return array
    team.parts[rank] = array
    team.barrier.wait()
    total = sum(team.parts[1:], start=team.parts[0])
    team.barrier.wait()  # nobody puts a new part down before all have read this one
    return total


def first_of_team():
    """Whether this thread is the first of its team, or works alone."""
    return (_team.get() or (None, 0))[1] == 0


def empty(shape, dtype, xp=np):
    """An array of `xp` to be filled; NumPy's begins at a multiple of 64 bytes, if it is of 16 KB or more.

    NumPy itself begins large arrays 16 bytes after one: every vector of 64 bytes then lies in two lines of the cache,
    and sums of arrays that are in the cache take two to three times as long.
    """
    if xp is not np:
        return xp.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < 1 << 14:  # too small to gain what finding the place would cost
        return np.empty(shape, dtype)
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size].view(dtype).reshape(shape)


@contextlib.contextmanager
def unbuffered():
    """Inside the `with` block (or the function, as a decorator), NumPy computes on views where they lie.

    Otherwise it first copies stretches of less than half its buffer together, into the buffer of 8,192 numbers, and
    sums of views take twice as long. Not for arrays of different dtypes, which are converted in that buffer.
    """
    size = np.setbufsize(16)
    try:
        yield
    finally:
        np.setbufsize(size)


def keep_freed_memory():
    """Tell glibc's allocator to keep freed memory for the next step instead of giving it back to the kernel.

    A fresh array is otherwise mapped and zeroed page by page in every step. Threads that start afterwards share one
    heap: those that glibc makes for single threads are of 64 MiB, and given back whenever one is empty. Where the C
    library has no `mallopt` (Windows, macOS, musl) nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    mallopt(arena_max, 1)
    mallopt(mmap_threshold, 1 << 25)  # the most that glibc accepts
    mallopt(trim_threshold, 1 << 30)
