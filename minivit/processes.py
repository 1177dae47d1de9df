"""Processes that train one model together, on one machine or on many: which of them this is, and what they exchange.

    mpiexec -n 4 python -m minivit train vit
    srun -n 64 --mpi=pmix python -m minivit train vit

Every process runs the whole program with the same weights, works on its share of each batch, and changes its weights
by the same gradient. MPI carries what they exchange (mpi4py, requirements-mpi.txt). Sums are not left to it, for it
adds in whatever order is quick: here they are taken in the order of the ranks, so that the same number of processes
gives the same bits.
"""

import functools
import os
import sys
import time
import traceback
from typing import Any

import numpy as np

from .backend import array_module, module_for
from .types import Array

# set by mpiexec of MPICH and its relatives, by Open MPI's, and by Slurm's srun
LAUNCHED = ("PMI_SIZE", "PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
PATIENCE = 5.0  # seconds that the others leave the first process to tell an error that all of them have
HEARD = 1.0  # seconds in which mpiexec passes on what a process has said, before all are ended


class Alone:
    """A group of one process."""

    rank, size = 0, 1

    def on(self, device: str) -> "Alone":
        """The same processes, exchanging what lies on a device; on a GPU, each takes one of its machine's."""
        return self

    def cores(self, own: int) -> int:
        """How many of its `own` cores a process may use, since others on its machine have the same."""
        return own

    def all_gather(self, arrays: list[Array]) -> list[Array]:
        """The arrays of all processes, in the order of the ranks; all give as many, of any shapes."""
        return arrays

    def all_sum(self, array: Array) -> Array:
        """The sum of the arrays of all processes, which are of one shape; `array` is given up."""
        return array

    def collect(self, flat: Array, bounds: list[int]) -> None:
        """Fill an array (n,) of which process r has bounds[r] to bounds[r + 1] with what the others have."""

    def any_of(self, *flags: bool) -> list[bool]:
        """Of each flag, whether it is set in any process. No process goes on before all have asked."""
        return [bool(flag) for flag in flags]

    def agreed(self, value: Any) -> Any:
        """The value of the first process."""
        return value

    def objects(self, value: Any) -> list:
        """The values of all processes."""
        return [value]

    def end(self, words: str, code: int) -> int:
        """Say why this process ends, and end the others; returns the exit code if there are none."""
        print(words, file=sys.stderr)
        return code


class MPI(Alone):
    """The processes that mpiexec or srun has started.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
    """

    def __init__(self, communicator: Any) -> None:
        self.comm, self.rank, self.size = communicator, communicator.Get_rank(), communicator.Get_size()
        from mpi4py import MPI as library
        self.in_place = library.IN_PLACE
        neighbours = communicator.Split_type(library.COMM_TYPE_SHARED)
        self.place, self.same_machine = neighbours.Get_rank(), neighbours.allgather(_own_cores())

    def on(self, device: str) -> Alone:
        """NCCL's on a GPU."""
        return self if device == "cpu" else NCCL.of(self)

    def cores(self, own: int) -> int:
        """Those of the machine divided by the processes on it, where they have not been bound to different ones."""
        return max(1, own // self.same_machine.count(_own_cores()))

    def all_gather(self, arrays: list[Array]) -> list[Array]:
        """Each array goes as its bytes, after a header with its kind and its shape."""
        if any(array.ndim > 8 for array in arrays):
            raise ValueError("all_gather: expected arrays of at most 8 axes")
        headers = np.array([[ord(array.dtype.char), array.ndim, *array.shape, *[0] * (8 - array.ndim)]
                            for array in arrays], np.int64)                                    # (n, 10)
        everyone = np.empty((self.size, *headers.shape), np.int64)                            # (P, n, 10)
        self.comm.Allgather(headers, everyone)
        about = [(np.dtype(chr(kind)), tuple(shape[:ndim])) for kind, ndim, *shape in
                 everyone.reshape(-1, headers.shape[-1]).tolist()]                             # (P, n, 10) -> (P n, 10)
        sizes = [dtype.itemsize * int(np.prod(shape)) for dtype, shape in about]
        ends = np.cumsum(sizes)
        counts = np.reshape(sizes, (self.size, len(arrays))).sum(axis=1)
        found = np.empty(ends[-1], np.uint8)
        self.comm.Allgatherv(np.frombuffer(b"".join(array.tobytes() for array in arrays), np.uint8),
                             [found, (counts, np.cumsum(counts) - counts)])
        return [found[end - size:end].view(dtype).reshape(shape)
                for (dtype, shape), size, end in zip(about, sizes, ends, strict=True)]

    def all_sum(self, array: Array) -> Array:
        """Process r adds up the r-th part of all, in the order of the ranks, and then has the others' sums."""
        flat = array.reshape(-1)
        bounds = [flat.size * rank // self.size for rank in range(self.size + 1)]
        counts, mine = np.diff(bounds), slice(bounds[self.rank], bounds[self.rank + 1])
        parts = np.empty((self.size, counts[self.rank]), flat.dtype)
        self.comm.Alltoallv([flat, (counts, bounds[:-1])], parts)
        for part in parts[1:]:
            parts[0] += part
        flat[mine] = parts[0]
        self.collect(flat, bounds)
        return flat.reshape(array.shape)

    def collect(self, flat: Array, bounds: list[int]) -> None:
        """In place."""
        self.comm.Allgatherv(self.in_place, [flat, (np.diff(bounds), bounds[:-1])])

    def any_of(self, *flags: bool) -> list[bool]:
        """One small message."""
        everyone = np.empty((self.size, len(flags)), bool)
        self.comm.Allgather(np.array(flags, bool), everyone)
        return [bool(column.any()) for column in everyone.T]                                   # (n, P)

    def agreed(self, value: Any) -> Any:
        """The first process sends it."""
        return self.comm.bcast(value)

    def objects(self, value: Any) -> list:
        """Any objects of Python, between processes of one program."""
        return self.comm.allgather(value)

    def end(self, words: str, code: int) -> int:
        """MPI ends the others, which may be waiting for this one."""
        if self.rank:
            time.sleep(PATIENCE)
        print(f"process {self.rank} of {self.size}: {words}", file=sys.stderr, flush=True)
        time.sleep(HEARD)
        self.comm.Abort(code)
        return code


class NCCL(MPI):
    """The same processes with a GPU each: arrays on it go through NCCL, all else through MPI.

    NCCL exchanges equal amounts, and so what is shorter is filled up. No machine with several GPUs has run this yet.

    Parameters
    ----------
    group : MPI
    nccl : cupyx.distributed.NCCLBackend
    """

    def __init__(self, group: MPI, nccl: Any) -> None:
        vars(self).update(vars(group))
        self.nccl = nccl

    @classmethod
    @functools.cache
    def of(cls, group: MPI) -> "NCCL":
        """Take a GPU, and meet the others."""
        cupy = module_for("cuda")
        cupy.cuda.Device(group.place % cupy.cuda.runtime.getDeviceCount()).use()
        from cupyx.distributed import init_process_group
        return cls(group, init_process_group(group.size, group.rank, use_mpi=True))

    def _rows(self, flat, length):
        """An array of each process, filled up to `length`.    (n,) -> (P, length)"""
        xp = array_module(flat)
        padded, everyone = xp.zeros(length, flat.dtype), xp.empty((self.size, length), flat.dtype)
        padded[:flat.size] = flat
        self.nccl.all_gather(padded, everyone, length)
        return everyone

    def all_gather(self, arrays: list[Array]) -> list[Array]:
        """Of each array the shapes first, through MPI."""
        found = [[None] * len(arrays) for _ in range(self.size)]
        for place, array in enumerate(arrays):
            if array_module(array) is np:
                parts = super().all_gather([array])
            else:
                shapes = self.comm.allgather(array.shape)
                sizes = [int(np.prod(shape)) for shape in shapes]
                rows = self._rows(array.reshape(-1), max(sizes))
                parts = [row[:size].reshape(shape) for row, size, shape in zip(rows, sizes, shapes, strict=True)]
            for rank, part in enumerate(parts):
                found[rank][place] = part
        return [part for parts in found for part in parts]

    def all_sum(self, array: Array) -> Array:
        """As with MPI: the r-th part of all goes to process r."""
        if array_module(array) is np:
            return super().all_sum(array)
        xp, length = array_module(array), -(-array.size // self.size)
        mine, parts = xp.zeros((self.size, length), array.dtype), xp.empty((self.size, length), array.dtype)
        mine.reshape(-1)[:array.size] = array.reshape(-1)                                      # (P, n) -> (P n,)
        self.nccl.all_to_all(mine, parts)
        for part in parts[1:]:
            parts[0] += part
        return self._rows(parts[0], length).reshape(-1)[:array.size].reshape(array.shape)      # (P, n) -> (P n,)

    def collect(self, flat: Array, bounds: list[int]) -> None:
        """Every part is filled up to the longest."""
        if array_module(flat) is np:
            return super().collect(flat, bounds)
        rows = self._rows(flat[bounds[self.rank]:bounds[self.rank + 1]], int(np.diff(bounds).max()))
        for row, start, stop in zip(rows, bounds[:-1], bounds[1:], strict=True):
            flat[start:stop] = row[:stop - start]
        return None


ALONE = Alone()


@functools.cache
def processes() -> Alone:
    """The group of processes that this one was started in.

    Raises
    ------
    RuntimeError
        If it was started by mpiexec or srun, and MPI is not there or knows nothing of it.
    """
    if not any(name in os.environ for name in LAUNCHED):
        return ALONE
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    try:
        from mpi4py import MPI as library
    except ImportError as error:
        if tasks == 1 and not any(name in os.environ for name in LAUNCHED[:-1]):
            return ALONE
        raise RuntimeError("this process was started by mpiexec or srun, and mpi4py is missing: "
                           "pip install -r requirements-mpi.txt") from error
    if library.COMM_WORLD.Get_size() < tasks:
        raise RuntimeError(f"srun has started {tasks} processes, of which MPI sees {library.COMM_WORLD.Get_size()}: "
                           "start them with --mpi=pmi2 or --mpi=pmix (srun --mpi=list tells which there are)")
    if library.COMM_WORLD.Get_size() == 1:
        return ALONE
    group = MPI(library.COMM_WORLD)
    sys.excepthook = functools.partial(_end_all, group)  # a process that ends by itself would leave the others waiting
    if group.rank:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (till the end): one tells what all know
    return group


def _end_all(group, kind, error, trace):
    group.end("".join(traceback.format_exception(kind, error, trace)), 1)


def _own_cores():
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
