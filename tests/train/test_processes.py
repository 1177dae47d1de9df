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
RECIPE = """
from minivit.train import Recipe
recipe = Recipe(settings={"dim": 16, "depth": 1, "heads": 2, "patch_size": 8, "dropout": 0.1}, data="shapes10",
                steps=150, batch_size=32, mixup=0.2, average=0.9, evaluations=2, evaluation_size=100, threads=2)
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The words of a command that trains for some seconds."""
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    path.write_text(RECIPE)
    return [sys.executable, "-m", "minivit", "train", "--recipe", str(path), "--save-every", "0.05"]


@pytest.fixture(scope="module")
def never_stopped(command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "never stopped"
    done = subprocess.run([*command, "--out", folder], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    assert "next: python -m minivit predict" in done.stdout
    return Run(folder)


def start(command, run):
    """Start a run and wait for a random moment after its first checkpoint."""
    process = subprocess.Popen([*command, "--out", run.folder], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not run.checkpoint_path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    delay = random.uniform(0, 0.5)
    time.sleep(delay)
    print(f"{delay:.3f} s after the first checkpoint")
    return process


def resume(run):
    subprocess.run([sys.executable, "-m", "minivit", "train", "--resume", run.folder], cwd=ROOT, capture_output=True,
                   check=True)


def test_killed_and_resumed_ends_with_the_same_bits(command, never_stopped, tmp_path):
    run = Run(tmp_path / "run")
    process = start(command, run)
    process.kill()
    process.communicate()
    assert run.result() is None, "it ended before it could be killed"
    resume(run)
    assert_same_end(run, never_stopped)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send Ctrl-C to another one alone")
def test_ctrl_c_saves_says_how_to_go_on_and_exits_with_130(command, never_stopped, tmp_path):
    run = Run(tmp_path / "run")
    process = start(command, run)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert f"go on with: python -m minivit train --resume {run.folder}" in said
    assert "Traceback" not in said
    assert (run.folder / "curves.png").exists()
    resume(run)
    assert_same_end(run, never_stopped)
