"""A stand-in for CuPy's RawModule without a GPU: CUDA source becomes C++, and its threads run one at a time.

A few lines of C++ before the source give the names that CUDA adds their meaning. The threads of a block are fibres:
each runs until it waits for others, at __syncthreads or at a shuffle of its warp, and goes on once all are there.
It is stricter than a GPU, and refuses

- what CuPy would hand on wrongly: arrays of the host, of another dtype or not contiguous, Python's numbers, numbers of
  another type than the parameter, arguments too many or too few;
- blocks and grids larger than a GPU takes, or with warps that are not full;
- threads that wait in different places, or for threads that have ended;
- writing next to an array (what is read there, and in shared memory that was not written, is NaN);
- results that are not the same, bit for bit, when blocks and threads run in the opposite order.

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

from tests import cupy_stand_in

COMPILER = shutil.which("g++") if sys.platform == "linux" else None
TYPES = {"float": np.float32, "double": np.float64, "int": np.int32, "long long": np.int64}
KERNEL = re.compile(r'extern "C" __global__ void (\w+)\((.*?)\)', re.DOTALL)
PARAMETER = re.compile(r"(const )?(float|double|int|long long)(\*?) \w+")
GUARD = 4096  # bytes on both sides of an array

PRELUDE = r"""
#include <math.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__ static
#define __shared__ static __attribute__((section("shared_memory")))
#define __syncthreads() wait_for_others(__LINE__, true)
#define __shfl_xor_sync(mask, value, distance) shuffle(__LINE__, mask, value, distance)

struct Index { unsigned x, y, z; };
static Index threadIdx, blockIdx, blockDim, gridDim;
__shared__ char begin_of_section[16] __attribute__((used));
extern "C" char __start_shared_memory[], __stop_shared_memory[];

enum { READY = 0, ENDED = -1 };  // or the line of the source at which a thread waits
struct Thread { ucontext_t context; int state; bool for_block; float shown; };
static Thread threads[1024];
static char stacks[1024][1 << 15];
static ucontext_t scheduler;
static int current;
static void (*kernel)();
static void** arguments;

static void wait_for_others(int line, bool for_block)
{
    threads[current].state = line;
    threads[current].for_block = for_block;
    swapcontext(&threads[current].context, &scheduler);
}

static float shuffle(int line, unsigned mask, float value, int distance)
{
    threads[current].shown = mask == 0xffffffff ? value : NAN;
    wait_for_others(line, false);
    float seen = threads[current ^ distance].shown;
    wait_for_others(line, false);
    return seen;
}

static void run_thread()
{
    kernel();
    threads[current].state = ENDED;
}

static bool release(int first, int last, bool for_block)
{
    for (int t = first; t < last; t++)
        if (threads[t].state <= 0 || threads[t].for_block != for_block || threads[t].state != threads[first].state)
            return false;
    for (int t = first; t < last; t++)
        threads[t].state = READY;
    return true;
}

static bool run_block(int count, bool backwards)
{
    memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    for (int t = 0; t < count; t++) {
        threads[t].state = READY;
        getcontext(&threads[t].context);
        threads[t].context.uc_stack.ss_sp = stacks[t];
        threads[t].context.uc_stack.ss_size = sizeof stacks[t];
        threads[t].context.uc_link = &scheduler;
        makecontext(&threads[t].context, run_thread, 0);
    }
    for (;;) {
        int ended = 0;
        for (int k = 0; k < count; k++) {
            current = backwards ? count - 1 - k : k;
            threadIdx.x = current % blockDim.x;
            threadIdx.y = current / blockDim.x % blockDim.y;
            threadIdx.z = current / blockDim.x / blockDim.y;
            if (threads[current].state == READY)
                swapcontext(&scheduler, &threads[current].context);
            ended += threads[current].state == ENDED;
        }
        if (ended == count)
            return true;
        bool released = false;
        for (int first = 0; first < count; first += 32)
            released |= release(first, first + 32, false);
        if (!released && !release(0, count, true))
            return false;
    }
}

