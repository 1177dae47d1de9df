"""What some processes train together, for test_together.py: mpiexec -n 2 python -m tests.train.together FOLDER"""

import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

from minivit.data import Samples, shapes10
from minivit.models.resnet import BasicBlock, ResNetCIFAR
from minivit.processes import processes
from minivit.tasks.classify import Classify
from minivit.train import Recipe, fit
from tests.tasks.test_dino import make as dino
from tests.tasks.tiny_tasks import Contrast, tiny_vit

RECIPE = Recipe(data="shapes10", device="cpu", threads=1, steps=20, batch_size=14, optimiser="adamw", lr=1e-3,
                average=0.9, evaluations=1, evaluation_size=24)
TASKS = {
    "vit": lambda: Classify(tiny_vit(num_classes=10), label_smoothing=0.1, mixup=0.2),
    "resnet": lambda: Classify(ResNetCIFAR(BasicBlock, (1, 1), width=4)),
    "dino": dino,
    "contrast": Contrast,
}


def in_double_precision(make):
    """A task that make() gives, all in float64."""
    class Precise(type(make())):
        def batch(self, samples, chosen, rng):
            return tuple(array.astype(np.float64) if array.dtype.kind == "f" else array
                         for array in super().batch(samples, chosen, rng))
    task = make()
    task.__class__ = Precise
    return task.initialise(3).astype(np.float64)


def trained(name, **changes):
    """{"losses": of 20 steps, "test": of all, and the name of each weight, average, buffer: its values}"""
    sets = tuple(shapes10.draw(count, np.random.default_rng(count)) for count in (56, 40))
    task = in_double_precision(TASKS[name])
    with patch.object(Samples, "normalised", lambda self, images: (images / 255.0 - 0.5) / 0.25):
        lines = list(fit(task, *sets, replace(RECIPE, **changes), mean=[0.5] * 3, std=[0.25] * 3))
    tested = [line["test_loss"] for line in lines if "test_loss" in line]
    return {"losses": np.array([line["loss"] for line in lines if "loss" in line]), "test": np.array(tested),
            **task.state_dict()}


if __name__ == "__main__":
    group = processes()
    for shard in (None, "optimiser"):
        for name in TASKS:
            found = trained(name, shard=shard)
            if group.rank == group.size - 1:  # not the first one: all have the same
                np.savez(Path(sys.argv[1]) / f"{name} {shard}.npz", **found)
