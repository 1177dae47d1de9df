"""PVT, PVT v2 and Twins: their tiles, windows and maps; equality with the official code is in tests/families."""

import numpy as np
import pytest

from minivit import Tensor, nn
from minivit.models import pvt, pvt_v2, twins
from minivit.nn import Identity, patchify

PYRAMID = dict(num_classes=5, dims=(8, 16, 20, 24), depths=(1, 2, 1, 1), heads=(1, 2, 5, 3))
MODELS = [pvt.PVT, pvt_v2.PVTv2, pvt_v2.PVTv2Linear, twins.TwinsPCPVT, twins.TwinsSVT]


def in_double(module):
    """The same in float64, with random numbers everywhere."""
    rng = np.random.default_rng(3)
    for parameter in module.astype(np.float64).parameters():
        parameter.data = 0.3 * rng.standard_normal(parameter.shape)
    return module


@pytest.mark.parametrize("grid", [(8, 12), (9, 13)])
def test_a_reduction_is_a_linear_map_of_tiles(grid, rng):
    """No convolution is meant: its kernel never sees two tiles. What fills no tile is left out."""
    reduction, x = in_double(pvt.SpatialReduction(6, 4)), rng.standard_normal((2, *grid, 6))
    tiles = patchify(Tensor(x[:, :8, :12]), 4)                                          # (2, 6, 96)
    weight, bias = reduction.conv.weight.numpy().reshape(96, 6), reduction.conv.bias.numpy()
    expected = reduction.norm(tiles.numpy() @ weight + bias).numpy()
    np.testing.assert_allclose(reduction(x).numpy().reshape(2, 6, 6), expected, rtol=1e-12)


def test_a_tile_joins_neighbours_in_both_directions():
    """The first of a 4 x 4 map joins tokens 0, 1, 4 and 5, not the first four of the row."""
    tokens = np.arange(16.0).reshape(1, 4, 4, 1)
    reduction = pvt.SpatialReduction(1, 2).astype(np.float64)
    weight = 100.0 ** np.arange(4).reshape(2, 2, 1, 1)
    reduction.conv.load_state_dict({"weight": weight, "bias": np.zeros(1)})
    assert reduction.conv(tokens).numpy().ravel()[0] == 5_040_100
    assert isinstance(pvt.SpatialReduction(1, 1), Identity)


def test_every_token_attends_to_every_tile(rng):
    """Slowly: one query after the other, its scores with the tiles, their mean."""
    dim, heads = 6, 2
    attention = in_double(pvt.SpatialReductionAttention(dim, heads, pvt.SpatialReduction(dim, 2)))
    x = rng.standard_normal((1, 4, 6, dim))
    tiles = attention.reduction(x).numpy().reshape(-1, dim)
    made = np.zeros_like(x)
    for place in np.ndindex(4, 6):
        query, (keys, values) = attention.query(x[0][place]).numpy(), np.split(attention.key_value(tiles).numpy(), 2, 1)
        for head in (slice(0, 3), slice(3, 6)):
            scores = np.exp(keys[:, head] @ query[head] / 3 ** 0.5)
            made[0][place][head] = scores @ values[:, head] / scores.sum()
    np.testing.assert_allclose(attention(x).numpy(), attention.proj(made).numpy(), rtol=1e-12, atol=1e-13)
    weights = attention.weights(Tensor(x)).numpy()
    assert weights.shape == (1, 2, 24, 6)
    np.testing.assert_allclose(weights.sum(-1), 1)


@pytest.mark.parametrize("pixels", [(32, 32), (64, 48), (50, 90)])
def test_the_linear_form_has_as_many_keys_for_every_picture(pixels, rng):
    model, images = pvt_v2.PVTv2Linear(**PYRAMID, pool=3), rng.standard_normal((2, *pixels, 3), np.float32)
    for stage, x in zip(model.stages[1:], model.features(images), strict=False):
        grid = stage.embed(x)
        block = stage.blocks[0]
        assert block.attention.weights(block.norm1(grid)).shape[-2:] == (grid.shape[1] * grid.shape[2], 9)


def seen_by_first_token(block, rng):
    """Which places of an 8 x 8 map change what a block makes of the first."""
    x = Tensor(rng.standard_normal((1, 8, 8, 8)), requires_grad=True)
    (in_double(block)(x)[0, 0, 0] ** 2).sum().backward()
    return np.abs(x.grad[0]).max(-1) > 0


