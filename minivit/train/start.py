"""From a recipe to a trained model, in a new run folder or an old one."""

import platform
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import data, models
from ..backend import default_device, module_for
from ..precision import product_precision
from ..device import cores, loops
from ..fast_forms import compiled, switched_off
from .loop import fit
from .run import Run, free_folder


def train(recipe, folder=None, *, save_every=30.0):
    """Train by a recipe.

    Parameters
    ----------
    recipe : Recipe
    folder : str or Path, optional
        The run folder to make; by default `default_folder(recipe)`.
    save_every : float
        Seconds between checkpoints.

    Returns
    -------
    model : Module
        With the weights that were tested.
    run : Run
    """
    run = Run(folder or default_folder(recipe))
    if run.exists:
        raise ValueError(f"{run.folder} holds a run; take another folder, or go on with: {run.resume_command()}")
    recipe = decide(recipe)
    models.create(recipe.model, recipe.variant, **recipe.settings)  # a wrong name is told before a long download
    train_set, test_set = data.load(recipe.data)
    if recipe.data == "auto":
        recipe = replace(recipe, data=train_set.name)
    run.folder.mkdir(parents=True, exist_ok=True)
    run.write_config(recipe, data=describe(train_set, test_set), python=platform.python_version(), numpy=np.__version__,
                     loops=loops())
    return _fit(run, train_set, test_set, save_every)


def default_folder(recipe):
    """runs/MODEL-VARIANT-1, or the first number that is free."""
    return free_folder("runs", f"{recipe.model}-{recipe.variant}".replace("/", "-"))


def resume(folder, *, save_every=30.0):
    """Go on with a run that ended early; one that is complete is only read. Returns what `train` returns."""
    run = Run(folder)
    if run.exists and run.result():
        return load_model(run), run
    train_set, test_set = data.load(run.recipe().data)
    if describe(train_set, test_set) != run.config()["data"]:
        raise ValueError(f"{run.folder}: {train_set.name} is not what it was when the run began")
    return _fit(run, train_set, test_set, save_every)


def decide(recipe):
    """The recipe with a device and a number of threads, and a folder of data named from the root."""
    device = default_device() if recipe.device == "auto" else recipe.device
    module_for(device)  # raises if it cannot be used
    can_round = device == "cuda" and hasattr(compiled(device), "multiply") and not switched_off()
    if recipe.precision != "float32" and not can_round:
        raise ValueError(f"precision: {recipe.precision!r} needs a GPU with nvmath-python (requirements-gpu.txt) and "
                         f"without MINIVIT_KERNELS=0; on this device ({device!r}), take 'float32'")
    threads = 1 if device == "cuda" else recipe.threads or cores()
    folder = Path(recipe.data)
    return replace(recipe, data=str(folder.resolve()) if folder.is_dir() else recipe.data, device=device,
                   threads=min(threads, recipe.batch_size))


def describe(train_set, test_set):
    """What a run folder says about its data: all that the trained model needs, as JSON has it."""
    mean, std = data.channel_statistics(train_set.images)
    return {"name": train_set.name, "pictures": [len(train_set), len(test_set)], "classes": list(train_set.classes),
            "image_size": list(train_set.images.shape[1:3]), "mean": mean.tolist(), "std": std.tolist()}


def build(run):
    """The model of a run before its first step."""
    recipe, facts = run.recipe(), run.config()["data"]
    settings = {"num_classes": len(facts["classes"])} | recipe.settings
    model = models.create(recipe.model, recipe.variant, seed=recipe.seed, **settings)
    if "image_size" in vars(model) and "image_size" not in settings:  # some of its weights belong to places
        size = tuple(facts["image_size"])
        model = models.create(recipe.model, recipe.variant, seed=recipe.seed, image_size=size, **settings)
    return model


def load_model(run):
    """The model of a run with the weights of its checkpoint: their average, where the recipe asks for one."""
    checkpoint = run.load()
    if checkpoint is None:
        raise FileNotFoundError(f"{run.kept()}; go on with: {run.resume_command()}")
    _, states = checkpoint
    return build(run).load_state_dict(states.get("average", states["model"]))


def _fit(run, train_set, test_set, save_every):
    model, recipe = build(run), run.recipe()
    parameters = sum(p.size for p in model.parameters())
    print(f"{recipe.model}:{recipe.variant}, {parameters:,} parameters; {recipe.data}, {len(train_set):,} pictures; "
          f"{recipe.device}, threads: {recipe.threads}; run folder {run.folder}")
    with product_precision(recipe.precision):
        fit(model.to(recipe.device), train_set, test_set, run, save_every=save_every)
    return model, run
