"""docs/tasks.md: what the command measures, that it goes on where it was stopped, and what the page says."""

import json
from dataclasses import replace

import numpy as np
import pytest

from docs import task_records, task_runs, tasks
from minivit import data
from minivit.data import scenes, shapes10
from minivit.tasks import find_task
from minivit.train import Run, Threads, evaluate
from minivit.train.start import build, describe
from minivit.train.trainer import Trainer

ASKED = ["--minutes", "0.01", "--epochs", "2", "--labels", "40"]
VIT = {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}
SMALL = {
    "moco": {"settings": VIT, "batch_size": 20, "average": None, "task_settings": {"hidden": 16, "dim": 8}},
    "dvae": {"model": "dvae", "settings": {"dim": 8, "groups": 3, "per_group": 1}, "batch_size": 20, "average": None,
             "task_settings": {"words": 8}},
    "beit": {"model": "beit", "settings": VIT | {"patch_size": 4}, "batch_size": 20, "average": None},
    "segment": {"data": "scenes", "settings": VIT, "batch_size": 20, "augmentation": [], "average": None,
                "task_settings": {"decoder": "naive", "width": 8}},
    "caption": {"data": "scenes", "settings": VIT, "batch_size": 20, "augmentation": [], "average": None,
                "task_settings": {"dim": 16, "heads": 2, "depth": 1, "mlp_dim": 16}},
    "clip": {"data": "scenes", "settings": VIT, "batch_size": 20, "augmentation": [], "average": None,
             "task_settings": {"common_dim": 8, "text_depth": 1, "text_heads": 2, "text_dim": 16}}}


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Small data sets, tasks of three steps, and folders of their own."""
    sets = {"cifar10": tuple(shapes10.draw(count, np.random.default_rng(count)) for count in (120, 50))}
    sets |= {name: scenes.load_scenes(train=60, test=40, size=32, unseen=name == "scenes_unseen")
             for name in ("scenes", "scenes_unseen")}
    monkeypatch.setattr(data, "load", sets.get)
    for name, defaults in SMALL.items():
        monkeypatch.setattr(find_task(name), "defaults", defaults)
    for module in task_runs, task_records:
        monkeypatch.setattr(module, "RESULTS", tmp_path / "records")
    monkeypatch.setattr(tasks, "PATH", tmp_path / "tasks.md")
    monkeypatch.chdir(tmp_path)
    for name in task_runs.RUNS:
        path = task_runs.times_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"step": 0.2}')  # of which three are 0.01 minutes


def test_an_encoder_is_trained_probed_tuned_and_nothing_is_done_twice(tmp_path, monkeypatch):
    tasks.main(["--run", "moco", "--seeds", "0", "1", *ASKED])
    records = task_records.read_records()
    assert [(record["name"], record["seed"], record["steps"]) for record in records] == [("moco", 0, 3), ("moco", 1, 3)]
    for record in records:
        for name, _ in tasks.SHOWN:
            assert 0 <= record[name] <= 1
        tuned = Run(f"runs/tasks/moco-{record['seed']}-tuned")
        scratch, = (Run(path) for path in tmp_path.glob(f"runs/tasks/vit-cifar-*-{record['seed']}-scratch"))
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


def test_a_run_that_was_stopped_goes_on(monkeypatch):
    step = Trainer.step

    def stop_once(self):
        if self.done == 2:
            monkeypatch.setattr(Trainer, "step", step)
            raise MemoryError
        step(self)
    monkeypatch.setattr(Trainer, "step", stop_once)
    with pytest.raises(MemoryError):
        tasks.main(["--run", "segment_naive", "--seeds", "0", *ASKED])
    assert Run("runs/tasks/segment_naive-0").exists
    tasks.main(["--run", "segment_naive", "--seeds", "0", *ASKED])
    assert len(task_records.read_records()) == 1


def test_beit_begins_with_the_words_of_a_dvae_that_had_as_long():
    tasks.main(["--run", "beit", "--seeds", "1", *ASKED])
    words, beit = Run("runs/tasks/dvae-1"), Run("runs/tasks/beit-1")
    assert beit.recipe().task_settings["tokenizer"] == str(words.folder.resolve())
    assert words.recipe().seed == 1
    assert words.result()["step"] == 3


@pytest.mark.parametrize("name", ["segment_naive", "caption", "clip"])
def test_what_sees_scenes_is_measured_beside_its_beginning_and_on_what_it_never_saw(name):
    tasks.main(["--run", name, "--seeds", "0", *ASKED])
    record, = task_records.read_records()
    measured = set(record["trained"])
    assert set(record["untrained"]) == set(record["unseen"]) == measured
    assert record["trained"]["loss"] < record["untrained"]["loss"]
    assert record["unseen"]["loss"] != record["trained"]["loss"]
    assert record["without_looking"]
    assert set(record["without_looking"]) < measured


def test_without_looking_is_what_a_constant_answer_reaches():
    train_set, test_set = data.load("scenes")
    task = build(task_runs.recipe_of("segment_naive"), describe(train_set, test_set))
    weights = task.state_dict()
    weights["model.decoder.head.bias"] = 1e6 * (np.arange(7) == 0).astype(np.float32)  # says "background" always
    with Threads(1) as threads:
        measured = evaluate(task.load_state_dict(weights), data.Samples(test_set, mean=[0.5] * 3, std=[0.25] * 3),
                            threads, progress=False)
    expected = task_records.without_looking("segment", train_set, test_set)
    assert {key: measured[key] for key in expected} == pytest.approx(expected)


def test_another_budget_is_not_taken_for_this_one(tmp_path):
    recipe = task_runs.recipe_of("moco", minutes=1.0, steps=2)
    task_runs.trained(recipe, tmp_path / "run")
    with pytest.raises(ValueError, match="run: is a run with another steps, minutes; take another --runs folder"):
        task_runs.trained(replace(recipe, minutes=2.0, steps=4), tmp_path / "run")


def test_a_step_is_timed_once_and_must_be():
    task_runs.times_path("beit").unlink()
    with pytest.raises(FileNotFoundError, match=r"step time of beit yet.*python -m docs\.tasks --time beit"):
        task_runs.steps_of("beit", 10)
    tasks.main(["--time", "beit"])
    found = json.loads(task_runs.times_path("beit").read_text())
    assert found["step"] > 0
    assert found["cores"] >= 1
    assert task_runs.steps_of("beit", 10) == max(1, round(600 / found["step"]))


@pytest.mark.parametrize("name", task_runs.RUNS)
def test_every_run_is_a_recipe_of_its_task(name):
    recipe = task_runs.recipe_of(name, 2)
    assert (recipe.task, recipe.seed) == (task_runs.RUNS[name][0], 2)
    with pytest.raises(ValueError, match="did you mean"):
        task_runs.recipe_of(name + "x")


def test_the_page_gathers_seeds_and_keeps_budgets_apart():
    def record(name, seed, minutes, knn, plateau=None):
        shown = {each: 0.25 for each, _ in tasks.SHOWN} | {"knn": knn}
        return {"name": name, "seed": seed, "model": "vit:cifar", "epochs": 1.5, "data": "cifar10", "plateau": plateau,
                "asked": {"minutes": minutes, "epochs": 30, "labels": 2000}, **shown,
                "trained": {"loss": 0.5 + seed}, "untrained": {"loss": 2.0}, "without_looking": {}}
    text = tasks.page([record("mae", 0, 15, 0.31), record("mae", 1, 15, 0.33), record("moco", 0, 15, 0.2, "ln 7"),
                       record("mae", 0, 120, 0.4)])
    assert "| `mae` | `vit:cifar` | 0, 1 | 1.5 | 32.0 (31.0 to 33.0) | 25.0 (25.0 to 25.0) |" in text
    assert "| `moco` | `vit:cifar` | 0 | 1.5 | 20.0 | 25.0 | 25.0 | 25.0 | 25.0 | 25.0 | ln 7 |" in text
    assert [line for line in text.splitlines() if line.startswith("### ")] == [
        "### 15 minutes, then 30 epochs with 2,000 labels", "### 120 minutes, then 30 epochs with 2,000 labels",
        "### `mae`: 15 minutes on cifar10, 1.5 epochs, seeds 0, 1",
        "### `moco`: 15 minutes on cifar10, 1.5 epochs, seeds 0",
        "### `mae`: 120 minutes on cifar10, 1.5 epochs, seeds 0"]
    assert "| trained | 1.000 (0.500 to 1.500) |\n| before its training | 2.000 (2.000 to 2.000) |" in text
