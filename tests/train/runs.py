"""When two runs ended alike."""

import numpy as np


def without_times(metrics):
    """The lines of a run's metrics as they must be each time."""
    return [{key: value for key, value in line.items() if key != "seconds"} for line in metrics]


def assert_same_end(run, other):
    """The same metrics, and the same bits in all arrays of the checkpoint."""
    assert without_times(run.metrics()) == without_times(other.metrics())
    (state, states), (other_state, other_states) = run.load(), other.load()
    assert state | {"seconds": 0} == other_state | {"seconds": 0}
    assert states.keys() == other_states.keys() == {"model", "optimiser", "average"}
    for group, arrays in states.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, other_states[group][name], err_msg=f"{group} {name}")
