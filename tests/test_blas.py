"""Threads of the BLAS library are limited for a block, and restored."""

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
