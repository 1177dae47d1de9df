"""Tables of biases by offset: their rows, and the modules of timm that read such tables."""

import numpy as np
import pytest

from minivit import Tensor
from minivit.gradcheck import gradcheck
from minivit.nn import absolute_offsets, offset_bias, signed_offsets
from tests.counterpart import import_official


@pytest.mark.parametrize("grid", [(3, 3), (2, 5), (1, 4)])
def test_signed_offsets_have_a_row_for_each_way_in_the_order_of_the_ways(grid):
    index, rows = signed_offsets(grid), {}
    H, W = grid
    places = [(y, x) for y in range(H) for x in range(W)]
    for i, (y, x) in enumerate(places):
        for j, (v, u) in enumerate(places):
            rows.setdefault((y - v, x - u), set()).add(index[i, j])
    assert index.shape == (H * W, H * W)
    assert all(len(found) == 1 for found in rows.values())
    assert [min(rows[way]) for way in sorted(rows)] == list(range((2 * H - 1) * (2 * W - 1)))


@pytest.mark.parametrize("grid, stride", [((3, 3), 1), ((2, 5), 1), ((4, 4), 2), ((5, 3), 2)])
def test_absolute_offsets_are_row_and_column_distances(grid, stride):
    index = absolute_offsets(grid, stride)
    H, W = grid
    queries = [(y, x) for y in range(0, H, stride) for x in range(0, W, stride)]
    keys = [(y, x) for y in range(H) for x in range(W)]
    expected = [[abs(y - v) * W + abs(x - u) for v, u in keys] for y, x in queries]
    np.testing.assert_array_equal(index, expected)


def test_the_bias_is_the_row_of_each_pair_for_each_head(rng):
    table, index = rng.standard_normal((9, 2)), absolute_offsets((3, 3))
    bias = offset_bias(Tensor(table), index)
    assert bias.shape == (2, 9, 9)
    np.testing.assert_array_equal(bias.numpy()[1, 4, 2], table[1 * 3 + 1, 1])
    gradcheck(lambda table: offset_bias(table, index), table, rng=rng)


@pytest.mark.parity
@pytest.mark.parametrize("grid", [(4, 4), (3, 5)])
def test_signed_offsets_are_swin_s_and_maxvit_s_in_timm(grid):
    timm = import_official("timm")
    np.testing.assert_array_equal(signed_offsets(grid),
                                  timm.models.swin_transformer.get_relative_position_index(*grid).numpy())
    official = timm.layers.RelPosBiasTf(grid, num_heads=1)
    H, W = grid
    official.relative_position_bias_table.data = official.relative_position_bias_table.data.new_tensor(
        np.arange((2 * H - 1) * (2 * W - 1)).reshape(1, 2 * H - 1, 2 * W - 1))
    np.testing.assert_array_equal(signed_offsets(grid).T, official.get_bias()[0].detach().numpy())


@pytest.mark.parity
def test_absolute_offsets_are_levit_s_in_timm():
    timm = import_official("timm")
    levit = timm.models.levit
    np.testing.assert_array_equal(absolute_offsets((3, 5)),
                                  levit.Attention(8, 4, 2, resolution=(3, 5)).attention_bias_idxs.numpy())
    for grid in [(4, 4), (7, 7), (5, 6)]:
        official = levit.AttentionDownsample(8, 8, 4, 2, resolution=grid, stride=2)
        np.testing.assert_array_equal(absolute_offsets(grid, 2), official.attention_bias_idxs.numpy())
