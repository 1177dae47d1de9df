"""The initialisers have the moments and limits that they promise."""

import numpy as np
import pytest

from minivit.nn import constant, kaiming_normal, normal, ones, truncated_normal, uniform, xavier_uniform, zeros


@pytest.mark.parametrize("initialiser, shape, std, limit", [
    (normal(0.5), (300, 400), 0.5, np.inf),
    (truncated_normal(0.02), (300, 400), 0.02 * 0.8796, 0.04),  # a normal cut at two deviations has 0.8796 of the std
    (uniform(0.3), (300, 400), 0.3 / np.sqrt(3), 0.3),
    (xavier_uniform, (300, 500), np.sqrt(2 / 800), np.sqrt(6 / 800)),
    (xavier_uniform, (3, 3, 30, 50), np.sqrt(2 / (9 * 80)), np.sqrt(6 / (9 * 80))),
    (kaiming_normal, (3, 3, 64, 128), np.sqrt(2 / (9 * 128)), np.inf),
])
def test_moments(initialiser, shape, std, limit):
    x = initialiser(np.random.default_rng(0), shape)
    assert x.shape == shape
    assert x.dtype == np.float32
    assert abs(x.mean()) < 5 * std / np.sqrt(x.size)
    assert abs(x.std() / std - 1) < 0.02
    assert np.abs(x).max() <= limit * (1 + 1e-6)


def test_constants():
    rng = np.random.default_rng(0)
    assert (zeros(rng, (2, 3)) == 0).all()
    assert (ones(rng, (2, 3)) == 1).all()
    assert (constant(1e-5)(rng, (2,)) == np.float32(1e-5)).all()
