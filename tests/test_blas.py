"""Threads of the BLAS library are limited for a block, and restored."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minivit import blas


def test_blas_threads_are_limited_and_restored():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))

    def threads():
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with blas.blas_threads(1):
        assert set(threads()) <= {1}
    assert threads() == before


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_blocks_that_overlap_restore_what_was_before_the_first(order):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))

    def threads():
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}

    before, limit, open_ones = threads(), blas.blas_limit(), {}
    for index, count in enumerate((1, 2, 1)):
        open_ones[index] = blas.blas_threads(count)
        open_ones[index].__enter__()
        assert blas.blas_limit() == count
    for index in order:
        open_ones.pop(index).__exit__(None, None, None)
        if open_ones:
            assert blas.blas_limit() == (1, 2, 1)[max(open_ones)]
            assert threads() == {blas.blas_limit()}
    assert threads() == before
    assert blas.blas_limit() == limit


def test_outside_all_blocks_there_is_no_limit_whatever_the_order():
    code = """
from minivit.train import Threads
from minivit.blas import blas_limit
import numpy as np, threadpoolctl
np.ones((2, 2)) @ np.ones((2, 2))
def threads(): return [p["num_threads"] for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
threadpoolctl.threadpool_limits(2, user_api="blas")
before, first, second = threads(), Threads(2), Threads(1)
first.__enter__(); second.__enter__()
first.__exit__(None, None, None)
assert set(threads()) == {1}
second.__exit__(None, None, None)
assert threads() == before and blas_limit() is None, (threads(), before)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_is_at_least_one(count):
    with pytest.raises(ValueError, match=f"count: expected at least 1, got {count}"), blas.blas_threads(count):
        pass
