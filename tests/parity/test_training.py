"""Training beside PyTorch gives the same losses."""

import numpy as np
import pytest

from tests.parity.training import RUNS, losses_of


@pytest.mark.parametrize("run", RUNS, ids=lambda run: str(run.case))
def test_losses_agree_over_twenty_steps(run):
    ours, theirs = losses_of(*run)
    assert (np.abs(ours - theirs) / theirs).max() < 1e-9
    assert theirs[-5:].mean() < theirs[:5].mean()  # of the same batches: it is training
