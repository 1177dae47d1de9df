"""`python -m minivit device`: what it finds, and what it warns of."""

import os
import subprocess
import sys

import pytest

from minivit import device
from tests.test_requirements import requirements


def test_blas_and_product_rate():
    library = device.blas()
    assert set(library) == {"name", "version", "kernel", "threads"}
    assert library["threads"] >= 1
    assert device.product_rate(size=64, repeats=2) > 0
    assert 1 <= device.cores() <= (os.cpu_count() or 1)


def test_report_names_what_was_found(monkeypatch):
    for name in device.KERNEL_VARIABLES + device.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(device, "product_rate", lambda: 123.0)
    text = "\n".join(device.report())
    assert "123 GFLOP/s" in text
    assert f"{device.cores()} cores" in text
    assert "GPU" in text
    assert "settings" not in text


def test_loops_are_numpys_where_the_fast_forms_are_switched_off_or_missing(monkeypatch):
    monkeypatch.setattr(device, "compiled", lambda: None)
    assert device.loops() == "numpy"
    assert any("requirements-fast.txt" in line for line in device.report() if line.startswith("loops"))
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    assert any("MINIVIT_KERNELS=0" in line for line in device.report() if line.startswith("loops"))


def test_loops_are_compiled_where_numba_is():
    numba = pytest.importorskip("numba")
    assert device.loops() == f"numba {numba.__version__}"


def test_report_warns_of_settings_that_cost_speed(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setattr(device, "product_rate", lambda: 100.0)
    monkeypatch.setattr(device, "blas", lambda: {"name": "openblas", "version": "1", "kernel": "Haswell", "threads": 2})
    monkeypatch.setattr(device, "without_settings", lambda: ("SkylakeX", 210.0))
    text = "\n".join(device.report())
    assert "OPENBLAS_CORETYPE=Haswell" in text
    assert "warning     without these settings: kernel SkylakeX, 210 GFLOP/s, 2.1 times as fast; unset them" in text


def test_without_settings_asks_a_process_that_does_not_have_them(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    seen = {}

    def run(command, env, **settings):
        seen.update(env)
        return subprocess.CompletedProcess(command, 0, stdout='["Zen", 42.0]')

    monkeypatch.setattr(subprocess, "run", run)
    assert device.without_settings() == ("Zen", 42.0)
    assert "OPENBLAS_NUM_THREADS" not in seen


def test_without_settings_gives_none_where_the_process_fails(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert device.without_settings() is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="OPENBLAS_CORETYPE is OpenBLAS's")
def test_another_process_really_answers(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    kernel, rate = device.without_settings()
    assert isinstance(kernel, str)
    assert rate > 0


def test_what_is_missing_for_what_and_how_to_get_it(monkeypatch):
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: None if name in ("jupyterlab", "torch") else 1)
    monkeypatch.setattr(device.importlib.metadata, "version", lambda name: "1.2")
    lines = dict(line.split(None, 1) for line in device.needs())
    assert lines["lessons"] == "missing: jupyterlab; python -m pip install -r requirements-lessons.txt"
    assert lines["parity"] == "missing: torch; python -m pip install -r requirements-parity.txt"
    assert lines["tests"] == "pytest 1.2, hypothesis 1.2"


@pytest.mark.parametrize("use", device.NEEDS)
def test_what_is_told_to_install_brings_what_is_missing(use):
    packages, remedy = device.NEEDS[use]
    if remedy.startswith("-r "):
        asked = "\n".join(requirements(remedy.removeprefix("-r ")))
        assert all(f"\n{package}" in f"\n{asked}" for package in packages)
    else:
        assert packages == (remedy,)
