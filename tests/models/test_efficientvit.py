"""EfficientViT: the cascade of heads, windows, and the inference form; equality with the official code is elsewhere."""

import numpy as np
import pytest

from minivit.models.efficientvit import CascadedGroupAttention, EfficientViT, WindowedAttention
from tests.models.drawn import assert_folds_whole, drawn

SIZES = dict(image_size=(96, 64), num_classes=5, dims=(16, 24), depths=(1, 2), heads=(2, 3), key_dim=4, window=3)


def test_each_head_adds_what_the_one_before_found(rng):
    """Slowly, head by head and query by query; the biases are numbers of |dy|, |dx|."""
    M, d = 3, 4
    layer = drawn(CascadedGroupAttention(9, 3, key_dim=d, size=M, kernels=(5, 3, 3)), rng)
    x, table = rng.standard_normal((1, M, M, 9)), layer.bias_table.numpy()
    places, found, before = [(y, x) for y in range(M) for x in range(M)], [], 0
    for head in range(3):
        qkv = layer.qkv[head](x[..., 3 * head:3 * head + 3] + before).numpy()
        q, k, v = layer.depthwise[head](qkv[..., :d]).numpy()[0], qkv[0, ..., d:2 * d], qkv[0, ..., 2 * d:]
        before = np.zeros((1, M, M, 3))
        for row, column in places:
            scores = np.exp([q[row, column] @ k[y, x] / d ** 0.5 + table[abs(row - y) * M + abs(column - x), head]
                             for y, x in places])
            before[0, row, column] = scores @ v.reshape(M * M, 3) / scores.sum()
        found.append(before)
    expected = layer.proj(np.maximum(np.concatenate(found, axis=-1), 0)).numpy()
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-11)
    np.testing.assert_allclose(layer.weights(x).numpy().sum(-1), np.ones((1, 3, M * M)))


def test_windows_are_padded_with_zeros_that_are_attended_to(rng):
    layer, x = drawn(WindowedAttention(6, 2, size=3, key_dim=4, kernels=(3, 3)), rng), rng.standard_normal((2, 4, 3, 6))
    rest = np.concatenate([x[:, 3:], np.zeros((2, 2, 3, 6))], axis=1)
    expected = np.concatenate([layer.attention(x[:, :3]).numpy(), layer.attention(rest).numpy()[:, :1]], axis=1)
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)


def test_the_inference_form_has_no_norms_and_computes_the_same(rng):
    model, images = EfficientViT(**SIZES), rng.standard_normal((2, 90, 75, 3))
    assert_folds_whole(model, images, rng)


def test_pictures_of_any_size_and_what_does_not_fit(rng):
    model = EfficientViT(**SIZES)
    assert [stage.blocks[0][2].branch.size for stage in model.stages] == [3, 2]
    assert [model(rng.standard_normal((2, *pixels, 3), np.float32)).shape for pixels in ((20, 33), (150, 100))] == [
        (2, 5)] * 2
    for changed, message in [
            (dict(heads=(2, 5)), "width 24 is not divisible by 5 heads"),
            (dict(kernels=(3, 3)), "one for each of 3 heads"), (dict(image_size=15), "at least 16 pixels"),
            (dict(depths=(1,)), "one number for each stage")]:
        with pytest.raises(ValueError, match=message):
            EfficientViT(**SIZES | changed)
