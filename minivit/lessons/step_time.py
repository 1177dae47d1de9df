"""How long a training step takes on a quiet machine: what tells the length of a run that goes on in the background."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..train import Recipe, fit
from ..train.start import build, decide, describe, sets_of


def step_seconds(recipe: Recipe, *, steps: int = 30) -> float:
    """The median time of some training steps of a recipe, in seconds, on its own data; nothing is kept of them."""
    recipe = decide(replace(recipe, steps=steps, threads=None, evaluations=0))
    train_set, test_set = sets_of(recipe)
    about = describe(train_set, test_set)
    lines = fit(build(recipe, about).to(recipe.device), train_set, None, recipe, mean=about["mean"], std=about["std"],
                title=None)
    return float(np.median(np.diff([time.perf_counter() for _ in lines])))  # there is a line for every step


def read_times(path: Path, command: str) -> dict:
    """What was measured once, {"step": seconds, ...}, from a file that is named by what was measured.

    Raises
    ------
    FileNotFoundError
        If it is not there: names the command that measures it, `python -m` left out.
    """
    if not path.exists():
        raise FileNotFoundError(f"nobody has measured the step time of {path.stem} yet; on a quiet machine: "
                                f"python -m {command}")
    return json.loads(path.read_text(encoding="utf-8"))


def steps_within(minutes: float, times: dict) -> int:
    """How many steps fit into some minutes, at least one."""
    return max(1, round(60 * minutes / times["step"]))
