"""Stand-alone attention against loops straight from the paper's formulas."""

import math

import numpy as np
import pytest

from minivit.models.resnet import ResNetCIFAR
from minivit.models.stand_alone import (AttentionBottleneck, AttentionStem, FullAttentionNetwork, LocalAttention,
                                        SmallBottleneck)
from tests.slopes import assert_gradients_are_slopes

LAYERS = [((5, 6), dict(window=3)), ((4, 6), dict(window=5, stride=2)), ((3, 5), dict(window=3, stride=2)),
          ((2, 3), dict(window=7))]


def drawn(module):
    """In float64 with weights none of which is special."""
    module, rng = module.astype(np.float64), np.random.default_rng(7)
    for _, x in module.named_parameters():
        x.data = rng.standard_normal(x.shape) / math.sqrt(x.shape[0])
    return module


def softmax(scores):
    shares = np.exp(np.array(scores))
    return shares / shares.sum()


def slow_place(p, image, y, x, heads, window):
    """One place looks at its window (eq. 3); what lies outside the map is 0."""
    (H, W, C), reach, d, made = image.shape, window // 2, image.shape[2] // heads, []
    for head in range(heads):
        part, scores, values = slice(head * d, (head + 1) * d), [], []
        query = (image[y, x] @ p["query.weight"])[part]
        for a in range(y - reach, y + reach + 1):
            for b in range(x - reach, x + reach + 1):
                pixel = image[a, b] if 0 <= a < H and 0 <= b < W else np.zeros(C)
                r = np.concatenate([p["rows"][a - y + reach, head], p["columns"][b - x + reach, head]])
                scores.append(query @ (pixel @ p["key_value.weight"][:, :C])[part] + query @ r)
                values.append((pixel @ p["key_value.weight"][:, C:])[part])
        made.extend(softmax(scores) @ values)
    return made


def slow_layer(p, images, *, heads, window, stride=1):
    """Every place of every picture, then the means of stride x stride places, of fewer at the border."""
    made = np.array([[[slow_place(p, image, y, x, heads, window) for x in range(image.shape[1])]
                      for y in range(image.shape[0])] for image in images])
    return np.array([[[image[y:y + stride, x:x + stride].mean(axis=(0, 1)) for x in range(0, image.shape[1], stride)]
                      for y in range(0, image.shape[0], stride)] for image in made])


def slow_stem(p, images, *, heads, block):
    """Each pixel looks at those of its block; a value's map is mixed for its place (section 3.2)."""
    C, made = p["rows"].shape[1], np.zeros((*images.shape[:3], p["rows"].shape[1]))
    d, mixtures = C // heads, p["mixing.weight"].shape[1]
    for n, y, x, head in np.ndindex(*images.shape[:3], heads):
        image, top, left, part = images[n], y - y % block, x - x % block, slice(head * d, (head + 1) * d)
        query, scores, values = (image[y, x] @ p["query_key.weight"][:, :C])[part], [], []
        for a, b in np.ndindex(block, block):
            pixel = image[top + a, left + b]
            shares = softmax((p["rows"][a] + p["columns"][b]) @ p["mixing.weight"])
            scores.append(query @ (pixel @ p["query_key.weight"][:, C:])[part])
            mixed = sum(shares[m] * p["values.weight"][:, m * C:(m + 1) * C] for m in range(mixtures))
            values.append((pixel @ mixed)[part])
        made[n, y, x, part] = softmax(scores) @ values
    return made


@pytest.mark.parametrize("grid, settings", LAYERS)
def test_local_attention_is_the_papers_formula(grid, settings, rng):
    """Also with a window larger than the map, and with a stride on an odd one."""
    layer, x = drawn(LocalAttention(8, 2, **settings)), rng.standard_normal((2, *grid, 8))
    expected = slow_layer(layer.state_dict(), x, heads=2, **settings)
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-12 * np.abs(expected).max())
    single = layer.astype(np.float32)(x.astype(np.float32)).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-4 * np.abs(expected).max())


