"""The benchmarks for a GPU: minivit's sides run on the stand-in for CuPy, PyTorch's on a CPU."""

import json
import sys
import warnings

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import on_gpu
from benchmarks.cases import Case, minivit_runs
from minivit.train import Threads
from tests import cuda_streams

SMALL = Case("small", "vit", dict(dim=12, depth=1, heads=2), batch=3)


@pytest.fixture
def small_case(gpu, monkeypatch):
    """The stand-in for CuPy, and nothing large to measure on it."""
    monkeypatch.setattr(on_gpu, "CASES", [SMALL])
    monkeypatch.setattr(on_gpu, "STEPS", 5)
    with warnings.catch_warnings():
        yield


def run(monkeypatch, tmp_path, *arguments):
    path = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--device", "cuda", "--batch", "2,3", "--steps", "1", "--json",
                                      str(path), *arguments])
    benchmarks.main()
    return json.loads(path.read_text())


@pytest.fixture
def without_torch(monkeypatch):
    find = on_gpu.importlib.util.find_spec
    monkeypatch.setattr(on_gpu.importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))


def test_minivit_alone(small_case, without_torch, monkeypatch, tmp_path, capsys):
    figures = run(monkeypatch, tmp_path)
    assert figures["machine"]["GPU"] == "none"
    assert [(row["batch"], row["what"], row["side"], row["precision"]) for row in figures["rows"]] == [
        (batch, what, f"minivit {form}", "float32")
        for batch in (2, 3) for form in ("eager", "graph") for what in ("train", "predict")]
    assert all(row["ms"] > 0 and row["MB"] == 0 for row in figures["rows"])
    assert "tf32 minivit eager: needs nvmath-python" in capsys.readouterr().out


def test_what_cannot_be_captured_is_no_figure_of_a_graph(small_case, without_torch, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cuda_streams, "CUBLAS", {"matmul"})
    rows = run(monkeypatch, tmp_path)["rows"]
    assert {row["side"] for row in rows} == {"minivit eager"}
    assert "cannot be captured as a CUDA graph" in capsys.readouterr().out


@pytest.mark.parametrize("precision", on_gpu.TOLERANCE)
def test_pytorch_runs_the_same_model(monkeypatch, precision):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(on_gpu, "DEVICE", "cpu")
    train, predict, _ = on_gpu.torch_runs(SMALL, precision, "eager")
    losses, logits = [float(train()) for _ in range(2)], predict()
    torch.set_float32_matmul_precision("highest")
    with Threads(1) as threads:
        our_train, our_predict = minivit_runs(SMALL, threads)
        assert losses == pytest.approx([our_train(), our_train()], rel=on_gpu.TOLERANCE[precision])
        assert logits.shape == our_predict().shape


def test_without_a_gpu_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(SystemExit, match="pip install -r requirements-gpu.txt"):
        run(monkeypatch, tmp_path)
