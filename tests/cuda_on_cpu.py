"""A stand-in for CuPy's RawModule without a GPU: CUDA source becomes C++, and its threads run one at a time.

cuda_on_cpu.h gives the names that CUDA adds to C++ their meaning. This is stricter than a GPU, and refuses

- what CuPy would hand on wrongly: arrays of the host, of another dtype or not contiguous, Python's numbers, numbers of
  another type than the parameter, structs of another size, arguments too many or too few, or over 4 KiB in all;
- blocks and grids larger than a GPU takes, or with warps that are not full;
- threads that wait in different places, or for threads that have ended;
- writing next to an array;
- results that are not the same, bit for bit, when blocks and threads run in the opposite order and other numbers lie
  next to the arrays. Shared memory that was not written is NaN.

What it does not show: the speed, and the last digits of CUDA's mathematical functions, which are the host's here.
"""

import ctypes
import functools
import math
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests import cuda_streams, cupy_stand_in

COMPILER = shutil.which("g++") if sys.platform == "linux" else None
TYPES = {"float": np.float32, "double": np.float64, "int": np.int32, "long long": np.int64}
KERNEL = re.compile(r'extern "C" __global__ void (\w+)\((.*?)\)', re.DOTALL)
PARAMETER = re.compile(r"(const )?(float|double|int|long long|[A-Z]\w*)(\*?) \w+")  # or a struct
STRUCT = re.compile(r"struct (\w+) {")
HEADER = Path(__file__).with_name("cuda_on_cpu.h")
GUARD = 1024  # numbers on both sides of an array


class RawModule:
    """CUDA source, compiled for the host."""

    def __init__(self, *, code, options=()):
        self.library = _compile(code)
        self.parameters = {name: PARAMETER.findall(signature) for name, signature in KERNEL.findall(code)}

    def get_function(self, name):
        """A kernel, to be called with a grid, a block and a tuple of arguments."""
        return functools.partial(_launch, self.library, name, self.parameters[name])


@functools.cache
def _compile(code):
    """A library with a function start_NAME, without arguments, for each kernel NAME."""
    starts = []
    for name, signature in KERNEL.findall(code):
        values = [f"*({kind}{pointer}*)stand_in::arguments[{i}]" for i, (_, kind, pointer) in enumerate(
            PARAMETER.findall(signature))]
        starts.append(f'extern "C" void start_{name}() {{ {name}({", ".join(values)}); }}')
    starts += [f'extern "C" long long size_of_{name}() {{ return sizeof({name}); }}' for name in STRUCT.findall(code)]
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        source.write_text("\n".join([code, *starts]), encoding="utf-8")
        settings = ["-std=c++14", "-O1", "-w", "-shared", "-fPIC", "-include", HEADER]
        subprocess.run([COMPILER, *settings, source, "-o", library], check=True)
        return ctypes.PyDLL(str(library))


def _launch(library, name, parameters, grid, block, args, *, shared_mem=0):
    size = [max(1, n) for n in (*grid, 1, 1)[:3] + (*block, 1, 1)[:3]]  # as CuPy does
    if max(size[1:3]) > 65535 or math.prod(size[3:]) > 1024 or math.prod(size[3:]) % 32:
        raise ValueError(f"{name}: no GPU takes a grid {grid}, or blocks {block} are not made of whole warps")
    if sum(argument.nbytes if isinstance(argument, np.ndarray) else 8 for argument in args) > 4096:
        raise ValueError(f"{name}: no GPU takes more than 4,096 bytes of arguments")
    if len(args) != len(parameters):
        raise TypeError(f"{name}: expected {len(parameters)} arguments, got {len(args)}")
    for i, (argument, (_, kind, pointer)) in enumerate(zip(args, parameters, strict=True)):
        _check(f"{name}: argument {i}", argument, kind, pointer, library)
    args = tuple(argument.copy() if isinstance(argument, np.ndarray) else argument for argument in args)
    cuda_streams.launch(lambda: _carry_out(library, name, parameters, size, args))


def _carry_out(library, name, parameters, size, args):
    if any(isinstance(argument, np.ndarray) for argument in args):
        _run(library, name, size, args, False)  # where the pointers in a struct lead cannot be copied
        return
    forwards, backwards = (_run(library, name, size, args, order) for order in (False, True))
    for (const, _, pointer), argument, one, other in zip(parameters, args, forwards, backwards, strict=True):
        if pointer and not const:
            if one.tobytes() != other.tobytes():
                raise RuntimeError(f"{name}: the result depends on the order of threads or what lies beside an array")
            argument._host[...] = one


def _check(what, argument, kind, pointer, library):
    if kind not in TYPES:
        size = getattr(library, f"size_of_{kind}")()
        if not isinstance(argument, np.ndarray) or argument.shape != (1,) or argument.nbytes != size:
            raise TypeError(f"{what}: expected a NumPy array of one {kind} of {size} bytes")
    elif not pointer:
        if type(argument) is not TYPES[kind]:
            raise TypeError(f"{what}: expected numpy.{TYPES[kind].__name__}, got {type(argument).__name__}")
    elif not isinstance(argument, cupy_stand_in.ndarray):
        raise TypeError(f"{what}: expected an array of the device, got {type(argument).__name__}")
    elif argument.dtype != TYPES[kind] or not argument.flags.c_contiguous:
        raise TypeError(f"{what}: expected a contiguous array of {kind}, got {argument.dtype}, strides "
                        f"{argument.strides}")


class _Guarded:
    """A copy of an array between huge numbers, other ones for each array: who writes there, does not write the same."""

    def __init__(self, host, rng):
        self.outside = rng.uniform(1e29, 1e30, (2, GUARD)).astype(np.float32).view(np.uint8)
        self.memory = np.concatenate([self.outside[0], host.reshape(-1).view(np.uint8), self.outside[1]])
        self.start = self.outside.shape[1]

    address = property(lambda self: self.memory.ctypes.data + self.start)
    inside = property(lambda self: self.memory[self.start:-self.start])
    is_intact = property(lambda self: np.array_equal(self.memory[:self.start], self.outside[0])
                         and np.array_equal(self.memory[-self.start:], self.outside[1]))


def _run(library, name, size, args, backwards):
    """Run all threads on copies of the arrays; return what the copies contain then, None for numbers."""
    copies, values, places, rng = {}, [], [], np.random.default_rng(int(backwards))
    for argument in args:
        if not isinstance(argument, cupy_stand_in.ndarray):
            places.append(None)
            values.append(argument.tobytes())
            continue
        host = argument._host
        key = host.ctypes.data, host.nbytes  # one array may be two arguments
        if key not in copies:
            copies[key] = _Guarded(host, rng)
        places.append(key)
        values.append(copies[key].address.to_bytes(8, sys.byteorder))
    buffers = [ctypes.create_string_buffer(value) for value in values]
    start = ctypes.cast(getattr(library, f"start_{name}"), ctypes.c_void_p)
    library.run_kernel.restype = ctypes.c_bool
    if not library.run_kernel(start, (ctypes.c_uint * 6)(*size), ctypes.c_bool(backwards),
                              (ctypes.c_void_p * len(buffers))(*map(ctypes.addressof, buffers))):
        raise RuntimeError(f"{name}: some threads wait for others that wait elsewhere or have ended")
    if not all(copy.is_intact for copy in copies.values()):
        raise RuntimeError(f"{name}: wrote outside of an array")
    return [None if key is None else copies[key].inside.view(argument.dtype).reshape(argument.shape)
            for key, argument in zip(places, args, strict=True)]
