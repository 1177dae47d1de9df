"""From a recipe to a trained model, in a new run folder or an old one."""

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, models
from ..backend import default_device, module_for
from ..data.dataset import Dataset
from ..device import cores, loops
from ..fast_forms import compiled, switched_off
from ..nn.module import Module
from ..precision import product_precision
from ..processes import processes
from ..tasks import begin_alike, find_task
from ..tasks.task import Task
from ..types import AnyPath
from .loop import fit
from .recipe import Recipe
from .run import Run, SharedRun, new_folder


def train(recipe: Recipe, folder: AnyPath | None = None, *, save_every: float = 30.0) -> tuple[Module, Run]:
    """Train by a recipe.

    Parameters
    ----------
    recipe : Recipe
    folder : str or Path, optional
        The run folder to make; by default a new one, runs/MODEL-VARIANT-1, -2 ...
    save_every : float
        Seconds between checkpoints.

    Returns
    -------
    model : Module
        With the weights that were tested: the task's backbone.
    run : Run
    """
    if folder:
        refuse_taken(Run(folder))
    recipe = decide(recipe)
    models.check_settings(recipe.model, recipe.variant, recipe.settings)  # told before a long download
    train_set, test_set = sets_of(recipe)
    if recipe.data == "auto":
        recipe = replace(recipe, data=train_set.name)
    about_data = describe(train_set, test_set)
    task, group = build(recipe, about_data), processes()
    refuse_lacking(task, train_set)
    if not folder and group.rank == 0:
        folder = new_folder("runs", default_name(recipe))
    run = open_run(group.agreed(folder))
    with run.alone():
        refuse_taken(run)  # by another process, which was quicker
        run.write_config(recipe, data=about_data, python=platform.python_version(), numpy=np.__version__, loops=loops(),
                         processes=group.size)
        return train_task(task, run, recipe, about_data, (train_set, test_set), save_every)


def open_run(folder: AnyPath) -> Run:
    """The run of a folder, in which the first of several processes writes, and the others read."""
    return (SharedRun if processes().rank else Run)(folder)


def refuse_taken(run: Run) -> None:
    """Raise a ValueError if the folder of a new run holds one already."""
    if run.exists and not isinstance(run, SharedRun):  # which the first of several processes has begun
        raise ValueError(f"{run.folder} holds a run; take another folder, or go on with: {run.resume_command()}")


def refuse_lacking(task: Task, dataset: Dataset) -> None:
    """Raise a ValueError if a data set does not know what a task needs of each picture."""
    missing = [name for name in task.needs if getattr(dataset, name, None) is None]
    if missing:
        raise ValueError(f"data: {dataset.name} has no {' and no '.join(missing)}, which this task learns from; take "
                         "--data scenes, or for labels shapes10")


def resume(folder: AnyPath, *, save_every: float = 30.0) -> tuple[Module, Run]:
    """Go on with a run that ended early; one that is complete is only read. Returns what `train` returns."""
    run = open_run(folder)
    recipe, about_data = run.recipe(), run.about_data()
    if run.result():
        return load_model(run), run
    with run.alone():
        train_set, test_set = sets_of(recipe)
        if describe(train_set, test_set) != about_data:
            raise ValueError(f"{run.folder}: {train_set.name} is not what it was when the run began")
        return train_task(build(recipe, about_data), run, recipe, about_data, (train_set, test_set), save_every)


def train_task(task: Task, run: Run, recipe: Recipe, about_data: dict[str, Any], sets: tuple[Dataset, Dataset],
               save_every: float) -> tuple[Module, Run]:
    """Train a task in its run folder, from where that stands; returns what `train` returns."""
    model = task.backbone  # asked for now, so that a task that has none is told before its training
    if recipe.init and not run.checkpoint_path.exists():
        begin_alike(task, take_over(model, load_model(Run(recipe.init)), recipe.init))
    parameters = sum(parameter.size for parameter in task.parameters())
    print(f"{recipe.task}, {recipe.model}:{recipe.variant}, {parameters:,} parameters; {recipe.data}, {len(sets[0]):,} "
          f"pictures; {recipe.device}, threads: {recipe.threads}; run folder {run.folder}")
    introduce(run)
    with product_precision(recipe.precision):
        for _ in fit(task.to(recipe.device), *sets, recipe, mean=about_data["mean"], std=about_data["std"], run=run,
                     save_every=save_every):
            pass
    return model, run


def sets_of(recipe: Recipe) -> tuple[Dataset, Dataset]:
    """What a recipe trains on, and what it tests on. Of several processes the first one fetches what is not there."""
    group = processes()
    sets = data.load(recipe.data) if group.rank == 0 else None
    group.any_of(True)
    train_set, test_set = sets or data.load(recipe.data)
    if recipe.held_out >= len(train_set):
        raise ValueError(f"held_out: expected fewer than the {len(train_set):,} pictures of {recipe.data}, got "
                         f"{recipe.held_out:,}")
    if recipe.held_out:
        cut = len(train_set) - recipe.held_out
        train_set, test_set = train_set.subset(slice(cut)), train_set.subset(slice(cut, None))
    return train_set.few(recipe.pictures) if recipe.pictures else train_set, test_set


