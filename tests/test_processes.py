"""What processes exchange through NCCL, on the stand-in for CuPy; with MPI and real processes, train/test_together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minivit.backend import asnumpy
from minivit.processes import NCCL

COUNT = 3


class Meeting:
    """MPI's allgather and NCCL's calls between threads, which stand for processes with a GPU each."""

    def __init__(self):
        self.barrier, self.brought = threading.Barrier(COUNT), [None] * COUNT

    def exchange(self, rank, thing):
        self.barrier.wait()
        self.brought[rank] = thing
        self.barrier.wait()
        return list(self.brought)

    def member(self, rank):
        meeting = self

        class Member:
            size = COUNT
            comm = property(lambda self: self)

            def allgather(self, value):
                return meeting.exchange(rank, value)

            def all_gather(self, given, taken, count):
                assert given.shape == (count,)
                for row, other in zip(taken, meeting.exchange(rank, given), strict=True):
                    row[...] = other
                meeting.barrier.wait()

            def all_to_all(self, given, taken):
                assert given.shape == taken.shape == (COUNT, given.shape[1])
                for row, other in zip(taken, meeting.exchange(rank, given), strict=True):
                    row[...] = other[rank]
                meeting.barrier.wait()
        member = Member()
        member.rank = rank
        group = NCCL.__new__(NCCL)
        group.rank, group.size, group.comm, group.nccl = rank, COUNT, member, member
        return group


def on_all(function):
    """[function(rank, its group), ...]"""
    meeting = Meeting()
    with ThreadPoolExecutor(COUNT) as pool:
        return list(pool.map(lambda rank: function(rank, meeting.member(rank)), range(COUNT)))


@pytest.mark.parametrize("size", [1, 2, 7, 9])
def test_sums_of_all(gpu, size):
    arrays = [np.random.default_rng(rank).standard_normal(size).astype(np.float32) for rank in range(COUNT)]
    sums = on_all(lambda rank, group: asnumpy(group.all_sum(gpu.asarray(arrays[rank]))))
    for found in sums:
        np.testing.assert_array_equal(found, (arrays[0] + arrays[1]) + arrays[2])


def test_arrays_of_all_may_have_different_lengths(gpu):
    arrays = [np.full((rank + 1, 2), rank, np.float32) for rank in range(COUNT)]
    for found in on_all(lambda rank, group: group.all_gather([gpu.asarray(arrays[rank])])):
        for one, expected in zip(found, arrays, strict=True):
            np.testing.assert_array_equal(asnumpy(one), expected)


def test_parts_of_different_lengths_are_collected(gpu):
    bounds, whole = [0, 4, 5, 11], np.arange(11, dtype=np.float32)

    def collected(rank, group):
        flat = gpu.zeros(11, dtype=np.float32)
        flat[bounds[rank]:bounds[rank + 1]] = gpu.asarray(whole[bounds[rank]:bounds[rank + 1]])
        group.collect(flat, bounds)
        return asnumpy(flat)
    for found in on_all(collected):
        np.testing.assert_array_equal(found, whole)
