"""Training in a notebook: the loop of `python -m minivit train`, for a model, a task, or a loss of one's own.

    pictures = load_pictures()
    model = create("vit", "cifar", dim=64, depth=4)
    history = fit(model, pictures, steps=budget(600, smoke=4))
    print(f"{accuracy(model, pictures):.1%}")
"""

import contextlib
import json
import os
from dataclasses import dataclass

import numpy as np

from .. import data, train
from ..device import cores
from ..names import expect
from ..tasks import Task
from ..tasks.classify import Classify, Objective
from ..train import Recipe, Run, Threads


SMOKE_RUN = "A smoke run (MINIVIT_BUDGET=smoke): training takes seconds, and the numbers are not those of the text."


def budget(full, *, smoke):
    """The first value, or the second one where MINIVIT_BUDGET=smoke asks for a lesson that ends within 30 seconds."""
    asked = os.environ.get("MINIVIT_BUDGET", "full")
    expect("MINIVIT_BUDGET", asked, ("full", "smoke"))
    return smoke if asked == "smoke" else full


@dataclass(frozen=True, eq=False)
class Pictures:
    """The sets of a lesson, and what their pictures are normalised with.

    Parameters
    ----------
    train, test : Dataset
    mean, std : float32 (3,)
        Of the channels of the training pictures.
    validation : Dataset, optional
        Pictures held out of training, by which learning rates, epochs and all else is chosen that the test pictures
        must not choose.
    """

    train: data.Dataset
    test: data.Dataset
    mean: np.ndarray
    std: np.ndarray
    validation: data.Dataset | None = None

    def normalise(self, images):
        """Pictures as models take them.    uint8 (N, H, W, 3) -> float32 (N, H, W, 3)"""
        return data.normalise(images, self.mean, self.std)


def load_pictures(*, train=None, test=None, validation=None):
    """CIFAR-10 where it can be had, else shapes10 (which is said); in a smoke run a little of shapes10.

    Parameters
    ----------
    train, test : int, optional
        Only the first so many pictures of each set: a lesson about little data, a test that is quick.
    validation : int, optional
        So many pictures are held out of training, always the same ones, and as many of each class as can be.

    Raises
    ------
    ValueError
        If nothing is left to learn from.
    """
    learned, tested = budget(data.load, smoke=lambda: data.shapes10.load_shapes10(train=600, test=200))()
    held_out = None
    if validation:
        if not 0 < validation < len(learned):
            raise ValueError(f"validation: expected from 1 to {len(learned) - 1:,} of the {len(learned):,} training "
                             f"pictures, got {validation:,}")
        held_out, learned = learned.few(validation), learned.without(validation)
    learned, tested = learned.subset(slice(train)), tested.subset(slice(test))
    return Pictures(learned, tested, *data.channel_statistics(learned.images), held_out)


def fit(what, pictures, *, steps, objective=None, look=None, title="train", threads=None, folder=None, **settings):
    """Train a model or a task in place; at the end it has the average of its last weights, as every recipe here does.

    Where `pictures` have a validation set, it is looked at a few times on the way, and whole at the end.

    Parameters
    ----------
    what : Module or Task
        A model is trained to classify.
    pictures : Pictures
    steps : int
    objective : callable, optional
        For a model, another loss: objective(images, targets) -> mean loss, or (mean loss, {name: another mean}), of a
        share of the batch, as float32 (B, H, W, 3), normalised, and int64 (B,).
    look : callable, optional
        look(line) is called on every line of the history as it comes: to draw, to measure, to copy weights.
    title : str or None
        What the progress bar says; None for no bar, where many runs are compared.
    threads : int, optional
        By default one for each core.
    folder : str or Path, optional
        A run folder, where the training is saved; called again with the same folder, it goes on from there.
    **settings
        Of `Recipe`: seed, batch_size, lr, optimiser, augmentation, average, evaluations (looks at the validation
        set) ...

    Returns
    -------
    list of dict
        About a hundred lines with step, epoch, seconds, loss, gradient_norm, accuracy or what else the task reports:
        means since the line before; where there is a validation set, at every look and in the last line also
        validation_loss, validation_accuracy and so on.
    """
    task = what if isinstance(what, Task) else Objective(what, objective) if objective else Classify(what)
    recipe = Recipe(steps=steps, device="cpu", threads=threads or cores(), **settings)
    run, history = None, []
    if folder:
        run = Run(folder)
        if not run.exists:
            run.folder.mkdir(parents=True, exist_ok=True)
            run.write_config(recipe)
        elif run.recipe().to_dict() != json.loads(json.dumps(recipe.to_dict())):
            raise ValueError(f"folder: {folder} holds a run with another recipe; take another folder")
    with contextlib.nullcontext() if run is None else run.alone():
        lines = train.fit(task, pictures.train, pictures.validation, recipe, mean=pictures.mean, std=pictures.std,
                          run=run, title=title)
        with contextlib.closing(lines):
            for line in lines:
                history.append(line)
                if look:
                    look(validated(line))
    return joined(run.metrics() if run else history)


def joined(lines):
    """The lines of a training as a lesson has them: what was measured at the very end is part of the last one."""
    lines = [validated(line) for line in lines]
    return [*lines[:-2], lines[-2] | lines[-1]] if lines[-1].get("final") else lines


def validated(line):
    """A line of a training that was tested on the validation set, which its names then tell."""
    if not any(key.startswith("test_") for key in line):
        return line
    return {key.replace("test_", "validation_", 1): value for key, value in line.items() if not isinstance(value, list)}


def accuracy(model, pictures, *, of="test", threads=None):
    """The fraction of the pictures that a model classifies correctly.

    Parameters
    ----------
    model : Module
    pictures : Pictures
    of : str
        "test"; "validation" for all that is chosen by an accuracy; "train".
    threads : int, optional
        By default one for each core.
    """
    expect("of", of, ("train", "validation", "test"))
    chosen = getattr(pictures, of)
    if chosen is None:
        raise ValueError("of='validation': these pictures have no validation set; load_pictures(validation=5000) "
                         "holds one out")
    samples = data.Samples(chosen, mean=pictures.mean, std=pictures.std)
    with Threads(threads or cores()) as team:
        return train.evaluate(Classify(model), samples, team, progress=False)["accuracy"]
