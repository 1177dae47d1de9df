"""The demo of optimisers: its paths are those of formulas that are known, and stay in the plane that is drawn."""

import numpy as np
import pytest

from minivit.demos.optimisers import GRID, LOSS, OPTIMISERS, REACH, STEPS, TURN, heights, in_plane, loss_of, walk
from minivit.engine import Tensor


@pytest.mark.parametrize("lr", [0.02, 0.06, 0.12])
def test_gradient_descent_multiplies_each_coordinate_by_a_factor(lr):
    places, losses = walk("along", "SGD", lr)
    steps = np.arange(STEPS + 1)
    a, b = -1.6 * (1 - lr) ** steps, 1.0 * (1 - 20 * lr) ** steps
    assert np.isinf(losses).any() == (lr > 2 / 20)
    walked = np.isfinite(losses)
    assert np.allclose(places[walked], np.stack([a, b], axis=1)[walked], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_only_adamw_notices_that_the_valley_turns(optimiser):
    along, across = (walk(surface, optimiser, 0.05)[1] for surface in ("along", "across"))
    assert np.allclose(along, across, rtol=1e-3, atol=1e-5) == (optimiser != "AdamW")


@pytest.mark.parametrize("surface", LOSS)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_path_stays_in_its_plane(surface, optimiser, monkeypatch):
    seen = []
    monkeypatch.setattr("minivit.demos.optimisers.in_plane", lambda _, w: seen.append(w.copy()) or np.zeros(2))
    walk(surface, optimiser, 0.05)
    turned = np.array([TURN[surface].T @ w @ TURN[surface] for w in seen])            # (steps, 2, 2)
    assert len(seen) == STEPS + 1
    assert np.abs(turned[:, 0, 1]).max() < 1e-6
    assert np.abs(turned[:, 1, 0]).max() < 1e-6


@pytest.mark.parametrize("surface", LOSS)
def test_the_map_is_the_loss_of_the_weights_at_each_place(surface):
    ticks, turn = np.linspace(-REACH, REACH, GRID), TURN[surface]
    for a, b in ((0.7, -0.4), (-1.1, 0.3)):
        w = turn @ np.diag([a, b]) @ turn.T
        x, y = in_plane(surface, w)
        column, row = (np.abs(ticks - one).argmin() for one in (x, y))
        nearest = heights(surface)[row - 1:row + 2, column - 1:column + 2]
        assert nearest.min() <= loss_of(surface, Tensor(w)).item() <= nearest.max()
