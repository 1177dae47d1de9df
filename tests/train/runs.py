"""When two runs ended alike, and batches as a run takes them."""

from functools import partial

import numpy as np

from minivit import data
from minivit.nn import Identity
from minivit.tasks import find_task
from minivit.train.batches import Batches


def batches_of(dataset, recipe, mean, std, task=None):
    """The batches of a recipe; without a task, those of classification as the recipe has it."""
    steps = [partial(data.augmentation(name), **settings) for name, settings in recipe.augmentation]
    samples = data.Samples(dataset, mean=mean, std=std, steps=steps, device=recipe.device)
    return Batches(task or find_task(recipe.task)(Identity(), **recipe.task_settings), samples, recipe)


def without_times(metrics):
    """The lines of a run's metrics as they must be each time."""
    return [{key: value for key, value in line.items() if key != "seconds"} for line in metrics]


def assert_same_end(run, other):
    """The same metrics, and the same bits in all arrays of the checkpoint."""
    assert without_times(run.metrics()) == without_times(other.metrics())
    (state, states), (other_state, other_states) = run.load_checkpoint(), other.load_checkpoint()
    assert state | {"seconds": 0} == other_state | {"seconds": 0}
    assert states.keys() == other_states.keys() == {"task", "optimiser", "average"}
    for group, arrays in states.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other_states[group][name], err_msg=f"{group} {name}")
