"""Where arrays begin, and what happens to memory that is freed."""

import ctypes

import numpy as np
import pytest

from minivit import memory


def test_keeping_freed_memory_does_nothing_where_it_cannot(monkeypatch):
    memory.keep_freed_memory()

    def missing(name):
        raise OSError(name)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    memory.keep_freed_memory()


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (300, 7, 11)])
def test_large_empty_arrays_begin_at_a_cache_line(shape):
    for dtype in (np.float32, np.float64, bool):
        array = memory.empty(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.ctypes.data % 64 == 0 or array.nbytes < 1 << 14


def test_unbuffered_restores_the_buffer_also_after_an_error():
    before = np.getbufsize()

    @memory.unbuffered()
    def fail():
        assert np.getbufsize() < before
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert np.getbufsize() == before
