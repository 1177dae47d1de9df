"""evaluate --probe on the command line: a run, its random twin, another run, an official checkpoint."""

import re

import numpy as np
import pytest

from minivit import create, data
from minivit.__main__ import main
from minivit.data import shapes10
from minivit.interop import save
from minivit.train import Threads, load_model, probe
from minivit.train.run import Run

RECIPE = """
from minivit.train import Recipe
recipe = Recipe(settings={{"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}}, data="shapes10",
                steps=5, batch_size=32, threads=1, device="cpu", evaluations=0, seed=3, pictures=90, task={task!r},
                task_settings={settings!r})
"""
SETS = shapes10.draw(150, np.random.default_rng(0)), shapes10.draw(60, np.random.default_rng(1))


@pytest.fixture(autouse=True)
def runs(monkeypatch, tmp_path):
    """Two runs, "moco" and "classify", on a small data set."""
    monkeypatch.setattr(data, "load", lambda name: SETS)
    monkeypatch.chdir(tmp_path)
    for task, settings in (("moco", {"hidden": 16, "dim": 8}), ("classify", {})):
        (tmp_path / "recipe.py").write_text(RECIPE.format(task=task, settings=settings))
        assert main(["train", "--recipe", "recipe.py", "--out", task]) == 0


def measured(capsys, *arguments):
    """{name: percent} of the table, and the line above it."""
    capsys.readouterr()
    assert main(["evaluate", *arguments, "--device", "cpu"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    return first, dict(re.fullmatch(r"(.*?) +([\d.]+)%", line).groups() for line in lines)


@pytest.mark.parametrize("kind", ["knn", "linear"])
def test_a_run_its_twin_and_a_supervised_one(capsys, kind):
    first, found = measured(capsys, "moco", "--probe", kind, "--beside", "classify")
    assert first == f"{kind}: vectors of 150 training pictures of shapes10, accuracy on 60 test pictures"
    assert list(found) == ["moco", "its random twin", "classify"]
    about = Run("moco").about_data()
    samples = [data.Samples(each, mean=about["mean"], std=about["std"]) for each in SETS]
    with Threads(1) as threads:
        for name in ("moco", "classify"):
            expected = probe(load_model(Run(name)), *samples, threads, kind=kind, progress=False)
            assert float(found[name]) == pytest.approx(100 * expected, abs=0.051)
    assert measured(capsys, "moco", "--probe", kind, "--beside", "classify") == (first, found)


def test_only_some_pictures(capsys):
    first, _ = measured(capsys, "moco", "--probe", "knn", "--pictures", "40")
    assert first == "knn: vectors of 40 training pictures of shapes10, accuracy on 40 test pictures"


def test_an_official_checkpoint(capsys, tmp_path):
    save(create("vit", "tiny", image_size=32, dim=24, depth=1, heads=3, mlp_dim=48, num_classes=10), tmp_path / "vit")
    _, found = measured(capsys, "--weights", "vit", "--probe", "knn", "--pictures", "50")
    assert list(found) == ["vit", "its random twin"]


def test_the_pictures_of_a_run_are_as_many_of_each_class():
    assert Run("classify").about_data()["pictures"] == [90, 60]
    assert Run("classify").result()["epoch"] == 2.5


@pytest.mark.parametrize(("arguments", "answer"), [
    (["moco", "--beside", "classify"], "--weights, --beside and --pictures belong to --probe"),
    ([], "expected the folder of a run"),
    (["--probe", "knn"], "expected either the folder of a run or --weights FILE"),
    (["moco", "--probe", "knn", "--beside", "nowhere"], "nowhere: no run in this folder"),
])
def test_mistakes(capsys, arguments, answer):
    assert main(["evaluate", *arguments]) == 2
    assert answer in capsys.readouterr().err
