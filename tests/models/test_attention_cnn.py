"""Attention on 2 x 2 pixels against loops straight from the paper's formulas."""

import math
from functools import partial

import numpy as np
import pytest

from minivit import Tensor
from minivit.models.attention_cnn import AttentionCNN, ContentAttention, LearnedAttention, QuadraticAttention
from minivit.nn import Conv2d
from tests.slopes import assert_gradients_are_slopes

FORMS = [QuadraticAttention, LearnedAttention, ContentAttention]
SMALL = dict(image_size=(8, 12), num_classes=5, dim=6, depth=2, heads=2, mlp_dim=10)


def drawn(make, **settings):
    """A model in float64 with weights none of which is special."""
    model, rng = make(**SMALL | settings).astype(np.float64), np.random.default_rng(7)
    for name, x in model.named_parameters():
        z = rng.standard_normal(x.shape)
        x.data = 0.3 * z + (name.endswith("weight") and "norm" in name) if x.ndim == 1 else (
            z if "centre" in name or "spread" in name else z / math.sqrt(x.shape[-2]))
    return model


def part(state, name):
    return {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}


def score(form, p, head, query, key, down, right):
    """Of one token and another, which is `down` rows below and `right` columns to the right of it."""
    D = len(query)
    if form is QuadraticAttention:
        (y,), (x,) = p["centre"][:, head, 0]
        return -p["spread"][head, 0, 0] ** 2 / 2 * ((down - y) ** 2 + (right - x) ** 2)
    rows, columns = p["rows"], p["columns"]
    r_row, r_column = rows[down + len(rows) // 2], columns[right + len(columns) // 2]
    if form is LearnedAttention:
        return r_row @ p["row_scores.weight"][:, head] + r_column @ p["column_scores.weight"][:, head]
    mine = slice(head * D, (head + 1) * D)
    q, k = (query @ p["query.weight"] + p["query.bias"])[mine], (key @ p["key.weight"] + p["key.bias"])[mine]
    return (q @ k + q[:D // 2] @ r_row + q[D // 2:] @ r_column) / math.sqrt(D)


def slow_attention(form, p, x, heads):
    """Of one map (H, W, D): each query and head by itself; a head averages whole tokens."""
    made, places = np.zeros_like(x), list(np.ndindex(*x.shape[:2]))
    for i, j in places:
        joined = []
        for head in range(heads):
            shares = np.exp([score(form, p, head, x[i, j], x[a, b], a - i, b - j) for a, b in places])
            joined.extend(sum(share * x[place] for share, place in zip(shares / shares.sum(), places, strict=True)))
        value = np.array(joined) @ p["value.weight"] + p["value.bias"]
        made[i, j] = value @ p["proj.weight"] + p["proj.bias"]
    return made


def slow_norm(x, p):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(axis=-1, keepdims=True) + 1e-12) * p["weight"] + p["bias"]


def slow_mlp(x, p):
    hidden = x @ p["linear1.weight"] + p["linear1.bias"]
    gelu = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
    return gelu @ p["linear2.weight"] + p["linear2.bias"]


def slow(form, state, images):
    """Logits: patches, blocks with a norm behind each sum, the mean of all tokens."""
    logits = []
    for image in images:
        (H, W), embed = (n // 2 for n in image.shape[:2]), part(state, "patch_embed.")
        x = np.array([[image[2 * i:2 * i + 2, 2 * j:2 * j + 2].reshape(-1) @ embed["weight"] + embed["bias"]
                       for j in range(W)] for i in range(H)])
        for index in range(2):
            p = part(state, f"blocks.{index}.")
            x = slow_norm(x + slow_attention(form, part(p, "attention."), x, 2), part(p, "norm1."))
            x = slow_norm(x + slow_mlp(x, part(p, "mlp.")), part(p, "norm2."))
        logits.append(x.mean(axis=(0, 1)) @ state["head.weight"] + state["head.bias"])
    return np.array(logits)


@pytest.mark.parametrize("pixels", [(8, 12), (6, 4)])
@pytest.mark.parametrize("form", FORMS)
def test_the_model_is_the_papers_formulas(form, pixels, rng):
    model, images = drawn(AttentionCNN, attention=form), rng.standard_normal((2, *pixels, 3))
    expected = slow(form, model.state_dict(), images)
    np.testing.assert_allclose(model(images).numpy(), expected, atol=1e-12 * np.abs(expected).max())
    single = model.astype(np.float32)(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_the_slopes_of_the_papers_formulas(form, rng):
    model = drawn(AttentionCNN, attention=form)
    assert_gradients_are_slopes(model, partial(slow, form), rng.standard_normal((1, 6, 4, 3)), rng)


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_what_each_head_averages(form, rng):
    layer, x = drawn(AttentionCNN, attention=form).blocks[0].attention, Tensor(rng.standard_normal((3, 4, 5, 6)))
    weights = layer.weights(x).numpy()
    assert weights.shape[-3:] == (2, 20, 20)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    averages = weights @ x.numpy().reshape(3, 1, 20, 6)                                    # (B, h, N, D)
    np.testing.assert_allclose(layer.averages(x).numpy(), averages.transpose(0, 2, 1, 3).reshape(3, 4, 5, 12),
                               atol=1e-12)


def test_nine_sharp_heads_are_a_convolution_of_three_by_three(rng):
    """The paper's theorem: a head for each neighbour, whose map is the kernel's."""
    layer = QuadraticAttention(4, 9, grid=(6, 7)).initialise(1).astype(np.float64)
    layer.centre.data = np.indices((3, 3)).reshape(2, 9, 1, 1) - 1.0
    layer.spread.data = np.full((9, 1, 1), 10.0)
    conv = Conv2d(4, 4, 3, padding=1).initialise(2).astype(np.float64)
    layer.value.weight.data, layer.proj.weight.data = conv.weight.numpy().reshape(36, 4), np.eye(4)
    x, inside = rng.standard_normal((2, 6, 7, 4)), np.s_[:, 1:-1, 1:-1]      # outside there is nothing to look at
    np.testing.assert_allclose(layer(x).numpy()[inside], conv(x).numpy()[inside], atol=1e-12)


@pytest.mark.parametrize("form", [LearnedAttention, ContentAttention])
def test_a_grid_that_no_steps_are_learned_for_is_refused(form):
    with pytest.raises(ValueError, match="5 places on an axis are more than the 4 that steps are learned for"):
        AttentionCNN(**SMALL, attention=form)(np.zeros((1, 10, 12, 3), np.float32))


def test_quadratic_attention_reads_any_grid_and_others_are_refused():
    assert AttentionCNN(**SMALL)(np.zeros((1, 20, 26, 3), np.float32)).shape == (1, 5)
    with pytest.raises(ValueError, match="image_size: 9 x 12 pixels do not divide into patches of 2 x 2"):
        AttentionCNN(**SMALL | dict(image_size=(9, 12)))
    with pytest.raises(ValueError, match="expected an even width, half of it for rows, got 7"):
        AttentionCNN(**SMALL | dict(dim=7), attention=ContentAttention)
