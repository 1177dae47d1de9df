"""Real processes, killed and interrupted from outside at a moment that nobody chose, and resumed."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minivit.train import Run
from tests.train.runs import assert_same_end

ROOT = Path(__file__).parents[2]
COMMAND = """
import sys
import numpy as np
from minivit import data
from minivit.__main__ import main
from minivit.data import shapes10
sets = tuple(shapes10.draw(count, np.random.default_rng(count)) for count in (320, 100))
data.load = lambda name: sets  # a small set, for the sake of time
sys.exit(main(sys.argv[1:]))
"""
RECIPE = """
from minivit.train import Recipe
recipe = Recipe(settings={{"dim": 16, "depth": 1, "heads": 2, "patch_size": 8, "dropout": 0.1}}, data="shapes10",
                steps=150, batch_size=32, average=0.9, evaluations=2, evaluation_size=100, threads=2,
                task={task!r}, task_settings={settings!r})
"""
TASKS = {"classify": {"mixup": 0.2}, "mae": {"decoder_dim": 16, "decoder_depth": 1, "decoder_heads": 2},
         "moco": {"hidden": 32, "dim": 16},
         "dino": {"outputs": 32, "hidden": 16, "bottleneck": 8, "local_views": 2, "local_size": 16, "blur": 0.0}}


def minivit(*arguments):
    """A process of `python -m minivit train` with a small data set."""
    return subprocess.Popen([sys.executable, "-c", COMMAND, "train", *arguments], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    said, complaints = process.communicate()
    assert process.returncode == 0, complaints
    return said


@pytest.fixture(scope="module", params=TASKS)
def begin(request, tmp_path_factory):
    """Start a run of a task in a folder."""
    recipe = tmp_path_factory.mktemp("recipe") / "recipe.py"
    recipe.write_text(RECIPE.format(task=request.param, settings=TASKS[request.param]))
    return lambda run: minivit("--recipe", recipe, "--save-every", "0.05", "--out", run.folder)


@pytest.fixture(scope="module")
def never_stopped(begin, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("runs") / "never stopped")
    assert "next: python -m minivit predict" in finish(begin(run))
    return run


def wait_for_a_random_moment(process, run):
    while not run.checkpoint_path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    delay = random.uniform(0, 0.3)
    time.sleep(delay)
    print(f"{delay:.3f} s after the first checkpoint")


def test_killed_and_resumed_ends_with_the_same_bits(begin, never_stopped, tmp_path):
    run = Run(tmp_path / "run")
    process = begin(run)
    wait_for_a_random_moment(process, run)
    process.kill()
    process.communicate()
    assert run.result() is None, "it ended before it could be killed"
    finish(minivit("--resume", run.folder))
    assert_same_end(run, never_stopped)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send Ctrl-C to another one alone")
def test_ctrl_c_saves_says_how_to_go_on_and_exits_with_130(begin, never_stopped, tmp_path):
    run = Run(tmp_path / "run")
    process = begin(run)
    wait_for_a_random_moment(process, run)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate()
    assert process.returncode == 130
    assert f"go on with: python -m minivit train --resume {run.folder}" in complaints
    assert "Traceback" not in complaints
    assert (run.folder / "curves.png").exists()
    finish(minivit("--resume", run.folder))
    assert_same_end(run, never_stopped)
