"""The devices that fast forms in CUDA run on."""

import importlib
import sys

import pytest

from minivit.backend import module_for
from minivit.kernels import cuda
from tests import cublaslt_stand_in, cuda_on_cpu, cupy_stand_in

MODULES = ["minivit.kernels.cuda.products", "minivit.kernels.cuda.cublaslt"]


@pytest.fixture
def xp(device, monkeypatch):
    """CuPy, or what stands in for it, with the fast forms switched on."""
    if device == "cpu":
        pytest.skip("about CuPy")
    xp = module_for(device)
    if xp is cupy_stand_in.CUPY:
        if cuda_on_cpu.COMPILER is None:
            pytest.skip("needs g++, and Linux")
        monkeypatch.delattr(cuda, "multiply", raising=False)  # NVIDIA's library, where it is installed, needs a GPU
    monkeypatch.delenv("MINIVIT_KERNELS")
    return xp


@pytest.fixture
def products(xp, monkeypatch):
    """The module of the fast form, with NVIDIA's library on a GPU, and what stands in for both elsewhere."""
    if xp is cupy_stand_in.CUPY:
        for name, module in cublaslt_stand_in.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
    else:
        pytest.importorskip("nvmath")
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    products = importlib.import_module(MODULES[0])
    monkeypatch.setattr(cuda, "multiply", products.multiply, raising=False)
    cublaslt_stand_in.calls.clear()
    yield products
    for name in MODULES:
        del sys.modules[name]  # they hold on to what stands in for the library
