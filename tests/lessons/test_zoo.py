"""The zoo: every architecture has a place, runs are shared out, and go on where they were."""

import json

import numpy as np
import pytest

from minivit import create, data, list_models
from minivit.__main__ import main
from minivit.counting import count
from minivit.data import shapes10
from minivit.lessons import zoo, zoo_page
from minivit.train import Run

NAMES = ["mlp_mixer", "levit"]


def test_every_architecture_that_classifies_is_in_one_group():
    grouped = [name for names in zoo_page.GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == set(list_models("classify")) - {"dvae"}  # which makes words of a picture


@pytest.mark.parametrize("name", sorted(zoo.SMALLER))
def test_what_is_smaller_than_in_its_lesson_fits_the_time(name):
    counted = count(create(name, "cifar", **zoo.SMALLER[name]), (1, 32, 32, 3))
    assert 0.4e6 <= counted.parameters <= 1.5e6
    assert 10e6 <= counted.multiply_adds <= 45e6


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Two architectures, two steps a run, two learning rates, few pictures; the folder of the runs."""
    sets = tuple(shapes10.draw(number, np.random.default_rng(number)) for number in (80, 20))
    monkeypatch.setattr(data, "load", lambda name: sets)
    monkeypatch.setattr(zoo, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(zoo, "RATES", (1e-3, 2e-3))
    monkeypatch.setattr(zoo, "HELD_OUT", 16)
    monkeypatch.setattr(zoo_page, "PAGE", tmp_path / "docs" / "zoo.md")
    monkeypatch.setattr(zoo_page, "PICTURE", tmp_path / "docs" / "figures" / "zoo.png")
    for name in NAMES:
        path = tmp_path / "results" / "times" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"step": 60 * zoo.MINUTES / 2, "pictures_a_second": 1000, "threads": 1}))
    return tmp_path / "runs"


def test_runs_go_seed_by_seed_and_once(small, capsys):
    command = ["zoo", *NAMES, "--seeds", "2", "--folder", str(small), "--data", "shapes10"]
    assert main(command) == 0
    done = [line for line in capsys.readouterr().out.splitlines() if " runs are done; " in line]
    assert [line.split("; ")[1].split(",")[0] for line in done] == [
        "mlp_mixer/lr-0.001", "mlp_mixer/lr-0.002", "mlp_mixer/seed-0", "levit/lr-0.001", "levit/lr-0.002",
        "levit/seed-0", "mlp_mixer/seed-1", "levit/seed-1"]
    tried = {rate: Run(small / f"levit/lr-{rate:g}").result() for rate in zoo.RATES}
    assert {result["test_pictures"] for result in tried.values()} == {16}
    chosen = Run(small / "levit/seed-1").recipe()
    assert tried[chosen.lr]["test_accuracy"] == max(result["test_accuracy"] for result in tried.values())
    assert (chosen.steps, chosen.seed, chosen.held_out) == (2, 1, 0)
    text = zoo_page.PAGE.read_text()
    assert "## Without attention" in text
    assert "| levit | " in text
    assert zoo_page.PICTURE.stat().st_size > 10_000
    before = zoo_page.PAGE.read_bytes()
    assert main(command) == 0
    assert "runs are done" not in capsys.readouterr().out
    assert zoo_page.PAGE.read_bytes() == before


def test_a_run_that_another_process_holds_is_left_to_it(small, capsys):
    with Run(small / "levit/lr-0.001").alone():
        assert zoo.work(["levit"], (0,), small, "shapes10") == 2
    assert "another process is at work on it" in capsys.readouterr().out
    assert zoo.work(["levit"], (0,), small, "shapes10") == 0
    assert Run(small / "levit/seed-0").result()


def test_without_a_step_time_nobody_trains(small):
    with pytest.raises(FileNotFoundError, match="python -m minivit zoo swin --time"):
        zoo.work(["swin"], (0,), small, "shapes10")


def test_step_times_are_measured_and_written(small):
    found = zoo.measure_times("levit", steps=1)
    assert zoo.times_of("levit") == json.loads(json.dumps(found))
    assert found["step"] > 0
    assert found["pictures_a_second"] > 0


@pytest.mark.parametrize("held_out, message", [(80, "expected fewer than the 80 pictures"), (-1, "held_out")])
def test_too_many_pictures_held_out_are_an_error(small, held_out, message):
    from minivit.train import Recipe, train
    with pytest.raises(ValueError, match=message):
        train(Recipe(data="shapes10", held_out=held_out, steps=1), small / "run")
