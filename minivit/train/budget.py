"""How many steps a run takes: asked for, counted from epochs, or as many as fit into some minutes."""

import time
from dataclasses import replace

from .trainer import Trainer

SHARE = 0.04      # of the time, at most, goes into measuring the speed
RESERVE = 0.97    # of what is left is planned: checkpoints and pictures take time, and speed varies


def count_steps(model, recipe, batches, threads, test, test_set, begun):
    """The number of steps of a run that began at the time `begun` (perf_counter), with the tests in between.

    Where it has to be measured, the first steps are run for it, and undone.
    """
    if recipe.steps or recipe.epochs:
        return recipe.steps or max(1, round(recipe.epochs * batches.per_epoch))
    budget, start = 60 * recipe.minutes, model.state_dict()
    trainer = Trainer(model, replace(recipe, steps=1_000_000), batches, threads)
    trainer.step()  # not measured: it touches fresh memory
    step_seconds = seconds_each(trainer.step, min(10.0, SHARE * budget))
    sample = test_set.subset(slice(recipe.evaluation_size))
    picture_seconds = seconds_each(lambda: test(sample, progress=False), 0) / len(sample)
    model.load_state_dict(start)
    testing = picture_seconds * (recipe.evaluations * len(sample) + len(test_set))
    left = budget - (time.perf_counter() - begun) - testing
    steps = max(1, int(RESERVE * left / step_seconds))
    print(f"{steps:,} steps of {batches.size} pictures, {steps / batches.per_epoch:.1f} epochs, fit into "
          f"{recipe.minutes:g} minutes")
    return steps


def seconds_each(function, at_least):
    """The mean time of a call, over one call or as many as fit into some seconds."""
    start, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - start < at_least:
        function()
        calls += 1
    return (time.perf_counter() - start) / calls
