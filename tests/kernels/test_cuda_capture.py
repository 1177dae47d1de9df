"""A training step captured as a graph, with every fast form and cuBLASLt's products: nothing in it is CuPy's cuBLAS."""

import warnings

import numpy as np
import pytest

import minivit
from minivit.data import shapes10
from minivit.tasks.classify import Classify
from minivit.train import Recipe, graph
from minivit.train.graph import WARM_UP
from minivit.train.threads import Threads
from minivit.train.trainer import Trainer
from tests import cuda_streams, cupy_stand_in
from tests.train.runs import batches_of

MODELS = {"vit": {"dim": 12, "depth": 1, "heads": 3, "patch_size": 16},
          "swin": {"dim": 6, "depths": (2,), "heads": (2,), "patch_size": 8, "window": 2}}


def losses_and_weights(recipe, dataset, steps):
    task = Classify(minivit.create(recipe.model, "cifar", seed=0, num_classes=10, **recipe.settings)).to("cuda")
    losses = []
    with Threads(1) as threads, batches_of(dataset, recipe, 0.5, 0.25, task) as batches:
        trainer = Trainer(task, recipe, batches, threads)
        for _ in range(steps):
            trainer.step()
            trainer.read_numbers()
            losses.append(trainer.meter.sums["loss"])
    return losses, task.state_dict()


@pytest.mark.parametrize("model", MODELS)
def test_a_captured_step_is_the_same_with_every_fast_form(products, xp, monkeypatch, model):
    launched, launch = [], cuda_streams.Graph.launch
    monkeypatch.setattr(cuda_streams.Graph, "launch", lambda self, *args: (launched.append(self), launch(self, *args)))
    dataset = shapes10.draw(20, np.random.default_rng(0))
    recipe = Recipe(model=model, settings=MODELS[model], device="cuda", threads=1, steps=20, batch_size=2,
                    optimiser="adamw", lr=1e-3, augmentation=[])
    steps = WARM_UP + 3
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        captured = losses_and_weights(recipe, dataset, steps)
        assert launched or xp is not cupy_stand_in.CUPY
        launched.clear()
        monkeypatch.setattr(graph, "switched_off", lambda: True)
        one_by_one = losses_and_weights(recipe, dataset, steps)
        assert not launched
    np.testing.assert_allclose(captured[0], one_by_one[0], rtol=1e-5)
    for name, weights in captured[1].items():
        np.testing.assert_allclose(weights, one_by_one[1][name], rtol=1e-4, atol=1e-5)
