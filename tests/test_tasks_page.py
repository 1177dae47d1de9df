"""docs/tasks.md: what the command measures, that it goes on where it was stopped, and what the page says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from docs import tasks
from minivit import data
from minivit.data import shapes10
from minivit.train import Recipe, Run
from minivit.train.trainer import Trainer

ASKED = ["--minutes", "0.01", "--epochs", "2", "--labels", "40", "--data", "shapes10"]
SMALL = {"settings": {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}, "steps": 3, "batch_size": 20,
         "average": None, "task_settings": {"hidden": 16, "dim": 8}}


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """A small data set, a task whose recipe is three steps, and folders of its own."""
    sets = shapes10.draw(120, np.random.default_rng(0)), shapes10.draw(50, np.random.default_rng(1))
    monkeypatch.setattr(data, "load", lambda name: sets)
    monkeypatch.setattr(tasks.find_task("moco"), "defaults", SMALL)
    monkeypatch.setattr(tasks, "PATH", tmp_path / "tasks.md")
    monkeypatch.setattr(tasks, "RECORDS", tmp_path / "records")
    monkeypatch.chdir(tmp_path)


def test_it_measures_writes_and_does_nothing_twice(tmp_path, monkeypatch):
    tasks.main(["--run", "moco", "--seeds", "0", "1", *ASKED])
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "records").iterdir())]
    assert [record["seed"] for record in records] == [0, 1]
    for record in records:
        assert record["steps"] == 3
        for name, _ in tasks.SHOWN:
            assert 0 <= record[name] <= 1
        tuned, scratch = (Run(f"runs/tasks/moco-{record['seed']}-{kind}") for kind in ("tuned", "scratch"))
        assert tuned.recipe().pictures == 40
        assert tuned.result()["epoch"] == scratch.result()["epoch"] == 2
        assert replace(tuned.recipe(), init=None) == scratch.recipe()
        assert record["fine_tuned"] == tuned.result()["test_accuracy"]
    text = (tmp_path / "tasks.md").read_text()
    assert text.count("| `moco` | `vit:cifar` | 0, 1 |") == 1

    def never(self):
        raise AssertionError("trained anew")
    monkeypatch.setattr(Trainer, "step", never)
    tasks.main(["--run", "moco", "--seeds", "0", *ASKED])
    assert (tmp_path / "tasks.md").read_text() == text


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch):
    step = Trainer.step

    def stop_once(self):
        if self.done == 2:
            monkeypatch.setattr(Trainer, "step", step)
            raise MemoryError
        step(self)
    monkeypatch.setattr(Trainer, "step", stop_once)
    with pytest.raises(MemoryError):
        tasks.main(["--run", "moco", "--seeds", "0", *ASKED])
    assert Run("runs/tasks/moco-0").exists
    tasks.main(["--run", "moco", "--seeds", "0", *ASKED])
    assert len(list((tmp_path / "records").iterdir())) == 1


def test_another_budget_is_not_taken_for_this_one(tmp_path):
    tasks.trained(Recipe(**SMALL | {"task": "moco", "data": "shapes10", "minutes": 1.0}), tmp_path / "run")
    with pytest.raises(ValueError, match="run: is a run with another minutes; take another --runs folder"):
        tasks.trained(Recipe(**SMALL | {"task": "moco", "data": "shapes10", "minutes": 2.0}), tmp_path / "run")


def test_the_page_gathers_seeds_and_keeps_budgets_apart():
    def record(task, seed, minutes, knn, plateau=None):
        shown = {name: 0.25 for name, _ in tasks.SHOWN} | {"knn": knn}
        return {"task": task, "seed": seed, "model": "vit:cifar", "minutes": minutes - 0.5, "epochs": 1.5,
                "asked": {"minutes": minutes, "epochs": 30, "labels": 2000, "data": "cifar10"}, "plateau": plateau,
                **shown}
    text = tasks.page([record("mae", 0, 15, 0.31), record("mae", 1, 15, 0.33), record("moco", 0, 15, 0.2, "ln 7"),
                       record("mae", 0, 120, 0.4)])
    assert "| `mae` | `vit:cifar` | 0, 1 | 14.5 | 1.50 | 32.0 (31.0 to 33.0) | 25.0 (25.0 to 25.0) |" in text
    assert "| `moco` | `vit:cifar` | 0 | 14.5 | 1.50 | 20.0 | 25.0 | 25.0 | 25.0 | 25.0 | 25.0 | ln 7 |" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## cifar10: 15 minutes for a task, then 30 epochs with 2,000 labels",
        "## cifar10: 120 minutes for a task, then 30 epochs with 2,000 labels"]
