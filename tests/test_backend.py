"""Where arrays live, and how they move."""

import math
import sys

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