extern "C" bool run(void (*function)(), const unsigned* size, bool backwards, void** values)
{
    kernel = function;
    arguments = values;
    gridDim = {size[0], size[1], size[2]};
    blockDim = {size[3], size[4], size[5]};
    long long blocks = (long long)gridDim.x * gridDim.y * gridDim.z;
    for (long long k = 0; k < blocks; k++) {
        long long block = backwards ? blocks - 1 - k : k;
        blockIdx.x = block % gridDim.x;
        blockIdx.y = block / gridDim.x % gridDim.y;
        blockIdx.z = block / gridDim.x / gridDim.y;
        if (!run_block(blockDim.x * blockDim.y * blockDim.z, backwards))
            return false;
    }
    return true;
}

static float normcdff(float x) { return erfc(-x * M_SQRT1_2) / 2; }
"""


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
        values = [f"*({kind}{pointer}*)arguments[{i}]" for i, (_, kind, pointer) in enumerate(
            PARAMETER.findall(signature))]
        starts.append(f'extern "C" void start_{name}() {{ {name}({", ".join(values)}); }}')
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
        source.write_text("\n".join([PRELUDE, code, *starts]), encoding="utf-8")
        subprocess.run([COMPILER, "-O1", "-w", "-shared", "-fPIC", source, "-o", library], check=True)
        return ctypes.PyDLL(str(library))


def _launch(library, name, parameters, grid, block, args, *, shared_mem=0):
    size = [max(1, n) for n in (*grid, 1, 1)[:3] + (*block, 1, 1)[:3]]  # as CuPy does
    if max(size[1:3]) > 65535 or math.prod(size[3:]) > 1024 or math.prod(size[3:]) % 32:
        raise ValueError(f"{name}: no GPU takes a grid {grid}, or blocks {block} are not made of whole warps")
    if len(args) != len(parameters):
        raise TypeError(f"{name}: expected {len(parameters)} arguments, got {len(args)}")
    for i, (argument, (_, kind, pointer)) in enumerate(zip(args, parameters, strict=True)):
        _check(f"{name}: argument {i}", argument, kind, pointer)
    forwards, backwards = (_run(library, name, size, args, order) for order in (False, True))
    for (const, _, pointer), argument, one, other in zip(parameters, args, forwards, backwards, strict=True):
        if pointer and not const:
            if one.tobytes() != other.tobytes():
                raise RuntimeError(f"{name}: the result depends on the order of threads")
            argument._host[...] = one


def _check(what, argument, kind, pointer):
    if not pointer:
        if type(argument) is not TYPES[kind]:
            raise TypeError(f"{what}: expected numpy.{TYPES[kind].__name__}, got {type(argument).__name__}")
    elif not isinstance(argument, cupy_stand_in.ndarray):
        raise TypeError(f"{what}: expected an array of the device, got {type(argument).__name__}")
    elif argument.dtype != TYPES[kind] or not argument.flags.c_contiguous:
        raise TypeError(f"{what}: expected a contiguous array of {kind}, got {argument.dtype}, strides "
                        f"{argument.strides}")


def _run(library, name, size, args, backwards):
    """Run all threads on copies of the arrays; return what the copies contain then, None for numbers."""
    copies, values, places = {}, [], []
    for argument in args:
        if not isinstance(argument, cupy_stand_in.ndarray):
            places.append(None)
            values.append(argument.tobytes())
            continue
        host = argument._host
        key = host.ctypes.data, host.nbytes  # one array may be two arguments
        if key not in copies:
            copies[key] = np.full(host.nbytes + 2 * GUARD, 0xFF, np.uint8)
            copies[key][GUARD:-GUARD] = host.reshape(-1).view(np.uint8)
        places.append(key)
        values.append((copies[key].ctypes.data + GUARD).to_bytes(8, sys.byteorder))
    buffers = [ctypes.create_string_buffer(value) for value in values]
    start = ctypes.cast(getattr(library, f"start_{name}"), ctypes.c_void_p)
    library.run.restype = ctypes.c_bool
    if not library.run(start, (ctypes.c_uint * 6)(*size), ctypes.c_bool(backwards),
                       (ctypes.c_void_p * len(buffers))(*map(ctypes.addressof, buffers))):
        raise RuntimeError(f"{name}: some threads wait for others that wait elsewhere or have ended")
    if any((copy[:GUARD] != 0xFF).any() or (copy[-GUARD:] != 0xFF).any() for copy in copies.values()):
        raise RuntimeError(f"{name}: wrote outside of an array")
    return [None if key is None else copies[key][GUARD:-GUARD].view(argument.dtype).reshape(argument.shape)
            for key, argument in zip(places, args, strict=True)]
