"""ConViT: attention by places that begins as a convolution, and the gate."""

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.models.convit import ConViT, GatedAttention
from minivit.nn import Conv2d

SMALL = dict(image_size=16, patch_size=4, num_classes=5, dim=12, depth=3, heads=4, local_depth=2)


def drawn(dim, heads, **settings):
    """A layer in float64 whose content matters as much as its places."""
    layer, rng = GatedAttention(dim, heads, **settings).initialise(1).astype(np.float64), np.random.default_rng(7)
    layer.qk.weight.data = rng.standard_normal(layer.qk.weight.shape)
    layer.gate.data = rng.standard_normal(heads)
    return layer


def slow(layer, x):
    """The paper's formulas for one picture (H, W, D): each query, head and key by itself."""
    (H, W, D), h = x.shape, layer.heads
    d, p = D // h, layer.state_dict()
    made = np.zeros_like(x)
    for y in range(H):
        for column in range(W):
            joined = []
            for head in range(h):
                part, keys = slice(head * d, (head + 1) * d), [(i, j) for i in range(H) for j in range(W)]
                query = (x[y, column] @ p["qk.weight"][:, :D])[part]
                content = np.exp([query @ (x[key] @ p["qk.weight"][:, D:])[part] / np.sqrt(d) for key in keys])
                r = [(j - column, i - y, (j - column) ** 2 + (i - y) ** 2) for i, j in keys]
                place = np.exp([np.dot(each, p["place.weight"][:, head]) + p["place.bias"][head] for each in r])
                gate = 1 / (1 + np.exp(-p["gate"][head]))
                weights = (1 - gate) * content / content.sum() + gate * place / place.sum()
                joined.extend(sum(w * (x[key] @ p["v.weight"])[part] for w, key in zip(weights, keys, strict=True)))
            made[y, column] = np.array(joined) @ p["proj.weight"] + p["proj.bias"]
    return made


@pytest.mark.parametrize("heads", [1, 4, 5])
def test_gated_attention_is_the_papers_formula_also_on_grids_that_are_not_square(heads, rng):
    """Which timm's cannot read."""
    layer, x = drawn(20, heads), rng.standard_normal((2, 3, 5, 20))
    expected = np.array([slow(layer, each) for each in x])
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-12 * np.abs(expected).max())


def test_weights_are_those_of_the_layer(rng):
    layer, x = drawn(8, 4), rng.standard_normal((2, 3, 4, 8))
    weights = layer.weights(x).numpy()
    assert weights.shape == (2, 4, 12, 12)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-12)
    v = (x @ layer.v.weight.numpy()).reshape(2, 12, 4, 2).transpose(0, 2, 1, 3)                # (B, h, N, d)
    joined = (weights @ v).transpose(0, 2, 1, 3).reshape(2, 3, 4, 8)                           # (B, H, W, D)
    np.testing.assert_allclose(layer(x).numpy(), joined @ layer.proj.weight.numpy() + layer.proj.bias.numpy(),
                               atol=1e-12)


def test_nine_sharp_heads_begin_as_a_convolution_of_three_by_three(rng):
    """Each head brings its neighbour's channels; behind the gate, proj mixes them as a kernel does."""
    layer = GatedAttention(18, 9, locality=20).initialise(3).astype(np.float64)
    layer.gate.data = np.full(9, 50.0)                                                         # places alone
    x, kernel = rng.standard_normal((2, 5, 6, 18)), np.zeros((3, 3, 18, 18))
    for head in range(9):
        rows = slice(2 * head, 2 * head + 2)                                                   # the head's channels
        kernel[head % 3, head // 3, rows] = layer.proj.weight.numpy()[rows]
    conv = Conv2d(18, 18, 3, padding=1).astype(np.float64)
    conv.load_state_dict({"weight": kernel, "bias": layer.proj.bias.numpy()})
    inside = np.s_[:, 1:-1, 1:-1]                                   # at the border a neighbour outside is replaced
    np.testing.assert_allclose(layer(x).numpy()[inside], conv(x).numpy()[inside], atol=1e-8)


def test_an_even_square_of_heads_looks_between_places():
    """Four heads are centred at half a step from the query, where four places share the attention."""
    layer = GatedAttention(4, 4, locality=5).initialise(0)
    weights = layer.place_weights(Tensor(np.zeros((1, 4, 4, 4), np.float32))).numpy().reshape(4, 4, 4, 4, 4)
    for head, (dy, dx) in enumerate([(-1, -1), (0, -1), (-1, 0), (0, 0)]):
        seen = weights[head, 2, 2, 2 + dy:4 + dy, 2 + dx:4 + dx]
        np.testing.assert_allclose(seen, 0.25, atol=1e-3)


def test_the_class_token_comes_behind_the_local_blocks(rng):
    model, images = ConViT(**SMALL).initialise(1).eval(), rng.standard_normal((2, 16, 16, 3), np.float32)
    assert [x.shape for x in model.encode(images)] == [(2, 4, 4, 12), (2, 4, 4, 12), (2, 17, 12)]
    before, logits = model.features(images, layers=(1,))[0].numpy(), model(images).numpy()
    model.class_token.data = model.class_token.data + rng.standard_normal((1, 1, 12), np.float32)
    np.testing.assert_array_equal(model.features(images, layers=(1,))[0].numpy(), before)
    assert np.abs(model(images).numpy() - logits).max() > 1e-3


def test_pictures_of_another_size_are_read_and_what_cannot_be_is_refused():
    model = ConViT(**SMALL)
    assert model(np.zeros((1, 24, 20, 3), np.float32)).shape == (1, 5)
    assert model.features(np.zeros((1, 24, 20, 3), np.float32))[0].shape == (1, 6, 5, 12)
    with pytest.raises(ValueError, match="18 x 16 pixels do not divide into patches of 4 x 4"):
        model(np.zeros((1, 18, 16, 3), np.float32))
    with pytest.raises(ValueError, match="local_depth: expected 0 to 2, fewer than the 3 blocks"):
        ConViT(**SMALL | dict(local_depth=3))
    with pytest.raises(ValueError, match="width 108 is not divisible by 5 heads"):
        minivit.create("convit", "cifar", heads=5)
