"""XCiT's ideas, one by one; equality with the official code is in tests/families."""

import numpy as np
import pytest

import minivit
from minivit import nn
from minivit.models.xcit import ClassBlock, CrossCovarianceAttention, NanoClassBlock, XCiT, waves
from tests.models.drawn import assert_folds, drawn, norms

SMALL = dict(image_size=16, patch_size=4, num_classes=5, dim=12, depth=2, heads=3)


def test_channels_look_at_channels_by_the_cosine_of_the_angle_between_them(rng):
    """Slowly, one pair of channels of a head after the other (eq. 2)."""
    attention, x = drawn(CrossCovarianceAttention(6, 2), rng), rng.standard_normal((1, 3, 4, 6))
    q, k, v = np.split(attention.qkv(x).numpy().reshape(12, 18), 3, axis=-1)    # 3 (N, D)
    found = np.zeros((12, 6))
    for head, temperature in enumerate(attention.temperature.data.ravel()):
        for i in range(3 * head, 3 * head + 3):
            scores = {j: temperature * (q[:, i] @ k[:, j]) / np.sqrt((q[:, i] @ q[:, i]) * (k[:, j] @ k[:, j]))
                      for j in range(3 * head, 3 * head + 3)}
            total = sum(np.exp(score) for score in scores.values())
            found[:, i] = sum(np.exp(score) / total * v[:, j] for j, score in scores.items())
            np.testing.assert_allclose(attention.weights(x).numpy()[0, head, i % 3],
                                       [np.exp(score) / total for score in scores.values()], rtol=1e-12)
    np.testing.assert_allclose(attention(x).numpy().reshape(12, 6), attention.proj(found).numpy(), rtol=1e-12)


def test_the_cost_grows_with_the_tokens_and_not_with_their_square():
    from minivit.counting import count
    attention = CrossCovarianceAttention(24, 3)
    small, large = (count(attention, (1, side, side, 24)).multiply_adds for side in (8, 16))
    assert large == 4 * small


def test_positions_run_from_the_first_row_to_the_last_whatever_the_picture():
    places = waves((4, 6), "float64", "cpu").numpy()[0]                        # (4, 6, 64)
    assert places.shape == (4, 6, 64)
    np.testing.assert_array_equal(places[:, 0, :32], places[:, 5, :32])        # rows first
    np.testing.assert_array_equal(places[0, :, 32:], places[3, :, 32:])
    np.testing.assert_allclose(places[1, 2, :2], [np.sin(np.pi), np.cos(np.pi)], atol=1e-5)       # half way down
    np.testing.assert_allclose(places[1, 2, 32:34], [np.sin(np.pi), np.cos(np.pi)], atol=1e-5)    # half way across
    assert len({tuple(place) for place in places.reshape(24, 64).round(6)}) == 24


@pytest.mark.parametrize("kind, norms_patches", [(ClassBlock, True), (NanoClassBlock, False)])
def test_what_class_attention_does_to_the_patches(kind, norms_patches, rng):
    block, x = drawn(kind(6, 2, mlp_dim=8, layer_scale=1.0), rng), rng.standard_normal((2, 5, 6))
    moved = x + block.norm1(x).numpy() * block.scale1.gamma.data
    patches = block.norm2(moved).numpy() if norms_patches else moved
    made = block(x).numpy()
    np.testing.assert_allclose(made[:, 1:], 2 * patches[:, 1:], rtol=1e-12)
    token = x[:, :1] + block.scale1(block.attention(block.norm1(x)[:, :1], block.norm1(x))).numpy()
    token = block.norm2(token).numpy()
    np.testing.assert_allclose(made[:, :1], token + block.scale2(block.mlp(token)).numpy(), rtol=1e-12)


def test_the_inference_form_of_the_stem_computes_the_same(rng):
    folded = assert_folds(XCiT(**SMALL), rng.standard_normal((2, 19, 16, 3)), rng)
    # behind an activation, before zeros at the border
    assert norms(folded) == ["blocks.0.local.norm", "blocks.1.local.norm"]


def test_stochastic_depth_is_the_same_in_every_block_and_absent_from_class_attention():
    model = XCiT(**SMALL, drop_path=0.3)
    assert [block.drop_path.rate for block in model.blocks] == [0.3, 0.3]
    assert not [module for module in model.class_blocks[0].modules() if isinstance(module, nn.DropPath)]


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="6 has to be a power of 2"):
        XCiT(**SMALL | dict(patch_size=6))
    with pytest.raises(ValueError, match="13 a multiple of 4 / 2"):
        XCiT(**SMALL | dict(dim=13))
    with pytest.raises(ValueError, match="width 96 is not divisible by 5 heads"):
        minivit.create("xcit", "cifar", heads=5)
    assert XCiT(**SMALL)(np.zeros((1, 9, 30, 3), np.float32)).shape == (1, 5)
