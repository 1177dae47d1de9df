"""MobileViT's ideas, one by one; equality with the official code is in tests/families."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad, nn
from minivit.models.maxvit import grid_partition
from minivit.models.mobilevit import MobileViT, MobileViTBlock, folded, multiple_of_8, unfolded
from minivit.ops import silu
from tests.models.drawn import assert_folds, drawn, norms

SIZES = dict(num_classes=5, stem=(8, 2), convs=((8, 1, 1),), blocks=((12, 2, 16, 1), (16, 2, 20, 2)), expansion=2)
BLOCK = dict(patch_size=2, mlp_ratio=2, eps=1e-5, activation=silu)


def test_unfolding_puts_every_second_pixel_of_every_second_row_in_a_row():
    places = np.arange(64).reshape(1, 8, 8, 1)
    rows = unfolded(places, 2)
    assert rows.shape == (4, 16, 1)
    np.testing.assert_array_equal(rows[0, :8, 0], [0, 2, 4, 6, 16, 18, 20, 22])
    np.testing.assert_array_equal(rows[3, :4, 0], [9, 11, 13, 15])
    np.testing.assert_array_equal(rows, grid_partition(places, 4))  # MaxViT's groups of G x G with G = H / P
    np.testing.assert_array_equal(folded(rows, 2, (8, 8)), places)


@pytest.mark.parametrize("grid, size", [((6, 4), 2), ((6, 9), 3), ((4, 8), 4)])
def test_folding_undoes_unfolding(rng, grid, size):
    x = rng.standard_normal((3, *grid, 5))
    np.testing.assert_array_equal(folded(unfolded(x, size), size, grid), x)


def test_the_transformer_sees_a_quarter_of_the_grid_and_the_block_all_of_it(rng):
    block = drawn(MobileViTBlock(4, 8, 1, 2, **BLOCK), rng)
    x = rng.standard_normal((1, 8, 8, 8))
    for look, inputs, seen in [(block.look, x, np.add.outer(*2 * [np.arange(8) % 2]) == 0), (block, x[..., :4], True)]:
        pixels = Tensor(inputs, requires_grad=True)
        gradient, = grad(look(pixels)[0, 2, 4].sum(), [pixels])
        np.testing.assert_array_equal(np.abs(gradient[0]).max(-1) > 0, np.broadcast_to(seen, (8, 8)))


def test_a_grid_that_does_not_divide_is_stretched_and_stretched_back(rng):
    """Without a Transformer and its norm, what comes back is the picture, blurred by both."""
    block = MobileViTBlock(4, 4, 0, 1, **BLOCK)
    block.norm = nn.Identity()
    ramp = np.broadcast_to(np.arange(5.0)[:, None, None], (1, 5, 7, 4))
    made = block.look(Tensor(ramp)).numpy()
    assert made.shape == ramp.shape
    np.testing.assert_allclose(made[0, 1:-1], ramp[0, 1:-1], atol=1e-12)  # a ramp stays one, but for its ends


def test_channels_inside_are_multiples_of_8():
    assert [multiple_of_8(channels) for channels in (3, 8, 11, 12, 20, 35, 36, 44, 64)] == [
        8, 8, 16, 16, 24, 32, 40, 48, 64]


def test_the_inference_form_computes_the_same(rng):
    assert not norms(assert_folds(MobileViT(**SIZES), rng.standard_normal((2, 37, 50, 3)), rng))


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="width 48 is not divisible by 5 heads"):
        minivit.create("mobilevit", "cifar", heads=5)
