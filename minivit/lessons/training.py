"""Training in a notebook: the loop of `python -m minivit train`, for any objective and without a run folder.

    pictures = load_pictures()
    model = create("vit", "cifar", dim=64, depth=4)
    history = fit(model, pictures, steps=budget(600, smoke=4))
    print(f"{accuracy(model, pictures):.1%}")
"""

import os
import time
from dataclasses import dataclass

import numpy as np

from .. import data
from ..device import cores
from ..names import expect
from ..train import Recipe, Threads
from ..train.batches import Batches
from ..train.evaluate import evaluate
from ..train.progress import progress_bar
from ..train.trainer import Meter, Trainer


def budget(full, *, smoke):
    """The first value, or the second one where MINIVIT_BUDGET=smoke asks for a lesson that ends within 30 seconds."""
    asked = os.environ.get("MINIVIT_BUDGET", "full")
    expect("MINIVIT_BUDGET", asked, ("full", "smoke"))
    return smoke if asked == "smoke" else full


@dataclass(frozen=True, eq=False)
class Pictures:
    """The two sets of a lesson, and what their pictures are normalised with.

    Parameters
    ----------
    train, test : Dataset
    mean, std : float32 (3,)
        Of the channels of the training pictures.
    """

    train: data.Dataset
    test: data.Dataset
    mean: np.ndarray
    std: np.ndarray

    def normalise(self, images):
        """Pictures as models take them.    uint8 (N, H, W, 3) -> float32 (N, H, W, 3)"""
        return data.normalise(images, self.mean, self.std)


def load_pictures(*, train=None, test=None):
    """CIFAR-10 where it can be had, else shapes10 (which is said); in a smoke run a little of shapes10.

    Parameters
    ----------
    train, test : int, optional
        Only the first so many pictures of each set: a lesson about little data, a test that is quick.
    """
    sets = budget(data.load, smoke=lambda: data.shapes10.load(train=600, test=200))()
    train_set, test_set = (each.subset(slice(count)) for each, count in zip(sets, (train, test), strict=True))
    return Pictures(train_set, test_set, *data.channel_statistics(train_set.images))


def fit(model, pictures, *, steps, objective=None, title="train", threads=None, **settings):
    """Train a model in place; at the end it has the average of its last weights, as every recipe here does.

    Parameters
    ----------
    model : Module
    pictures : Pictures
    steps : int
    objective : callable, optional
        objective(images, targets) -> (mean loss, how many pictures it gets right): of a share of the batch, as float32
        (B, H, W, 3), normalised, and int64 (B,). By default the cross-entropy of the model's logits.
    title : str
        What the progress bar says.
    threads : int, optional
        By default one for each core.
    **settings
        Of `Recipe`: seed, batch_size, lr, optimiser, augmentation, mixup, average ...

    Returns
    -------
    list of dict
        About a hundred lines with step, epoch, seconds, loss, accuracy, gradient_norm: means since the line before.
    """
    recipe = Recipe(steps=steps, device="cpu", **settings)
    with (Threads(threads or cores()) as team, Batches(pictures.train, recipe, pictures.mean, pictures.std) as batches,
          progress_bar(steps * batches.size, title) as bar):
        trainer, history, begun = Trainer(model, recipe, batches, team, objective), [], time.perf_counter()
        log_after = {steps * k // 100 for k in range(1, 101)}
        while trainer.done < steps:
            trainer.step()
            bar.update(batches.size)
            if trainer.done in log_after:
                means, trainer.meter = trainer.meter.means(), Meter()
                history.append({"step": trainer.done, "epoch": trainer.done / batches.per_epoch,
                                "seconds": round(time.perf_counter() - begun, 2), **means})
                bar.set_postfix_str(f"loss {means['loss']:.3f}, accuracy {means['accuracy']:.1%}", refresh=False)
        if trainer.average:
            model.load_state_dict(trainer.average.state_dict())
    return history


def accuracy(model, pictures, *, threads=None):
    """The fraction of the test pictures that a model classifies correctly; the model stays in evaluation mode."""
    with Threads(threads or cores()) as team:
        return evaluate(model, pictures.test, threads=team, mean=pictures.mean, std=pictures.std, progress=False)[1]
