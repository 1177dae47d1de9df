"""Detection and masks in training, on scenes: threads, interruptions, a process that is killed, the command line."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import minivit
from minivit import data
from minivit.__main__ import main
from minivit.data import scenes, shapes10
from minivit.models.resnet import BasicBlock, ResNetCIFAR
from minivit.tasks.detect import Detect
from minivit.tasks.maskformer import MaskClassification
from minivit.train import Run
from tests.tasks.contract import check_resume, check_threads
from tests.train.runs import assert_same_end

ROOT = Path(__file__).parents[2]
FLIPPED = dict(data="scenes", augmentation=[("random_flip", {})], evaluation_size=8)


def backbone(**settings):
    """A tiny ResNet."""
    return ResNetCIFAR(BasicBlock, (1, 1, 1), width=4, stride=2, **settings)


SMALL = dict(classes=scenes.CLASSES, queries=7, dim=8, heads=2, mlp_dim=8)
MASKS = dict(depth=2, pixel_dim=8, mask_dim=8, groups=4)
TASKS = {
    "boxes": partial(Detect, backbone, encoder_depth=1, decoder_depth=2, dropout=0.1, backbone_rate=0.5, **SMALL),
    "objects": partial(MaskClassification, backbone, **SMALL, **MASKS),
    "classes": partial(MaskClassification, backbone, regions="classes", **SMALL, **MASKS),
}


@pytest.fixture(scope="module")
def sets():
    """Scenes to train on, and to test on."""
    return scenes.draw(60, np.random.default_rng(0)), scenes.draw(20, np.random.default_rng(1))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", TASKS)
def test_interrupted_and_resumed_it_ends_with_the_same_bits(name, threads, sets, tmp_path):
    check_resume(TASKS[name], threads, sets, tmp_path / "run", **FLIPPED)


@pytest.mark.parametrize("name", TASKS)
def test_threads_share_a_batch_without_changing_it(name, sets):
    """Pictures have one to five objects: whoever divided by those of the own share would be found out."""
    check_threads(partial(TASKS[name], dropout=0.0), sets, data="scenes", augmentation=[])


COMMAND = """
import sys
import numpy as np
from minivit import data
from minivit.__main__ import main
from minivit.data import scenes
sets = tuple(scenes.draw(count, np.random.default_rng(count)) for count in (120, 20))
data.load = lambda name: sets  # a small set, for the sake of time
sys.exit(main(sys.argv[1:]))
"""
KILLED = """
from minivit.train import Recipe
recipe = Recipe(task="detect", model="resnet", variant="scenes", settings={"width": 4}, data="scenes", steps=60,
                batch_size=12, optimiser="adamw", lr=1e-3, average=0.9, evaluations=1, evaluation_size=20, threads=2,
                augmentation=[("random_flip", {})], device="cpu",
                task_settings={"queries": 7, "dim": 16, "heads": 2, "encoder_depth": 1, "decoder_depth": 2,
                               "mlp_dim": 16, "dropout": 0.1})
"""


def process(*arguments):
    """`python -m minivit train` with a small data set."""
    return subprocess.Popen([sys.executable, "-c", COMMAND, "train", *map(str, arguments)], cwd=ROOT, text=True,
                            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def finish(running):
    _, complaints = running.communicate()
    assert running.returncode == 0, complaints


def test_a_detection_that_is_killed_and_resumed_ends_with_the_same_bits(tmp_path):
    (tmp_path / "recipe.py").write_text(KILLED)
    never_stopped, run = Run(tmp_path / "never"), Run(tmp_path / "killed")
    begin = ["--recipe", tmp_path / "recipe.py", "--save-every", "0.05", "--out"]
    finish(process(*begin, never_stopped.folder))
    running = process(*begin, run.folder)
    while not run.checkpoint_path.exists():
        assert running.poll() is None, running.stderr.read()
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert run.result() is None, "it ended before it could be killed"
    finish(process("--resume", run.folder))
    assert_same_end(run, never_stopped)


@pytest.fixture
def small_scenes(monkeypatch, tmp_path, sets):
    """Every data set is a small one, shapes10 too; runs/ is made in a folder of its own."""
    shapes = tuple(shapes10.draw(count, np.random.default_rng(count)) for count in (40, 20))
    monkeypatch.setattr(data, "load", lambda name: sets if name == "scenes" else shapes)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("task, names", [("detect", {"test_AP", "test_AP50", "test_AP50_1"}),
                                         ("maskformer", {"test_AP", "test_AP50_5", "test_AP50_touching"})])
@pytest.mark.parametrize("source", ["scenes", "shapes10"])
def test_from_training_to_pictures_and_fine_tuning(task, names, source, small_scenes, capsys):
    if source == "shapes10":
        names = {"test_AP", "test_AP50_1"}  # its pictures have one object each
    small = ["--steps", "2", "--batch-size", "10", "--threads", "1", "--device", "cpu"]
    assert main(["train", task, *small, "--data", source]) == 0
    run = Run(f"runs/{task}-resnet-scenes-1")
    assert names <= run.result().keys()
    assert {"curves.png", "pictures.png"} <= {path.name for path in run.folder.iterdir()}
    capsys.readouterr()
    assert main(["evaluate", str(run.folder)]) == 0
    assert f"test AP50 {run.result()['test_AP50']:.3f}" in capsys.readouterr().out
    picture = minivit.viz.png(minivit.viz.page(data.load(source)[1].images[:1]))
    Path("picture.png").write_bytes(picture)
    assert main(["predict", str(run.folder), "picture.png"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("picture.png: ")
    assert "predicted.png" in said
    assert main(["train", "resnet:scenes", "--init", str(run.folder), *small, "--data", "shapes10"]) == 0
    tuned = json.loads((Path("runs/resnet-scenes-1") / "config.json").read_text())
    assert tuned["recipe"]["init"] == str(run.folder.resolve())


@pytest.mark.parametrize("arguments, answer", [
    (["train", "detr"], "detr is what a task builds on a model: python -m minivit train detect"),
    (["train", "mae", "--model", "maskformer"], "python -m minivit train maskformer"),
])
def test_a_model_that_is_built_by_a_task_says_by_which(arguments, answer, small_scenes, capsys):
    assert main(arguments) == 2
    assert answer in capsys.readouterr().err
