"""Attention to the K x K nearest places, beside a version with a key for each query and neighbour."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from minivit.ops.neighbours import neighbourhoods
from tests import neighbours
from tests.ops.cases import Case, check


def case(B, h, H, W, d, K, dilation, e=2):
    grid, bias = (B, h, H, W), (h, 2 * K - 1, 2 * K - 1)
    return Case(ops.neighbourhood_attention, (*grid, d), (*grid, d), (*grid, e), bias, dilation=dilation,
                torch=lambda torch, *arrays: neighbours.neighbourhood_attention(torch, *arrays, dilation))


CASES = [
    case(2, 2, 4, 5, 2, 3, 1), case(1, 2, 4, 5, 3, 3, 1, e=4), case(1, 3, 3, 3, 2, 3, 1), case(2, 1, 7, 6, 2, 5, 1),
    case(2, 2, 6, 7, 2, 3, 2), case(1, 2, 11, 9, 2, 3, 3), case(1, 1, 3, 4, 2, 1, 2),
]


def test_op(case, device):
    check(case, device)


def places(n, kernel, dilation=1):
    return [list(range(n))[seen] for seen, _ in neighbourhoods(n, kernel, dilation)]


def test_windows_are_moved_inwards_at_the_border():
    assert [window[0] for window in places(7, 3)] == [0, 0, 1, 2, 3, 4, 4]
    assert places(3, 3) == [[0, 1, 2]] * 3


def test_a_dilated_window_has_every_second_place_and_its_own():
    assert places(8, 3, 2) == [[0, 2, 4], [1, 3, 5], [0, 2, 4], [1, 3, 5], [2, 4, 6], [3, 5, 7], [2, 4, 6], [3, 5, 7]]
    for n, kernel, dilation in [(7, 3, 2), (11, 3, 3), (17, 5, 3), (9, 1, 4)]:
        assert places(n, kernel, dilation) == neighbours.neighbours(n, kernel, dilation).tolist()
        assert all(place in window for place, window in enumerate(places(n, kernel, dilation)))


def test_a_window_as_large_as_the_grid_is_full_attention(rng):
    q, k, v = (rng.standard_normal((2, 3, 5, 5, 4)) for _ in range(3))
    found = ops.neighbourhood_attention(q, k, v, np.zeros((3, 9, 9))).numpy()
    tokens = (x.reshape(2, 3, 25, 4) for x in (q, k, v))
    np.testing.assert_allclose(found.reshape(2, 3, 25, 4), ops.attention(*tokens).numpy(), atol=1e-12)


@pytest.mark.parametrize("dilations, reach", [((1, 1, 1), [3, 5, 7]), ((1, 3, 9), [3, 9, 27])])
def test_the_reach_grows_linearly_and_with_dilations_exponentially(dilations, reach, rng):
    x, found = Tensor(rng.standard_normal((1, 1, 27, 27, 2)), requires_grad=True), []
    for depth in range(1, 4):
        y = x
        for dilation in dilations[:depth]:
            y = ops.neighbourhood_attention(y, y, y, np.zeros((1, 5, 5)), dilation=dilation)
        dx, = grad(y[0, 0, 13, 13].sum(), [x])
        seen = np.abs(dx[0, 0]).max(axis=-1) > 0
        found.append((seen.any(axis=0).sum(), seen.any(axis=1).sum()))
    assert found == [(side, side) for side in reach]


def test_grids_and_biases_that_do_not_fit_are_refused_with_numbers():
    def run(H, W, bias, dilation=1):
        ops.neighbourhood_attention(*(np.zeros((1, 2, H, W, 3)) for _ in range(3)), np.zeros(bias), dilation=dilation)
    with pytest.raises(ValueError, match="windows of 3 x 3 places, 2 apart, need a grid of 6 x 6, got 7 x 5"):
        run(7, 5, (2, 5, 5), dilation=2)
    with pytest.raises(ValueError, match=r"an odd K for 2 heads, got \(2, 3, 3\)"):
        run(7, 5, (2, 3, 3))
    with pytest.raises(ValueError, match=r"a bias \(2, 2 K - 1, 2 K - 1\) .* got \(3, 5, 5\)"):
        run(7, 5, (3, 5, 5))
    with pytest.raises(ValueError, match=r"a bias \(2, 2 K - 1, 2 K - 1\) .* got \(5,\)"):
        run(7, 5, (5,))
    with pytest.raises(ValueError, match=r"expected queries and keys .* got \(1, 2, 4, 4, 3\), \(1, 2, 4, 5, 3\)"):
        ops.neighbourhood_attention(np.zeros((1, 2, 4, 4, 3)), *[np.zeros((1, 2, 4, 5, 3))] * 2, np.zeros((2, 5, 5)))