def test_windows_see_details_and_tiles_see_everything(rng):
    stage = twins.TwinsSVT(**PYRAMID | dict(dims=(8, 8, 8, 8), heads=(2, 2, 2, 2)), window=4).stages[1]
    window, tiles = (seen_by_first_token(block, rng) for block in stage.blocks)
    assert window[:4, :4].all()
    assert window.sum() == 16
    assert tiles.all()


def test_positions_come_behind_the_first_block_of_each_stage(rng):
    stage = twins.TwinsPCPVT(**PYRAMID).stages[1]
    x = rng.standard_normal((1, 16, 12, 8), np.float32)
    expected = stage.blocks[1](stage.positions(stage.blocks[0](stage.embed(x))))
    np.testing.assert_array_equal(stage(x).numpy(), expected.numpy())


def test_tokens_at_the_border_attend_to_the_zeros_around_it(rng):
    attention = in_double(twins.LocallyGroupedAttention(4, 2, window=4))
    x = rng.standard_normal((2, 5, 7, 4))
    padded = np.pad(x, ((0, 0), (0, 3), (0, 1), (0, 0)))
    np.testing.assert_allclose(attention(x).numpy(), attention(padded).numpy()[:, :5, :7], rtol=1e-13)
    assert attention.weights(x).shape == (8, 2, 16, 16)


def test_the_class_token_is_read_and_is_in_no_map(rng):
    model, images = pvt.PVT(image_size=64, **PYRAMID).initialise(1), rng.standard_normal((2, 64, 64, 3), np.float32)
    *maps, (last, token) = nn.in_turn(model.stages, images)
    assert token.shape == (2, 24)
    np.testing.assert_array_equal(model(images).numpy(), model.head(model.norm(token)).numpy())
    assert [x.shape for x in [*maps, last]] == [(2, 16, 16, 8), (2, 8, 8, 16), (2, 4, 4, 20), (2, 2, 2, 24)]


@pytest.mark.parametrize("make, grids", [
    (pvt.PVT, [(13, 17), (6, 8), (3, 4), (1, 2)]), (twins.TwinsSVT, [(13, 17), (6, 8), (3, 4), (1, 2)]),
    (pvt_v2.PVTv2, [(14, 18), (7, 9), (4, 5), (2, 3)]), (pvt_v2.PVTv2Linear, [(14, 18), (7, 9), (4, 5), (2, 3)])])
def test_maps_of_uneven_pictures(make, grids, rng):
    """Patches side by side leave out what is too little for one; overlapping ones reach over the border."""
    settings = {} if make is pvt_v2.PVTv2Linear else dict(reductions=(4, 2, 1, 1))
    model, images = make(**PYRAMID, **settings), rng.standard_normal((1, 55, 70, 3), np.float32)
    assert [x.shape for x in model.features(images)] == [
        (1, *grid, dim) for grid, dim in zip(grids, PYRAMID["dims"], strict=True)]
    assert model(images).shape == (1, 5)


@pytest.mark.parametrize("make", [twins.TwinsPCPVT, twins.TwinsSVT])
def test_the_skip_of_positions_is_folded_into_their_kernel(make, rng):
    model, images = in_double(make(**PYRAMID)).eval(), rng.standard_normal((1, 64, 64, 3))
    folded = nn.fold(model)
    assert not [module for module in folded.modules() if isinstance(module, nn.ConvPositions)]
    expected = model(images).numpy()
    np.testing.assert_allclose(folded(images).numpy(), expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("make", MODELS)
def test_settings_that_do_not_fit_are_named(make):
    with pytest.raises(ValueError, match=r"one value for each stage, got dims \(8, 16, 20, 24\), .* heads \(1, 2\)"):
        make(**PYRAMID | dict(heads=(1, 2)))
    with pytest.raises(ValueError, match="width 24 is not divisible by 5 heads"):
        make(**PYRAMID | dict(heads=(1, 2, 5, 5)))


def test_no_tile_can_hold_the_class_token():
    with pytest.raises(ValueError, match=r"reductions: expected 1 in the last stage, .* got \(4, 2, 1, 2\)"):
        pvt.PVT(**PYRAMID, reductions=(4, 2, 1, 2))
