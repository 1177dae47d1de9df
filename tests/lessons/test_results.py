"""Records of runs, and the README's table that is made from them."""

import json
import shutil
from pathlib import Path

import pytest

from minivit import create, models
from minivit.__main__ import main
from minivit.lessons import claims, results
from minivit.lessons.outcome import read_lessons
from minivit.lessons.step_time import step_seconds
from minivit.train import Recipe, Run, load_recipe, train
from tests.lessons import tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tiny_run, monkeypatch):
    """The folder of a complete run of a recipe called "tiny"."""
    monkeypatch.setattr(results, "load_recipe", lambda name: {"tiny": tiny.RECIPE}[name])
    return tiny_run.folder


def test_the_readme_shows_what_the_records_say(tmp_path):
    copy = shutil.copy(ROOT / "README.md", tmp_path)
    assert not results.update(copy, results.all_records(read_lessons()))


def test_lessons_stand_below_the_recipes():
    row = {"kind": "model", "model": "a ViT", "epochs": 0.5, "minutes": 1.0, "test_accuracy": 0.5, "command": "lesson"}
    rows = results.all_records({"06_vit": [{"kind": "claim"}, row]})
    assert rows == [*results.read_records(), row]
    assert "| `lesson` | a ViT |  | 0.50 | 1.0 | 50.0 % |" in results.table(rows)


@pytest.mark.parametrize("record", results.read_records(), ids=lambda record: record["recipe"])
def test_a_record_fits_its_recipe(record):
    recipe = load_recipe(record["recipe"])
    model = create(recipe.model, recipe.variant, **recipe.settings)
    assert record["parameters"] == sum(parameter.size for parameter in model.parameters())
    assert record["epochs"] == pytest.approx(record["steps"] / (50_000 // recipe.batch_size), abs=0.006)
    assert record["test_pictures"] == 10_000
    assert record["data"] == "cifar10"


def test_a_run_becomes_a_record(run, tmp_path, monkeypatch):
    record = results.record(run, "tiny", "a tiny ViT")
    final = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert record["test_accuracy"] == final["test_accuracy"]
    assert (record["steps"], record["epochs"], record["test_pictures"], record["model"]) == (4, 1.0, 40, "a tiny ViT")
    monkeypatch.setattr(results, "FOLDER", tmp_path / "records")
    results.write_record(record | {"recipe": "worse", "test_accuracy": -1.0})
    assert results.write_record(record).name == "tiny.json"
    assert [each["recipe"] for each in results.read_records()] == ["worse", "tiny"]


def test_a_run_in_the_background_has_the_minutes_of_a_quiet_machine(run, monkeypatch):
    monkeypatch.setattr(results, "step_seconds", lambda recipe: 45.0 if recipe.steps == 4 else 0)
    record = results.record(run, "tiny", "a tiny ViT", quiet=True)
    assert record["minutes"] == 3.0
    assert "| 1.0 | 3.0* |" in results.table([record])
    assert "| 1.0 | 3.0 |" in results.table([record | {"background": False}])


def test_steps_are_timed_on_the_recipes_own_data(run):
    assert 0 < step_seconds(tiny.RECIPE, steps=5) < 10


def test_a_students_recipe_does_not_name_its_teacher(run, tmp_path, monkeypatch):
    recipe = Recipe.from_dict(tiny.RECIPE.to_dict() | {"task": "distil", "model": "deit"})
    train(Recipe.from_dict(recipe.to_dict() | {"task_settings": {"teacher": str(run)}}), tmp_path / "student")
    monkeypatch.setattr(results, "load_recipe", lambda name: recipe)
    assert results.record(tmp_path / "student", "student", "DeiT")["steps"] == 4


def test_only_a_complete_run_of_the_recipe_gets_a_record(run, monkeypatch):
    def changed(**changes):
        recipe = Recipe.from_dict(tiny.RECIPE.to_dict() | changes)
        monkeypatch.setattr(results, "load_recipe", lambda name: recipe)
    changed(lr=1.0, batch_size=8)
    with pytest.raises(ValueError, match="not a run of tiny, it differs in batch_size, lr"):
        results.record(run, "tiny", "")
    changed()
    monkeypatch.setattr(models, "create", lambda *names, **settings: create(*names, **settings | {"depth": 2}))
    with pytest.raises(ValueError, match="vit:cifar has other weights now"):
        results.record(run, "tiny", "")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ValueError, match="not finished; python -m minivit train --resume"):
        results.record(run, "tiny", "")


def test_the_command_adds_a_record_and_writes_the_table(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").write_text(f"before\n\n{results.HEAD}| an | old | row |\n\nafter\n")
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "FOLDER", tmp_path / "docs")
    monkeypatch.setattr(results, "FIGURE", tmp_path / "kept.png")
    monkeypatch.setattr(results.weights, "FOLDER", tmp_path / "weights")
    results.weights.keep(Run(run), "tiny")
    monkeypatch.setattr(claims, "PAGE", tmp_path / "claims.md")
    assert main(["results", "--add", str(run), "--recipe", "tiny", "--model", "a tiny ViT"]) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("before\n\n| command |")
    assert text.endswith(" % |\n\nafter\n")
    assert "`python -m minivit train --recipe tiny` | a tiny ViT | 0.0 M | 1.0 |" in text
    assert "old" not in text
    said = capsys.readouterr().out
    assert "README.md" in said
    assert "claims.md" in said
    assert (tmp_path / "kept.png").read_bytes().startswith(b"\x89PNG")
    without = [name for name, found in read_lessons().items() if not found]
    assert not without or f"nothing found in the outputs of {', '.join(without)}: run them again\n" in said
    assert main(["results", "--add", str(run)]) == 2
    assert "needs the --recipe" in capsys.readouterr().err
    (tmp_path / "README.md").write_text("nothing")
    assert main(["results"]) == 2
    assert "expected a table with the head" in capsys.readouterr().err
