"""BEiT's ideas, one by one."""

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.models.beit import QKV, BEiT, PositionBias, offsets

SMALL = dict(image_size=16, patch_size=4, num_classes=5, dim=12, depth=2, heads=3)


@pytest.mark.parametrize("grid", [(3, 2), (1, 4)])
def test_a_bias_depends_on_the_way_alone_and_the_class_token_has_three_of_its_own(grid, rng):
    """Pair by pair: the place of the query less that of the key."""
    H, W = grid
    bias = PositionBias(grid, 2).astype(np.float64)
    bias.table.data = rng.standard_normal(bias.table.shape)
    table = bias.table.data[:-3].reshape(2 * H - 1, 2 * W - 1, 2)
    found = bias(grid).numpy()
    for q in range(H * W):
        for k in range(H * W):
            way = q // W - k // W + H - 1, q % W - k % W + W - 1
            np.testing.assert_array_equal(found[:, 1 + q, 1 + k], table[way])
    to_patches, from_patches, itself = bias.table.data[-3:]
    np.testing.assert_array_equal(found[:, 0, 1:], np.tile(to_patches[:, None], H * W))
    np.testing.assert_array_equal(found[:, 1:, 0], np.tile(from_patches[:, None], H * W))
    np.testing.assert_array_equal(found[:, 0, 0], itself)


def test_for_another_grid_the_table_is_stretched_and_what_is_the_class_tokens_stays(rng):
    bias = PositionBias((3, 3), 1).astype(np.float64)
    y, x = np.mgrid[:5, :5]
    bias.table.data = np.append(2 * y + x, [7, 8, 9]).reshape(-1, 1).astype(float)
    stretched = bias.stretched((5, 3)).numpy()[:, 0]
    grid = stretched[:-3].reshape(9, 5)
    np.testing.assert_allclose(grid[2:7, 2] - grid[1:6, 2], 2 * 5 / 9)    # a plane stays one but at its ends
    np.testing.assert_array_equal(stretched[-3:], [7, 8, 9])
    assert bias((5, 3)).shape == (1, 16, 16)
    assert offsets((5, 3)).max() == len(stretched) - 1


def test_keys_have_no_bias(rng):
    layer, x = QKV(4).initialise(0).astype(np.float64), rng.standard_normal((2, 3, 4))
    layer.query_bias.data, layer.value_bias.data = rng.standard_normal((2, 4))
    expected = x @ layer.weight.data + np.concatenate([layer.query_bias.data, np.zeros(4), layer.value_bias.data])
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-12)


def test_later_branches_begin_smaller():
    model = BEiT(**SMALL | dict(dim=96)).initialise(0)
    for part in ("attention.proj", "mlp.linear2"):
        first, second = (dict(model.named_parameters())[f"blocks.{block}.{part}.weight"].numpy().std()
                         for block in (0, 1))
        assert first / second == pytest.approx(np.sqrt(2), rel=0.05)


def test_the_head_reads_the_mean_of_the_patches_and_masked_prediction_each_of_them(rng):
    model, images = BEiT(**SMALL).initialise(1).eval(), rng.standard_normal((2, 16, 16, 3), np.float32)
    grid = model.features(images)[0]
    expected = model.head(model.norm(grid.mean(axis=(1, 2))))
    np.testing.assert_allclose(model(images).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)
    encoded = model.encoded(model.patches(images)).numpy()
    np.testing.assert_allclose(encoded, model.norm(grid).numpy(), rtol=1e-5, atol=1e-6)  # one more row in the products


def test_it_shows_where_it_looks(rng):
    from minivit.viz import attention_maps
    maps = attention_maps(minivit.create("beit"), rng.standard_normal((1, 32, 32, 3), np.float32))
    assert [weights.shape for weights in maps] == [(1, 4, 65, 65)] * 6
    np.testing.assert_allclose(maps[0].sum(axis=-1), 1, rtol=1e-5)


def test_pictures_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="image_size: 18 x 16 pixels do not divide into patches of 4 x 4"):
        BEiT(**SMALL | dict(image_size=(18, 16)))
    with pytest.raises(ValueError, match="18 x 16 pixels do not divide into patches of 4 x 4"):
        BEiT(**SMALL)(np.zeros((1, 18, 16, 3), np.float32))
