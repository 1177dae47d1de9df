"""The devices that twins in CUDA run on."""

import pytest

from minivit.backend import module_for
from tests import cuda_on_cpu, cupy_stand_in


@pytest.fixture
def xp(device, monkeypatch):
    """CuPy, or what stands in for it, with the twins switched on."""
    if device == "cpu":
        pytest.skip("about CuPy")
    xp = module_for(device)
    if xp is cupy_stand_in.CUPY and cuda_on_cpu.COMPILER is None:
        pytest.skip("needs g++, and Linux")
    monkeypatch.delenv("MINIVIT_KERNELS")
    return xp
