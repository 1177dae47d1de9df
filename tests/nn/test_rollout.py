"""Attention rolled out through all layers."""

import numpy as np
import pytest

from minivit.nn import rollout


def test_one_head_by_hand():
    first, second = np.array([[[[1.0, 0.0], [0.5, 0.5]]]]), np.array([[[[0.0, 1.0], [1.0, 0.0]]]])  # (1, 1, 2, 2)
    # half of each and half of the identity: [[1, 0], [1/4, 3/4]], then [[1/2, 1/2], [1/2, 1/2]]
    np.testing.assert_allclose(rollout([first, second])[0], [[0.625, 0.375], [0.625, 0.375]])
    np.testing.assert_allclose(rollout([first, second], residual=0)[0], second[0, 0] @ first[0, 0])
    np.testing.assert_allclose(rollout([first, second], residual=1)[0], np.eye(2))


def test_heads_are_averaged_and_rows_stay_shares(rng):
    maps = rng.dirichlet(np.ones(5), size=(3, 2, 4, 5))                                # (L, B, H, N, N)
    found = rollout(list(maps), residual=0.3)
    expected = np.stack([np.eye(5)] * 2)
    for one in maps:
        expected = np.stack([(0.3 * np.eye(5) + 0.7 * sum(heads) / 4) @ below
                             for heads, below in zip(one, expected, strict=True)])
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.sum(axis=-1), 1)


@pytest.mark.parametrize("maps, residual", [([], 0.5), ([np.ones((1, 1, 2, 2))], 1.5)])
def test_what_cannot_be_rolled_out(maps, residual):
    with pytest.raises(ValueError, match="rollout: expected maps and a residual between 0 and 1"):
        rollout(maps, residual=residual)