def test_gradients_of_local_attention_are_the_slopes_of_the_formula(rng):
    layer, x = drawn(LocalAttention(8, 2, window=3, stride=2)), rng.standard_normal((2, 3, 4, 8))
    assert_gradients_are_slopes(layer, lambda p, images: slow_layer(p, images, heads=2, window=3, stride=2), x, rng)


def test_the_stem_is_the_papers_formula_and_its_gradients_the_slopes(rng):
    stem, x = drawn(AttentionStem(3, 8, 2, block=2, mixtures=3)), rng.standard_normal((2, 4, 6, 3))
    expected = slow_stem(stem.state_dict(), x, heads=2, block=2)
    np.testing.assert_allclose(stem(x).numpy(), expected, atol=1e-12 * np.abs(expected).max())
    assert_gradients_are_slopes(stem, lambda p, images: slow_stem(p, images, heads=2, block=2), x, rng)


def test_weights_are_what_is_taken_of_the_window(rng):
    layer, x = drawn(LocalAttention(8, 2, window=3)), rng.standard_normal((2, 4, 5, 8))
    weights, (*_, v) = layer.weights(x).numpy(), layer.parts(x)
    assert weights.shape == (2, 2, 20, 9)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    v = v.numpy().reshape(2, 20, 2, 9, 4)                                            # (B, N, h, K K, d)
    made = np.einsum("bhnk,bnhkd->bnhd", weights, v).reshape(2, 4, 5, 8)
    np.testing.assert_allclose(layer(x).numpy(), made, atol=1e-12)


def test_a_head_that_asks_for_one_offset_moves_the_picture(rng):
    """What a convolution does, with queries that are the same everywhere: here one row down, two columns right."""
    layer, x = drawn(LocalAttention(4, 1, window=5)), rng.standard_normal((1, 6, 7, 4))
    x[..., 0] = 1.0
    state = {name: np.zeros(p.shape) for name, p in layer.named_parameters()}
    state["query.weight"][0] = 100.0
    state["rows"][2 + 1, 0] = state["columns"][2 + 2, 0] = 1.0
    state["key_value.weight"][:, 4:] = np.eye(4)
    layer.load_state_dict(state)
    np.testing.assert_allclose(layer(x).numpy()[0, :-1, :-2], x[0, 1:, 2:], atol=1e-12)
    np.testing.assert_allclose(layer(x).numpy()[0, -1], 0, atol=1e-12)               # there is nothing below


def test_a_network_is_a_resnet_without_three_by_three_convolutions():
    model = ResNetCIFAR(AttentionBottleneck, (1, 1), width=16)
    kernels = {name: p.shape[:2] for name, p in model.named_parameters() if p.ndim == 4}
    assert {name for name, kernel in kernels.items() if kernel != (1, 1)} == {"stem.weight"}
    assert [x.shape for x in model.features(np.zeros((1, 9, 7, 3), np.float32))] == [(1, 9, 7, 64), (1, 5, 4, 128)]


def test_a_full_network_reads_blocks_of_pixels_and_refuses_others():
    model = FullAttentionNetwork(SmallBottleneck, (1, 1), width=16, num_classes=5)
    assert [x.shape for x in model.features(np.zeros((1, 12, 20, 3), np.float32))] == [(1, 3, 5, 64), (1, 2, 3, 128)]
    with pytest.raises(ValueError, match="images: 14 x 20 pixels do not divide into blocks of 4 x 4"):
        model(np.zeros((1, 14, 20, 3), np.float32))


def test_widths_and_windows_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="expected a width that 2 x 4 heads divide and an odd window, got 12 and 3"):
        LocalAttention(12, 4, window=3)
    with pytest.raises(ValueError, match="got 16 and 4"):
        LocalAttention(16, 4, window=4)
