"""LeViT: its biases, its shrinking attention and its inference form; equality with the official code is elsewhere."""

import numpy as np
import pytest

from minivit.models.levit import Attention, DistilledLeViT, LeViT, ShrinkingAttention
from minivit.ops import hardswish
from tests.models.drawn import assert_folds_whole, drawn

SIZES = dict(image_size=(64, 48), num_classes=5, dims=(16, 24, 32), depths=(1, 2, 1), heads=(2, 3, 1), key_dim=8)


@pytest.mark.parametrize("shrinks", [False, True])
def test_attention_one_query_after_the_other(shrinks, rng):
    """Slowly: scores with every key, the number of |dy|, |dx| added, softmax, the mean of the values."""
    H, W, d = 3, 5, 4
    settings = dict(key_dim=d, grid=(H, W), activation=hardswish)
    layer = drawn(ShrinkingAttention(8, 6, **settings) if shrinks else Attention(8, 2, **settings), rng)
    x = rng.standard_normal((1, H, W, 8))
    stride, table = 1 + shrinks, layer.bias_table.numpy()
    q, k, v = (part.numpy()[0] for part in layer.queries_keys_values(x))
    found = np.zeros((*(-(-n // stride) for n in (H, W)), 2, v.shape[-1]))
    for head in range(2):
        for number, (row, column) in enumerate((y, x) for y in range(0, H, stride) for x in range(0, W, stride)):
            scores = [k[head, y * W + x] @ q[head, number] / d ** 0.5 + table[abs(row - y) * W + abs(column - x), head]
                      for y in range(H) for x in range(W)]
            found[row // stride, column // stride, head] = np.exp(scores) @ v[head] / np.exp(scores).sum()
    expected = layer.proj(hardswish(found.reshape(1, *found.shape[:2], -1))).numpy()
    np.testing.assert_allclose(layer(x).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(layer.weights(x).numpy().sum(-1), 1)


@pytest.mark.parametrize("make", [LeViT, DistilledLeViT])
def test_the_inference_form_has_no_norms_and_computes_the_same(make, rng):
    model, images = make(**SIZES), rng.standard_normal((2, 64, 48, 3))
    assert_folds_whole(model, images, rng)


def test_a_mirrored_picture_has_mirrored_attention(rng):
    """The bias knows no direction: left and right share one number."""
    layer = drawn(Attention(8, 2, key_dim=4, grid=(4, 6), activation=hardswish), rng)
    x = rng.standard_normal((1, 4, 6, 8))
    np.testing.assert_allclose(layer(x[:, :, ::-1]).numpy(), layer(x).numpy()[:, :, ::-1], rtol=1e-11)


def test_pictures_may_be_smaller_but_not_larger(rng):
    model = LeViT(**SIZES)
    assert model(rng.standard_normal((2, 40, 33, 3), np.float32)).shape == (2, 5)
    with pytest.raises(ValueError, match=r"a map of 4 x 4 tokens is larger than the 4 x 3 .* image_size"):
        model(rng.standard_normal((2, 64, 64, 3), np.float32))
    with pytest.raises(ValueError, match="width 16 is not divisible by keys of 5"):
        LeViT(**SIZES | dict(key_dim=5))
    with pytest.raises(ValueError, match="one number for each stage"):
        LeViT(**SIZES | dict(heads=(1, 2)))
