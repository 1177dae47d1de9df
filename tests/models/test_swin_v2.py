"""Swin V2: its coordinates, its cosines, its norms, and windows that training has not seen."""

import math

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.interop.translate import config_of
from minivit.models import swin, swin_v2


def test_coordinates_are_logarithms():
    """Of a window of 8 the offsets 1, 4, 7: log2(1 + 8 x) / 3 with x = 1/7, 4/7, 1."""
    rows, columns = swin_v2.log_offsets(8, 8, np.dtype(np.float64), "cpu").numpy().reshape(15, 15, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(rows[[8, 11, 14], 3], [0.3665, 0.8260, 1.0566], atol=5e-5)
    np.testing.assert_array_equal(columns, rows.T)
    np.testing.assert_array_equal(rows, -rows[::-1])
    larger = swin_v2.log_offsets(16, 8, np.dtype(np.float64), "cpu").numpy().reshape(31, 31, 2)
    assert larger[30, 0, 0] == pytest.approx(1.394, abs=5e-4)  # offset 15, where 7 is 1


def by_hand(attention, x):
    """Equations 2 to 4, pair by pair.    (n, C) -> (h, n, n) probabilities"""
    n, C = x.shape
    M, h, d = math.isqrt(n), attention.heads, C // attention.heads
    q, k, _ = np.split(x @ attention.qkv.weight.numpy(), 3, axis=1)
    q = q + attention.query_bias.numpy()
    position, out = attention.position_bias, np.empty((h, n, n))
    for head in range(h):
        part, scale = slice(head * d, head * d + d), min(np.exp(attention.logit_scale.numpy()[head, 0, 0]), 100)
        for i in range(n):
            for j in range(n):
                offset = np.array([i // M - j // M, i % M - j % M]) * 8 / max(position.unit - 1, 1)
                offset = np.sign(offset) * np.log(1 + abs(offset)) / np.log(8)
                hidden = np.maximum(offset @ position.linear1.weight.numpy() + position.linear1.bias.numpy(), 0)
                bias = 16 / (1 + np.exp(-hidden @ position.linear2.weight.numpy()[:, head]))
                cosine = q[i, part] @ k[j, part] / np.linalg.norm(q[i, part]) / np.linalg.norm(k[j, part])
                out[head, i, j] = np.exp(scale * cosine + bias)
    return out / out.sum(-1, keepdims=True)


def attention(rng, **settings):
    """Cosine attention of 8 channels and two heads, one of which is at the bound of its scale."""
    made = swin_v2.CosineAttention(8, 2, **settings).astype(np.float64)
    state = {name: rng.standard_normal(x.shape) for name, x in made.state_dict().items()}
    return made.load_state_dict(state | {"logit_scale": np.array([0.7, 5.0]).reshape(2, 1, 1)})


@pytest.mark.parametrize("tokens, unit", [(9, 3), (9, 2), (4, 3), (1, 3)])
def test_probabilities_are_those_of_the_paper(tokens, unit, rng):
    made = attention(rng, window=3, unit=unit)
    x = rng.standard_normal((2, tokens, 8))
    weights = made.weights(Tensor(x)).numpy()
    np.testing.assert_allclose(weights, [by_hand(made, window) for window in x], rtol=2e-5)  # of float32 coordinates
    values = (x @ made.qkv.weight.numpy()[:, 16:] + made.value_bias.numpy()).reshape(2, tokens, 2, 4)
    joined = np.einsum("bhij,bjhd->bihd", weights, values).reshape(2, tokens, 8)
    expected = joined @ made.proj.weight.numpy() + made.proj.bias.numpy()
    np.testing.assert_allclose(made(Tensor(x)).numpy(), expected, rtol=1e-10, atol=1e-12)


def test_longer_queries_and_keys_change_nothing(rng):
    made = attention(rng, window=2, unit=2)
    x = Tensor(rng.standard_normal((3, 4, 8)))
    before = made(x).numpy()
    state = made.state_dict()
    qkv = state["qkv.weight"] * np.repeat([5.0, 7.0, 1.0], 8)
    made.load_state_dict(state | {"qkv.weight": qkv, "query_bias": 5 * state["query_bias"]})
    np.testing.assert_allclose(made(x).numpy(), before, rtol=1e-10, atol=1e-12)


def test_scores_of_moved_windows_are_masked(rng):
    made = attention(rng, window=4, unit=4)
    mask = swin.mask_bias((8, 8), 4, 2, np.dtype(np.float64), "cpu")
    weights = made.weights(Tensor(rng.standard_normal((8, 16, 8))), mask).numpy()
    allowed = np.tile(swin.shift_mask((8, 8), 4, 2)[:, None], (2, 2, 1, 1))
    np.testing.assert_array_equal(weights > 0, allowed)


def test_a_block_starts_as_nothing(rng):
    """Both branches end with a norm whose weight is 0."""
    model = minivit.create("swin_v2")
    x = rng.standard_normal((1, 16, 16, 40)).astype(np.float32)
    np.testing.assert_array_equal(model.stages[0](Tensor(x)).numpy(), x)


def test_weights_move_to_other_windows(rng):
    """A model for larger pictures takes the weights as they are, and its offsets keep their numbers."""
    small = minivit.create("swin_v2")
    large = minivit.create("swin_v2", image_size=64, window=8, pretrained_windows=(4, 4, 4))
    large.load_state_dict(small.state_dict())
    ours, theirs = (model.stages[0].blocks[0].attention.position_bias for model in (small, large))
    inner = theirs(8).numpy().reshape(2, 8, 8, 8, 8)[:, :4, :4, :4, :4].reshape(2, 16, 16)
    np.testing.assert_allclose(inner, ours(4).numpy(), rtol=1e-6)
    assert large(rng.standard_normal((1, 64, 64, 3), np.float32)).shape == (1, 10)


def test_the_largest_models_normalise_the_sum_of_the_branches(rng):
    model = minivit.create("swin_v2", norm_every=2).eval()
    kinds = [[type(block.norm3).__name__ for block in stage.blocks] for stage in model.stages]
    assert kinds == [["Identity", "LayerNorm"]] * 3
    x = model.features(rng.standard_normal((2, 32, 32, 3), np.float32))[0].numpy()
    np.testing.assert_allclose(x.var(-1), 1, rtol=1e-3)


@pytest.mark.parametrize("settings", [dict(depths=(2, 2)), dict(pretrained_windows=(4, 4)), dict(heads=(2, 4))])
def test_stages_must_agree(settings):
    with pytest.raises(ValueError, match="expected one number for each stage"):
        minivit.create("swin_v2", **settings)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="width 40 is not divisible by 3 heads"):
        minivit.create("swin_v2", heads=(3, 3, 3))


@pytest.mark.parametrize("library", ["timm", "transformers"])
def test_windows_that_others_fit_to_each_side_are_refused(library):
    model = swin_v2.SwinV2(image_size=(64, 24), dim=8, depths=(1,), heads=(2,))
    with pytest.raises(ValueError, match="windows of 8 tokens would be of .* in stage 0, and are of 6 here"):
        config_of(model, library)
