"""Trained models that come with the lessons."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor
from minivit.__main__ import main
from minivit.lessons import trained, weights
from minivit.train import Run, load_task, train
from tests.lessons import tiny

KEPT = sorted(path.parent.name for path in weights.FOLDER.glob("*/config.json"))


@pytest.fixture
def run(tiny_run, tmp_path, monkeypatch):
    """A complete run, and an empty folder for what is kept."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "weights")
    return tiny_run


def test_what_is_kept_answers_as_the_run_does(run, capsys):
    assert main(["keep", str(run.folder), "--name", "tiny"]) == 0
    assert "written: " in capsys.readouterr().out
    kept = trained("tiny")
    images = tiny.pictures()[1].images
    x = Tensor.without_copy(kept.normalise(images))
    expected = load_task(run).backbone(x).numpy()
    np.testing.assert_allclose(kept.model(x).numpy(), expected, rtol=0, atol=2e-3 * np.abs(expected).max())
    assert {array.dtype for array in kept.task.state_dict().values()} == {np.dtype("float32")}
    assert kept.history == run.metrics()
    assert kept.result["test_accuracy"] == run.result()["test_accuracy"]
    assert len(kept.classes) == 10
    assert not kept.model.training


def test_the_folder_holds_half_the_bytes_and_no_state_of_the_optimiser(run):
    kept = weights.keep(run, "tiny")
    _, states = kept.load_checkpoint()
    assert states.keys() == {"task"}
    assert {array.dtype for array in states["task"].values()} == {np.dtype("float16")}
    assert {path.name for path in kept.folder.iterdir()} == {"config.json", "metrics.jsonl", "checkpoint.safetensors"}


def test_a_kept_run_begins_another_one(run, tmp_path):
    kept = weights.keep(run, "tiny")
    assert main(["train", "vit", "--init", str(kept.folder), "--steps", "1", "--data", "shapes10", "--out",
                 str(tmp_path / "next"), "--recipe", str(recipe_file(tmp_path))]) == 0


def recipe_file(folder):
    """The recipe as a file that a user has written."""
    path = folder / "mine.py"
    path.write_text(f"from minivit.train import Recipe\nrecipe = Recipe(**{tiny.RECIPE.to_dict()!r})\n")
    return path


def test_a_student_is_kept_without_its_teacher(run, tmp_path):
    recipe = replace(tiny.RECIPE, task="distil", model="deit", task_settings={"teacher": str(run.folder)})
    student = train(recipe, tmp_path / "student")[1]
    weights.keep(student, "student")
    kept = trained("student")
    assert not any("teacher" in name for name in kept.task.state_dict())
    x = Tensor.without_copy(kept.normalise(tiny.pictures()[1].images))
    expected = load_task(student).backbone(x).numpy()
    np.testing.assert_allclose(kept.model(x).numpy(), expected, rtol=0, atol=2e-3 * np.abs(expected).max())


def test_what_cannot_be_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"take [\d,]+ bytes as float16, expected at most 100"):
        weights.keep(run, "tiny")
    half = Run(tmp_path / "half")
    shutil.copytree(run.folder, half.folder)
    half.forget_metrics_after(2)
    with pytest.raises(ValueError, match="half: not finished"):
        weights.keep(half, "tiny")
    assert not weights.FOLDER.exists()


def test_a_name_that_is_not_there(run):
    weights.keep(run, "tiny")
    with pytest.raises(ValueError, match="'tinny' does not exist; did you mean 'tiny'"):
        trained("tinny")


@pytest.mark.parametrize("name", KEPT)
def test_what_comes_with_the_lessons(name):
    folder = weights.FOLDER / name
    assert (folder / "checkpoint.safetensors").stat().st_size <= weights.LARGEST + 50_000
    assert "/" not in json.loads((folder / "config.json").read_text())["recipe"]["data"]
    kept = trained(name)
    assert all(np.isfinite(array).all() for array in kept.task.state_dict().values())


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in weights.FOLDER.rglob("*") if path.is_file()) <= 25_000_000
