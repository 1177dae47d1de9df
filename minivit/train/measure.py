"""What is measured beside the training: how good a task is on a test set, and how many steps fit into some minutes."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..backend import random_generator, to_device
from ..data.samples import Samples
from ..engine import no_grad
from ..nn import Module, evaluating, randomness
from ..tasks.task import Task
from ..types import Line, Over
from .batches import TEST, Batches
from .progress import progress_bar
from .recipe import Recipe
from .threads import Threads
from .trainer import Trainer

BATCH = 250          # of a test; fixed, so that the result does not depend on the number of threads
MEASURING = 0.04     # of the minutes of a run, at most, go into measuring the speed
PLANNED = 0.97       # of what is left is planned: checkpoints and pictures take time, and speed varies


def evaluate(task: Task, samples: Samples, threads: Threads, *, progress: bool = True) -> dict[str, Any]:
    """What a task measures on pictures that it has not learned from, {name: number}; modes stay as they were.

    Parameters
    ----------
    samples : Samples
        Without augmentation.
    threads : Threads
    """
    with going_over(task, samples, threads, progress=progress) as over:
        return task.test(samples, over)


@contextlib.contextmanager
def going_over(task: Module, samples: Samples, threads: Threads, *, progress: bool = True) -> Iterator[Over]:
    """The `over` of `Task.test`: over(f) -> [f(chosen), ...] of all samples, in batches, on all threads."""
    lock = threading.Lock()
    with evaluating(task), progress_bar(len(samples), "test", leave=False, disable=not progress) as bar:

        def over(function):
            def apply(start):
                chosen = np.arange(start, min(start + BATCH, len(samples)))
                with no_grad(), randomness(random_generator((TEST, start), samples.device)):
                    result = function(to_device(chosen, samples.device))
                with lock:
                    bar.update(len(chosen))
                return result
            return threads.map_on_all(apply, range(0, len(samples), BATCH))
        yield over


def evaluated(task: Task, samples: Samples, threads: Threads, *, tables: bool = False, progress: bool = True) -> Line:
    """The same as part of a line of metrics: test_loss ..., of how many pictures, and if asked for, tables as well."""
    measured = evaluate(task, samples, threads, progress=progress)
    line = {f"test_{name}": value for name, value in measured.items() if not isinstance(value, list)}
    line["test_pictures"] = len(samples)
    return line | {name: value for name, value in measured.items() if tables and isinstance(value, list)}


def count_steps(task: Task, recipe: Recipe, batches: Batches, threads: Threads, tests: Samples | None,
                looks: Samples | None, begun: float) -> int:
    """The number of steps of a run that began at the time `begun` (perf_counter), with the tests in between.

    Where it has to be measured, the first steps are run for it, and undone.
    """
    if recipe.epochs:
        return max(1, round(recipe.epochs * batches.per_epoch))
    budget, start = 60 * recipe.minutes, task.state_dict()
    trainer = Trainer(task, replace(recipe, steps=1_000_000), batches, threads)
    trainer.step()  # not measured: it touches fresh memory
    step_seconds = seconds_each(trainer.step, min(10.0, MEASURING * budget), threads)
    testing = 0.0
    if tests and looks:
        test = partial(evaluate, task, looks, threads, progress=False)
        picture_seconds = seconds_each(test, 0, threads) / len(looks)
        testing = picture_seconds * (recipe.evaluations * len(looks) + len(tests))
    task.load_state_dict(start)
    steps = max(1, int(PLANNED * (budget - (time.perf_counter() - begun) - testing) / step_seconds))
    steps = threads.processes.agreed(steps)
    print(f"{steps:,} steps of {batches.size} pictures, {steps / batches.per_epoch:.1f} epochs, fit into "
          f"{recipe.minutes:g} minutes")
    return steps


def seconds_each(function: Callable, at_least: float, threads: Threads) -> float:
    """The mean time of a call, over one call or as many as fit into some seconds; of all processes as many."""
    start, calls = time.perf_counter(), 0
    while not calls or threads.processes.any_of(time.perf_counter() - start < at_least)[0]:
        function()
        calls += 1
    return (time.perf_counter() - start) / calls
