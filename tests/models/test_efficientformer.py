"""EfficientFormer: both kinds of blocks, and the inference form; equality with the official code is elsewhere."""

import numpy as np
import pytest

from minivit.models.efficientformer import Attention, ConvMlp, DistilledEfficientFormer, EfficientFormer, PoolingBlock
from tests.models.drawn import assert_folds_whole, drawn

SIZES = dict(image_size=(64, 48), num_classes=5, dims=(8, 16), depths=(1, 3), attention_blocks=2, heads=2, key_dim=4)


def test_the_pooling_branch_sees_no_norm(rng):
    """A number added to all places goes past it; the mean of neighbours leaves those outside the grid out."""
    block = drawn(PoolingBlock(3, mlp_dim=6, layer_scale=1.0), rng)
    block.scale2.gamma.data = np.zeros(3)
    x = rng.standard_normal((1, 3, 4, 3))
    np.testing.assert_allclose(block(x + 7).numpy(), block(x).numpy() + 7, rtol=1e-12)
    corner = x[0, :2, :2].mean(axis=(0, 1)) - x[0, 0, 0]
    np.testing.assert_allclose(block(x).numpy()[0, 0, 0], x[0, 0, 0] + block.scale1.gamma.numpy() * corner, rtol=1e-12)


def test_attention_one_query_after_the_other(rng):
    """Slowly: scores over the root of d, the number of |dy|, |dx| added, the mean of values four times as wide."""
    H, W, d = 2, 3, 4
    layer, x = drawn(Attention(6, 2, key_dim=d, grid=(H, W)), rng), rng.standard_normal((1, H, W, 6))
    qkv, table = layer.qkv(x).numpy().reshape(H, W, 2, 6 * d), layer.bias_table.numpy()
    found = np.zeros((H, W, 2, 4 * d))
    places = [(row, column) for row in range(H) for column in range(W)]
    for row, column, head in [(*place, head) for place in places for head in range(2)]:
        scores = np.array([qkv[row, column, head, :d] @ qkv[y, x, head, d:2 * d] / d ** 0.5
                           + table[abs(row - y) * W + abs(column - x), head] for y, x in places])
        values = np.array([qkv[y, x, head, 2 * d:] for y, x in places])
        found[row, column, head] = np.exp(scores) @ values / np.exp(scores).sum()
    expected = layer.proj(found.reshape(1, H, W, 8 * d)).numpy()
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("make", [EfficientFormer, DistilledEfficientFormer])
def test_the_inference_form_has_no_batch_norms_and_computes_the_same(make, rng):
    model, images = make(**SIZES), rng.standard_normal((2, 61, 48, 3))
    folded = assert_folds_whole(model, images, rng)
    assert [type(part) for part in folded.modules()].count(ConvMlp) == 2


def test_two_heads_make_a_pair_in_training_and_their_mean_outside(rng):
    model, images = DistilledEfficientFormer(**SIZES), rng.standard_normal((2, 64, 48, 3), np.float32)
    assert [x.shape for x in model(images)] == [(2, 5), (2, 5)]
    pooled = model.eval().pool(images)
    expected = (model.head(pooled).numpy() + model.distillation_head(pooled).numpy()) / 2
    np.testing.assert_allclose(model(images).numpy(), expected, rtol=1e-6)


def test_pictures_may_be_smaller_but_not_larger_and_what_does_not_fit_is_named(rng):
    model = EfficientFormer(**SIZES)
    assert model(rng.standard_normal((2, 40, 33, 3), np.float32)).shape == (2, 5)
    with pytest.raises(ValueError, match=r"a map of 8 x 8 tokens is larger than the 8 x 6 .* image_size"):
        model(rng.standard_normal((2, 64, 64, 3), np.float32))
    with pytest.raises(ValueError, match="expected 0 to 3, the depth of the last stage, got 4"):
        EfficientFormer(**SIZES | dict(attention_blocks=4))
    with pytest.raises(ValueError, match="one number for each stage"):
        EfficientFormer(**SIZES | dict(depths=(1, 2, 3)))
