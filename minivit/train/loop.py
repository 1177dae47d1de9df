"""The training loop, for every task, on the command line and in notebooks: a generator of the lines of its metrics."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from .. import data
from ..data.dataset import Dataset
from ..data.samples import Samples
from ..processes import processes
from ..tasks.task import Task
from ..types import Line, Numbers
from .batches import Batches
from .ending import DelayedInterrupt, explained
from .measure import count_steps, evaluated
from .plateau import plateau_of
from .progress import progress_bar
from .recipe import Recipe
from .run import Run
from .threads import Threads
from .trainer import Meter, Trainer


def fit(task: Task, train_set: Dataset, test_set: Dataset | None, recipe: Recipe, *, mean: Numbers, std: Numbers,
        run: Run | None = None, title: str | None = "train", save_every: float = 30.0) -> Iterator[Line]:
    """Train to the last step of a recipe, and yield a line of metrics a hundred times on the way.

    Afterwards the task is in evaluation mode, with the weights that were tested: where the recipe asks for it, their
    average.

    Parameters
    ----------
    task : Task
        As the recipe begins with it; the weights of a run that is resumed come from its checkpoint.
    train_set, test_set : Dataset
        Without a test set (None), nothing is tested.
    recipe : Recipe
        With device and number of threads decided.
    mean, std : array_like (C,)
        What pictures are normalised with.
    run : Run, optional
        The folder where metrics and checkpoints are written, and from where training goes on.
    title : str or None
        What the progress bar says; None for no bar.
    save_every : float
        Seconds between checkpoints; it changes nothing in the result.

    Yields
    ------
    dict
        step, epoch, seconds, and the means since the line before: loss, gradient_norm, what else the task reports; at
        every look at the test set also test_loss and so on; "plateau": what it means that the loss stays where it is,
        where the task knows. The last line of a run with a test set has "final": True.

    Raises
    ------
    Diverged, Stopped, OSError, MemoryError
        The loss is not finite, Ctrl-C was pressed, a file could not be written, the batches are too large. In each case
        the message says what is kept and how to go on.
    """
    begun = time.perf_counter()
    augmentation = [partial(data.augmentation(name), **settings) for name, settings in recipe.augmentation]
    samples_of = partial(data.Samples, mean=mean, std=std, device=recipe.device)
    with explained(recipe, run), Threads(recipe.threads or 1, processes().on(recipe.device)) as threads:
        samples, tests, looks = samples_of(train_set, steps=augmentation), None, None
        if test_set is not None:
            tests, looks = samples_of(test_set), samples_of(test_set.subset(slice(recipe.evaluation_size)))
        if not recipe.init and not (run and run.checkpoint_path.exists()):
            task.prepare(samples)
        with Batches(task, samples, recipe) as batches:
            if not recipe.steps:
                recipe = replace(recipe, steps=count_steps(task, recipe, batches, threads, tests, looks, begun))
                if run:
                    run.write_recipe(recipe)
            trainer = Trainer(task, recipe, batches, threads)
            if run:
                trainer.restore(run)
                expect_one_folder(run, threads.processes.objects(trainer.done))
            yield from train_steps(trainer, run, looks, title, save_every)
            trainer.take_average()
            task.eval()
            if tests:
                yield written(run, position(trainer) | {"final": True} | evaluated(
                    task, tests, threads, tables=True, progress=title is not None))


def train_steps(trainer: Trainer, run: Run | None, looks: Samples | None, title: str | None,
                save_every: float) -> Iterator[Line]:
    """The loop: a hundred lines of metrics, some looks at a part of the test set, a checkpoint now and then."""
    recipe, size, count = trainer.recipe, trainer.batches.size, trainer.recipe.evaluations if looks else 0
    look_after = {recipe.steps * k // (count + 1) for k in range(1, count + 1)}
    log_after = {recipe.steps * k // 100 for k in range(1, 101)} | look_after
    plateaus, lines, plateau = trainer.task.plateaus(size), run.metrics() if run else [], None
    begun, saved = time.perf_counter() - trainer.seconds, time.perf_counter()
    with DelayedInterrupt() as interrupt, \
            progress_bar(recipe.steps * size, title, initial=trainer.done * size, disable=title is None) as bar:
        if run and recipe.init and not trainer.done:
            trainer.save(run)  # from here on the folder needs no other run
        while trainer.done < recipe.steps:
            trainer.step()
            if trainer.done in log_after:
                trainer.read_numbers()
            trainer.seconds = time.perf_counter() - begun
            bar.set_postfix_str(in_words(trainer.meter.means(), trainer.task.shown), refresh=False)
            bar.update(size)
            if trainer.done in log_after:
                line = position(trainer) | trainer.meter.means() | {"learning_rate": trainer.optimiser.lr}
                trainer.meter = Meter()
                if looks and trainer.done in look_after:
                    with trainer.average.applied() if trainer.average else contextlib.nullcontext():
                        line |= evaluated(trainer.task, looks, trainer.threads, progress=False)
                lines.append(line)
                before, plateau = plateau, plateau_of(lines, plateaus, recipe.steps)
                if plateau:
                    line["plateau"] = plateau
                    if plateau != before:
                        bar.write(f"step {trainer.done}: the loss stays at {line['loss']:.3f}: {plateau}")
                written(run, line)
            late = time.perf_counter() - saved >= save_every
            stop, late = trainer.threads.processes.any_of(interrupt.requested, late)
            if run and (stop or late or trainer.done == recipe.steps):
                trainer.save(run)
                saved = time.perf_counter()
            if trainer.done in log_after:
                try:
                    yield line
                except GeneratorExit:  # whoever looks at the lines wants no more of them
                    if run:
                        trainer.save(run)
                    raise
            if stop:
                raise KeyboardInterrupt


def expect_one_folder(run: Run, steps: list[int]) -> None:
    """Raise an error if the processes that train together have not found the same checkpoint."""
    if len(set(steps)) > 1:
        raise RuntimeError(f"{run.folder}: expected a folder that all processes share; the first one goes on from step "
                           f"{steps[0]}, others from {', '.join(map(str, sorted(set(steps) - {steps[0]})))}")


def written(run: Run | None, line: Line) -> Line:
    """The line, after it was added to the metrics of the run, if there is one."""
    if run:
        run.log(line)
    return line


def position(trainer: Trainer) -> Line:
    """Where the training stands: steps, epochs, seconds."""
    return {"step": trainer.done, "epoch": round(trainer.done / trainer.batches.per_epoch, 4),
            "seconds": round(trainer.seconds, 2)}


def in_words(means: dict[str, float], shown: str) -> str:
    """What the progress bar says: the loss, and the number that the task shows."""
    return ", ".join(f"{name} {means[name]:.1%}" if name == "accuracy" else f"{name} {means[name]:.3f}"
                     for name in dict.fromkeys(("loss", shown)) if name in means)
