"""Where arrays live, how they move, and the sum over a team of threads."""

import ctypes
import math
import sys
import threading

import numpy as np
import pytest

from minivit import backend


def test_moving_there_and_back(device):
    host = np.arange(6.0).reshape(2, 3)
    array = backend.to_device(host, device)
    assert backend.device_of(array) == device
    assert backend.is_array(array)
    assert not backend.is_array(np.float64(1))
    assert backend.array_module(array) is backend.module_for(device)
    assert backend.to_device(array, device) is array
    for back in (backend.asnumpy(array), backend.to_device(array, "cpu")):
        assert isinstance(back, np.ndarray)
        np.testing.assert_array_equal(back, host)


def test_array_module_finds_the_one_array_on_a_gpu(device):
    array = backend.to_device(np.ones(2), device)
    assert backend.array_module(1.0, np.ones(2), array) is backend.module_for(device)


def test_scatter_add_adds_twice_what_occurs_twice(device):
    target = backend.to_device(np.zeros((3, 2)), device)
    index = backend.to_device(np.array([0, 2, 2]), device)
    backend.scatter_add(target, index, backend.to_device(np.array([[1.0, 2], [3, 4], [5, 6]]), device))
    np.testing.assert_array_equal(backend.asnumpy(target), [[1, 2], [0, 0], [8, 10]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf(device, dtype):
    x = np.linspace(-4, 4, 101).astype(dtype)
    y = backend.erf(backend.to_device(x, device))
    assert y.dtype == dtype
    np.testing.assert_allclose(backend.asnumpy(y), [math.erf(v) for v in x], rtol=4 * np.finfo(dtype).eps)


def test_random_generators_repeat_themselves(device):
    def draw(seed):
        return backend.asnumpy(backend.random_generator(seed, device).random(5))

    for seed in (3, (3, 1), [3, 2]):
        np.testing.assert_array_equal(draw(seed), draw(seed))
    assert not np.array_equal(draw((3, 1)), draw((3, 2)))


def test_the_precision_of_products_holds_inside_its_block():
    assert backend.precision() == "float32"
    with backend.product_precision("tf32"):
        with backend.product_precision("bfloat16"):
            assert backend.precision() == "bfloat16"
        assert backend.precision() == "tf32"
        with pytest.raises(ValueError, match="precision: expected one of float32, tf32, bfloat16, got 'tf23'"), \
                backend.product_precision("tf23"):
            pass
    assert backend.precision() == "float32"


def test_an_unknown_device_is_named():
    with pytest.raises(ValueError, match="expected 'cpu' or 'cuda', got 'tpu'"):
        backend.module_for("tpu")


def test_without_cupy_the_message_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # makes `import cupy` fail
    with pytest.raises(RuntimeError, match="pip install -r requirements-gpu.txt"):
        backend.to_device(np.ones(1), "cuda")
    assert backend.default_device() == "cpu"


@pytest.mark.parametrize(("count", "message"), [(0, "no NVIDIA GPU found"), (None, "driver does not answer")])
def test_without_a_gpu_the_message_says_so(monkeypatch, count, message):
    from tests import cupy_stand_in

    def answer():
        if count is None:
            raise OSError("libcuda")
        return count

    monkeypatch.setitem(sys.modules, "cupy", cupy_stand_in.CUPY)
    monkeypatch.setattr(cupy_stand_in.CUPY.cuda.runtime, "getDeviceCount", answer)
    with pytest.raises(RuntimeError, match=message):
        backend.module_for("cuda")


def test_the_default_device_is_the_best_one(device):
    if device == "cuda":
        assert backend.default_device() == "cuda"


def test_blas_threads_are_limited_and_restored():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))

    def threads():
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with backend.blas_threads(1):
        assert set(threads()) <= {1}
    assert threads() == before


def run_team(size, work):
    """The results of work(rank) in one thread for each rank, and what they raised."""
    team, results, errors = backend.Team(size), [None] * size, [None] * size

    def member(rank):
        try:
            with team.member(rank):
                results[rank] = work(rank)
        except BaseException as error:
            errors[rank] = error

    threads = [threading.Thread(target=member, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return results, errors


def test_all_sum_adds_over_the_team_in_the_order_of_ranks():
    parts = np.random.default_rng(0).standard_normal((4, 50, 3)).astype(np.float32)
    results, errors = run_team(4, lambda rank: [backend.all_sum(parts[rank] * step) for step in range(20)])
    assert errors == [None] * 4
    for result in results:
        for step, total in enumerate(result):
            scaled = parts * np.float32(step)
            np.testing.assert_array_equal(total, scaled[0] + scaled[1] + scaled[2] + scaled[3])


def test_outside_a_team_all_sum_is_the_array_itself():
    x = np.ones(3)
    assert backend.all_sum(x) is x
    assert run_team(1, lambda rank: backend.all_sum(x))[0][0] is x


def test_an_error_in_one_member_releases_the_others():
    def work(rank):
        if rank == 1:
            raise KeyError("broken")
        return backend.all_sum(np.ones(2))

    _, errors = run_team(3, work)
    assert isinstance(errors[1], KeyError)
    assert isinstance(errors[0], threading.BrokenBarrierError)


def test_keeping_freed_memory_does_nothing_where_it_cannot(monkeypatch):
    backend.keep_freed_memory()

    def missing(name):
        raise OSError(name)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    backend.keep_freed_memory()


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (300, 7, 11)])
def test_large_empty_arrays_begin_at_a_cache_line(shape):
    for dtype in (np.float32, np.float64, bool):
        array = backend.empty(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.ctypes.data % 64 == 0 or array.nbytes < 1 << 14


def test_unbuffered_restores_the_buffer_also_after_an_error():
    before = np.getbufsize()

    @backend.unbuffered()
    def fail():
        assert np.getbufsize() < before
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert np.getbufsize() == before
