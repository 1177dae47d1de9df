"""Where arrays live: the one file that knows CuPy exists.

Everything above asks `array_module(x)` for the module that made `x` (NumPy or CuPy) and works with that.
CuPy is imported only when a GPU is asked for.
"""

import sys

import numpy as np


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


def add_up(x, axis=None, keepdims=False):
    """The sum over axes; of float16 numbers, taken in float32: in float16, 1 + 1 + ... stands still at 2,048."""
    if x.dtype == np.float16:
        return x.sum(axis, np.float32, keepdims=keepdims).astype(np.float16)
    return x.sum(axis, keepdims=keepdims)


def scatter_add(target, index, values):
    """target[index] += values, where an index that occurs twice adds twice; float16 numbers are added in float32."""
    if target.dtype == np.float16:
        total = target.astype(np.float32)
        scatter_add(total, index, values.astype(np.float32))
        target[...] = total
    elif array_module(target) is np:
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
