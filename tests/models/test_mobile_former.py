"""Mobile-Former's ideas, one by one; equality with the authors' code is in tests/families."""

import numpy as np
import pytest

import minivit
from minivit.models.mobile_former import (DynamicReLU, Former, LiteBottleneck, MobileFormer, ToPixels, ToTokens,
                                          shuffled)
from minivit.nn import by_head
from minivit.ops import gelu, softmax
from tests.models.drawn import assert_folds, drawn, norms

SIZES = dict(num_classes=5, stem=(8, 2), lite=(8, 1, 2), blocks=((12, 2, 3), (12, 1, 2)), tokens=3, dim=8, hidden=12)


def half(scores, values, head):
    """What one of two heads finds, as columns of zeros but for its own.    (N, C), (M, C) -> (N, C)"""
    own = np.arange(values.shape[1]) // (values.shape[1] // 2) == head
    return softmax(scores / (own.sum() ** 0.5)).numpy() @ (values * own)


def test_a_head_owns_channels_and_not_tokens():
    """Two tokens 1 2 3 4 and 5 6 7 8: a view without transposing would give the first head 1 2 and 3 4."""
    tokens = np.arange(1, 9).reshape(1, 2, 4)
    np.testing.assert_array_equal(by_head(tokens, 2)[0], [[[1, 2], [5, 6]], [[3, 4], [7, 8]]])


def test_tokens_read_pixels_as_they_are(rng):
    bridge, tokens, x = drawn(ToTokens(6, 4), rng), rng.standard_normal((1, 3, 6)), rng.standard_normal((1, 2, 5, 4))
    q, pixels = bridge.query(tokens).numpy()[0], x.reshape(10, 4)
    found = sum(half(q[:, own] @ pixels[:, own].T, pixels, head) for head, own in enumerate((slice(0, 2), slice(2, 4))))
    gate = np.clip(bridge.gate(tokens).numpy()[0] + 3, 0, 6) / 6 * 2
    expected = bridge.norm(tokens + bridge.proj(found * gate).numpy()).numpy()
    np.testing.assert_allclose(bridge(tokens, x).numpy(), expected, rtol=1e-10)
    assert bridge.weights(tokens, x).shape == (1, 2, 3, 10)
    np.testing.assert_allclose(bridge.weights(tokens, x).numpy().sum(-1), 1)


def test_pixels_read_tokens_that_are_projected(rng):
    bridge, tokens, x = drawn(ToPixels(6, 4), rng), rng.standard_normal((1, 3, 6)), rng.standard_normal((1, 2, 5, 4))
    k, v, pixels = bridge.key(tokens).numpy()[0], bridge.value(tokens).numpy()[0], x.reshape(10, 4)
    found = sum(half(pixels[:, own] @ k[:, own].T, v, head) for head, own in enumerate((slice(0, 2), slice(2, 4))))
    np.testing.assert_allclose(bridge(x, tokens).numpy().reshape(10, 4), pixels + found, rtol=1e-10)
    assert bridge.weights(x, tokens).shape == (1, 2, 10, 3)
    assert not [name for name, p in bridge.named_parameters() if p.shape == (4, 4)]  # nothing that maps pixels


def test_norms_of_the_former_stand_behind(rng):
    former, tokens = drawn(Former(4, heads=2), rng), rng.standard_normal((1, 3, 4))
    q, t = former.query(tokens).numpy()[0], tokens[0]
    found = sum(half(q[:, own] @ t[:, own].T, t, head) for head, own in enumerate((slice(0, 2), slice(2, 4))))
    y = former.norm1(tokens + former.proj(found).numpy()).numpy()
    hidden = gelu(former.mlp.linear1(y))
    np.testing.assert_allclose(former(tokens).numpy(), former.norm2(y + former.mlp.linear2(hidden).numpy()).numpy(),
                               rtol=1e-10)


def test_the_token_chooses_two_slopes_for_each_channel(rng):
    activation, x = drawn(DynamicReLU(8, 3), rng), rng.standard_normal((2, 4, 5, 3))
    token = rng.standard_normal((2, 8))
    a = np.clip(activation.linear2(np.maximum(activation.linear1(token).numpy(), 0)).numpy() + 3, 0, 6) / 6    # (2, 6)
    first, second = 2 * a[:, None, None, :3], 2 * a[:, None, None, 3:] - 1
    np.testing.assert_allclose(activation(x, token).numpy(), np.maximum(first * x, second * x), rtol=1e-12)
    activation.linear2.bias.data = np.repeat([0.0, 0.0], 3)
    activation.linear2.weight.data = np.zeros((2, 6))
    np.testing.assert_array_equal(activation(x, token).numpy(), np.maximum(x, 0))  # a half, and a half: ReLU


def test_channels_are_dealt_out_to_the_groups_in_turn():
    np.testing.assert_array_equal(shuffled(np.arange(6).reshape(1, 1, 1, 6), 2).ravel(), [0, 3, 1, 4, 2, 5])


@pytest.mark.parametrize("groups", [1, 4])
def test_the_inference_form_computes_the_same(rng, groups):
    assert not norms(assert_folds(MobileFormer(**SIZES, groups=groups), rng.standard_normal((2, 37, 50, 3)), rng))


def test_the_first_block_passes_tokens_on_and_adds_where_shapes_agree(rng):
    tokens, x = rng.standard_normal((1, 3, 8)), rng.standard_normal((1, 6, 6, 4))
    for outputs, stride, is_residual in [(4, 1, True), (4, 2, False), (8, 1, False)]:
        block = drawn(LiteBottleneck(4, outputs, stride=stride, expansion=2, groups=1), rng)
        made, passed = block(x, tokens)
        assert passed is tokens
        np.testing.assert_allclose(made.numpy() - block.project(block.depthwise(x)).numpy(), x if is_residual else 0,
                                   atol=1e-12)


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"blocks: expected .* with stride 1 or 2, got \(\(8, 3, 2\),\)"):
        MobileFormer(**SIZES | dict(blocks=((8, 3, 2),)))
    with pytest.raises(ValueError, match="width 10 is not divisible by 4 heads"):
        minivit.create("mobile_former", "cifar", dim=10)
    with pytest.raises(ValueError, match="7 channels are not divisible by 2 heads"):
        MobileFormer(**SIZES | dict(lite=(7, 1, 2)))
