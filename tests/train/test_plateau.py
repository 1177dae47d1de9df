import math
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor
from minivit.ops import cross_entropy
from minivit.tasks import Task
from minivit.train import Run, fit
from minivit.train.plateau import plateau_of
from tests.tasks.tiny_tasks import tiny_vit

LEVELS = {"ln 10, every class equally likely": math.log(10), "0, always the same class": 0.0}
NAME = next(iter(LEVELS))


def lines(*losses):
    return [{"step": step, "loss": loss} for step, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize(("losses", "expected"), [
    ([2.3] * 10, NAME), ([2.3] * 9, None), ([2.3] * 9 + [2.2], None), ([9.0] * 20 + [2.31] * 10, NAME),
    ([9.0] * 20 + [2.31] * 9, None), ([0.0] * 12, "0, always the same class"), ([0.01] * 12, None)])
def test_a_loss_that_stays_for_a_tenth_of_the_run(losses, expected):
    assert plateau_of(lines(*losses), LEVELS, 100) == expected


def test_a_run_of_a_few_steps_says_nothing():
    assert plateau_of(lines(2.3, 2.3), LEVELS, 2) is None


def test_a_task_without_plateaus():
    assert plateau_of(lines(*[2.3] * 50), {}, 100) is None


class Stuck(Task):
    """A classifier whose logits are nothing, so that nothing can be learned."""

    def __init__(self):
        self.model = tiny_vit(10)

    @property
    def backbone(self):
        return self.model

    def plateaus(self, batch):
        return {f"ln 10 with {batch} pictures": math.log(10)}

    def batch(self, samples, chosen, rng):
        return samples.view(chosen, rng), samples.labels[chosen]

    def loss(self, images, labels):
        return cross_entropy(0 * self.model(Tensor.without_copy(images)), labels), {}


def test_the_log_names_it_once_and_every_line_has_it(sets, recipe, tmp_path, capsys):
    run, recipe = Run(tmp_path), replace(recipe, steps=40, task_settings={}, evaluations=0)
    run.write_config(recipe)
    list(fit(Stuck().initialise(0), *sets, recipe, mean=[0.5] * 3, std=[0.25] * 3, run=run))
    assert capsys.readouterr().out.count("step 4: the loss stays at 2.303: ln 10 with 50 pictures") == 1
    named = [line["step"] for line in run.metrics() if "plateau" in line]
    assert named == list(range(4, 41))
    np.testing.assert_allclose([line["loss"] for line in run.metrics() if not line.get("final")], math.log(10), 1e-6)
