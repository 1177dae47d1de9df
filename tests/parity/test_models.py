"""Outputs and gradients of every model against its official implementations."""

import numpy as np
import pytest

from tests.golden.cases import CASES  # noqa: F401 (one test for each)
from tests.parity.compare import differences

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-9}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_outputs_and_gradients_are_the_official_ones(case, dtype):
    found = differences(case, dtype)
    assert max(found.values()) < TOLERANCE[dtype], found