def introduce(run: Run) -> None:
    """Say which processes train together: what ends one of them from outside tells only its number."""
    group = processes()
    everyone = group.objects(f"{platform.node()}:{os.getpid()}")
    if group.size > 1:
        names = ", ".join(f"{rank} is {name}" for rank, name in enumerate(everyone))
        print(f"{group.size} processes (rank, machine, process id): {names}. If one ends, all end; then go on with: "
              f"{run.resume_command()}", flush=True)


def default_name(recipe: Recipe) -> str:
    """MODEL-VARIANT, with the task in front where it is not classification."""
    task = "" if recipe.task == "classify" else f"{recipe.task}-"
    return f"{task}{recipe.model}-{recipe.variant}".replace("/", "-")


def decide(recipe: Recipe) -> Recipe:
    """The recipe with a device and a number of threads, and folders named from the root."""
    device = default_device() if recipe.device == "auto" else recipe.device
    module_for(device)  # raises if it cannot be used
    processes().on(device)
    can_round = device == "cuda" and hasattr(compiled(device), "multiply") and not switched_off()
    if recipe.precision != "float32" and not can_round:
        raise ValueError(f"precision: {recipe.precision!r} needs a GPU with nvmath-python (requirements-gpu.txt) and "
                         f"without MINIVIT_KERNELS=0; on this device ({device!r}), take 'float32'")
    group = processes()
    if recipe.batch_size < group.size:
        raise ValueError(f"batch_size: expected a picture for each of {group.size} processes, got {recipe.batch_size}")
    threads = 1 if device == "cuda" else recipe.threads or group.cores(cores())
    where = str(Path(recipe.data).resolve()) if data.is_folder(recipe.data) else recipe.data
    runs = {name: rooted_run(recipe.task_settings[name]) for name in find_task(recipe.task).runs
            if name in recipe.task_settings}
    return group.agreed(replace(
        recipe, data=where, device=device, threads=min(threads, recipe.batch_size // group.size),
        init=recipe.init and rooted_run(recipe.init), task_settings=recipe.task_settings | runs))


def rooted_run(folder: AnyPath) -> str:
    """The folder of a run, named from the root; raises if there is no run in it."""
    Run(folder).config()
    return str(Path(folder).resolve())


def describe(train_set: Dataset, test_set: Dataset) -> dict[str, Any]:
    """What a run folder says about its data: all that the trained model needs, as JSON has it."""
    mean, std = data.channel_statistics(train_set.images)
    words = {"words": list(words)} if (words := getattr(train_set, "words", ())) else {}
    return {"name": train_set.name, "pictures": [len(train_set), len(test_set)], "classes": list(train_set.classes),
            "image_size": list(train_set.images.shape[1:3]), "mean": mean.tolist(), "std": std.tolist()} | words


def build(recipe: Recipe, about_data: dict[str, Any]) -> Task:
    """The task of a run before its first step."""
    def make_model(**changes):
        settings = changes | recipe.settings
        if "image_size" in models.settings_of(recipe.model, recipe.variant):  # some of its weights belong to places
            settings = {"image_size": tuple(about_data["image_size"])} | settings
        return models.create(recipe.model, recipe.variant, seed=recipe.seed, **settings)
    task = find_task(recipe.task)
    runs = {name: load_model(Run(recipe.task_settings[name])) for name in task.runs if name in recipe.task_settings}
    settings = task.settings_from(about_data) | recipe.task_settings | runs
    built = task.build(make_model, tuple(about_data["classes"]), **settings)
    return built.initialise(recipe.seed)


def load_task(run: Run) -> Task:
    """The task of a run with the weights of its checkpoint: their average, where the recipe asks for one."""
    recipe, about_data, checkpoint = run.recipe(), run.about_data(), run.load_checkpoint()
    if checkpoint is None:
        raise FileNotFoundError(f"{run.kept()}; go on with: {run.resume_command()}")
    _, states = checkpoint
    weights = states.get("average", states["task"])
    return build(recipe, about_data).load_state_dict(weights).astype(np.float32).eval()  # kept ones are float16


def load_model(run: Run) -> Module:
    """The model of a run, which is its task's backbone, with the weights of its checkpoint."""
    return load_task(run).backbone


def take_over(model: Module, other: Module, source: AnyPath) -> Module:
    """Give a model the weights of another one; only a head may be missing, or of another shape: it stays as drawn.

    What the other one shares between layers, all layers of the model get that have their own; what the model shares is
    the first's of the other one.

    Raises
    ------
    ValueError
        Names every other tensor that does not fit; nothing has been changed then. `source` is where they come from.
    """
    own, theirs = model.state_dict(every_name=True), other.state_dict(every_name=True)
    fitting = {name: array for name, array in theirs.items() if name in own and own[name].shape == array.shape}
    problems = [f"{name}: {own[name].shape if name in own else 'not there'} here, "
                f"{theirs[name].shape if name in theirs else 'not there'} there"
                for name in sorted(own.keys() | theirs.keys()) if name not in fitting and "head" not in name]
    if problems:
        more = [f"and {len(problems) - 5} more"] if len(problems) > 6 else []
        raise ValueError(f"init: the weights of {source} do not fit this {type(model).__name__}; were both built with "
                         "the same settings?\n  " + "\n  ".join(problems[:5 if more else 6] + more))
    return model.load_state_dict({name: fitting.get(name, own[name]) for name in model.state_dict()})
