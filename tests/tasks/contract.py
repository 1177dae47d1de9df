"""What every task promises, as functions for the test of each: check_resume, check_threads, check_captured."""

from dataclasses import replace

import numpy as np

from minivit.train import Recipe, Run, Threads, fit, graph
from tests.train.runs import batches_of

RECIPE = Recipe(data="shapes10", device="cpu", threads=2, steps=8, batch_size=13, optimiser="adamw", lr=1e-3,
                average=0.9, evaluations=1, evaluation_size=16)


def trained(task, sets, recipe, run=None):
    """The lines of a training without their times, and the task's state afterwards."""
    lines = list(fit(task, sets[0], sets[1], recipe, mean=[0.5] * 3, std=[0.25] * 3, run=run))
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines], task.state_dict()


def check_resume(make, threads, sets, folder, **changes):
    """A task that make() gives, interrupted after 5 of 8 steps and resumed, ends with the bits of one never stopped.

    `changes` are what its recipe has else: augmentation=[("random_flip", {})] where the default one cannot be.
    """
    recipe = replace(RECIPE, threads=threads, **changes)
    expected, state = trained(make().initialise(3), sets, recipe)
    folder.mkdir()
    run = Run(folder)
    run.write_config(recipe)
    lines = fit(make().initialise(3), *sets, recipe, mean=[0.5] * 3, std=[0.25] * 3, run=run)
    for line in lines:
        if line["step"] == 5:
            lines.close()
    _, found = trained(make().initialise(7), sets, recipe, run)  # all weights come from the checkpoint
    assert [{key: value for key, value in line.items() if key != "seconds"} for line in run.metrics()] == expected
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def check_captured(make, sets, monkeypatch, **changes):
    """On a GPU, or its stand-in, a training whose steps are captured in a graph is that of single operations."""
    recipe = replace(RECIPE, device="cuda", threads=1, **changes)
    lines, state = trained(make().initialise(3).to("cuda"), sets, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(graph, "switched_off", lambda: True)
        expected_lines, expected = trained(make().initialise(3).to("cuda"), sets, recipe)
    assert lines == expected_lines
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


def check_threads(make, sets, **changes):
    """The loss, the numbers, the gradients and the buffers of a batch are those of one thread, in float64."""
    def computed(threads):
        task = make().initialise(3).astype(np.float64).train()
        with batches_of(sets[0], replace(RECIPE, **changes), 0.5, 0.25, task) as batches:
            batch = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in batches[0]]
        with Threads(threads) as team:
            loss, numbers = team.gradients(task.loss, task.parameters(), *batch, seed=(1,))
        return [np.array(loss), *map(np.array, numbers.values()), *(p.grad for p in task.parameters()),
                *(buffer.numpy() for _, buffer in task.named_buffers())]
    alone = computed(1)
    for threads in (2, 4):
        for one, other in zip(alone, computed(threads), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)
