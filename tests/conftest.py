"""What the tests share: the devices that they run on."""

import numpy as np
import pytest

from minivit.blas import blas_threads
from minivit.train import graph
from tests import cuda_streams, cupy_stand_in
from tests.browser import browser, open_page  # noqa: F401, fixtures


def _usable_gpu():
    try:
        import cupy
        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:
        return False


@pytest.fixture(params=["cpu", "stand-in", "cuda"])
def device(request, monkeypatch):
    """Run a test on the CPU, on the stand-in for CuPy, and, where there is one, on a GPU; gives "cpu" or "cuda"."""
    monkeypatch.setenv("MINIVIT_KERNELS", "0")  # tests/kernels compares the fast forms with the definitions tested here
    if request.param == "cpu":
        return "cpu"
    if request.param == "stand-in":
        cupy_stand_in.install(monkeypatch)
    elif not _usable_gpu():
        pytest.skip("needs CuPy and an NVIDIA GPU")
    return "cuda"


@pytest.fixture
def gpu(monkeypatch):
    """The stand-in for CuPy, with products that can be captured; without the fast forms, which run slowly on a CPU."""
    cupy_stand_in.install(monkeypatch)
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    monkeypatch.setattr(graph, "switched_off", lambda: False)
    monkeypatch.setattr(cuda_streams, "CUBLAS", set())
    return cupy_stand_in.CUPY


def pytest_generate_tests(metafunc):
    """A test with an argument `case` runs once for each row of its module's CASES."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", metafunc.module.CASES, ids=str)


def pytest_collection_modifyitems(items):
    """Tests that need the browser run in one process (--dist loadgroup), which starts one."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread():
    """The arrays of the tests are small: more threads would only wait for each other."""
    with blas_threads(1):
        yield


@pytest.fixture
def rng():
    """A generator of random numbers, the same for every test."""
    return np.random.default_rng(0)
