"""How long a training step takes on a quiet machine: what tells the length of a run that goes on in the background."""

import time
from dataclasses import replace

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
