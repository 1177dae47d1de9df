"""Dropout and DropPath: what is kept, how much, and by which generator."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_kept_numbers_are_scaled_and_the_others_are_0(rate, rng):
    x = rng.uniform(1, 2, (200, 500)).astype(np.float32)
    y = ops.dropout(x, rate=rate, rng=rng).numpy()
    assert y.dtype == np.float32
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=1e-6)
    assert abs(kept.mean() - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / x.size)


@pytest.mark.parametrize("operation", [ops.dropout, ops.drop_path])
def test_gradient_goes_where_the_value_went(operation, rng):
    x = Tensor(rng.uniform(1, 2, (50, 3, 4)), requires_grad=True)
    y = operation(x, rate=0.3, rng=rng)
    np.testing.assert_allclose(grad(y.sum(), [x])[0], y.numpy() / x.numpy(), rtol=1e-12)


def test_drop_path_keeps_or_drops_whole_pictures(rng):
    y = ops.drop_path(np.ones((1000, 3, 5), np.float32), rate=0.25, rng=rng).numpy().reshape(1000, 15)
    assert (y == y[:, :1]).all()
    assert set(np.unique(y[:, 0])) == {np.float32(0), np.float32(1 / 0.75)}
    assert 0.68 < (y[:, 0] > 0).mean() < 0.82


def test_same_generator_same_mask():
    x = np.ones((8, 8), np.float32)
    first, again, other = (ops.dropout(x, rate=0.5, rng=np.random.default_rng(s)).numpy() for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rate_out_of_range(rate, rng):
    with pytest.raises(ValueError, match="dropout: rate must be at least 0 and less than 1"):
        ops.dropout(np.ones(3, np.float32), rate=rate, rng=rng)


def test_rate_0_changes_nothing(rng):
    x = rng.standard_normal((4, 5)).astype(np.float32)
    np.testing.assert_array_equal(ops.dropout(x, rate=0, rng=rng).numpy(), x)
