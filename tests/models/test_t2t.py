"""T2T-ViT: its splits and layers against loops from the paper, and what the authors' code has no result for."""

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.models.t2t import T2TViT, T2TViTPerformer, TokenPerformer, TokensToToken, TokenTransformer, sinusoid
from minivit.nn import interpolate_positions

SIZES = dict(image_size=32, num_classes=3, dim=12, depth=1, heads=3, mlp_dim=20, token_dim=4)


def split_by_loops(x, kernel, stride, padding):
    """The windows of a picture (H, W, C), one after another.    -> (rows, columns, k k C)"""
    H, W, C = x.shape
    padded = np.zeros((H + 2 * padding, W + 2 * padding, C))
    padded[padding:padding + H, padding:padding + W] = x
    return np.array([[padded[top:top + kernel, left:left + kernel].ravel()
                      for left in range(0, W + 2 * padding - kernel + 1, stride)]
                     for top in range(0, H + 2 * padding - kernel + 1, stride)])


def normalised(x, norm):
    x = (x - x.mean()) / np.sqrt(x.var() + norm.eps)
    return x * norm.weight.numpy() + norm.bias.numpy()


def layer_by_loops(layer, tokens):
    """The layer for each token by itself, the skip connection from the values.    (N, inputs) -> (N, t)"""
    t = layer.proj.weight.shape[0]
    qkv = [normalised(x, layer.norm1) @ layer.qkv.weight.numpy() for x in tokens]
    made = []
    for x in qkv:
        scores = np.array([x[:t] @ y[t:2 * t] for y in qkv]) / np.sqrt(tokens.shape[1])
        weights = np.exp(scores - scores.max())
        seen = sum(w * y[2 * t:] for w, y in zip(weights / weights.sum(), qkv, strict=True))
        x = x[2 * t:] + seen @ layer.proj.weight.numpy() + layer.proj.bias.numpy()
        made.append(x + layer.mlp(Tensor(normalised(x, layer.norm2)[None])).numpy()[0])
    return np.array(made)


@pytest.mark.parametrize("pixels", [(24, 17), (9, 30)])
def test_tokens_of_pictures_that_are_not_square_are_those_of_the_paper(pixels, rng):
    splits = ((7, 4, 2), (3, 2, 1), (3, 2, 1))
    model = TokensToToken(splits, 2, 4, 5, layer=TokenTransformer).astype(np.float64)
    picture = rng.standard_normal((*pixels, 2))
    x = picture
    for sizes, layer in zip(splits, model.layers, strict=False):
        x = split_by_loops(x, *sizes)
        x = layer_by_loops(layer, x.reshape(-1, x.shape[-1])).reshape(*x.shape[:2], -1)  # (H, W, t)
    expected = split_by_loops(x, *splits[-1]) @ model.project.weight.numpy()
    np.testing.assert_allclose(model(picture[None]).numpy()[0], expected, rtol=1e-9, atol=1e-12)
    assert model.grid_of(pixels) == expected.shape[:2]


def test_a_performer_with_many_random_directions_is_attention(rng):
    layer = TokenPerformer(6, 4).astype(np.float64)
    q, k, v = 0.5 * rng.standard_normal((3, 2, 5, 4))
    layer.directions = Tensor(rng.standard_normal((200_000, 4)))
    weights = np.exp(q @ k.swapaxes(1, 2))
    expected = weights / weights.sum(axis=-1, keepdims=True) @ v
    np.testing.assert_allclose(layer.attend(*map(Tensor, (q, k, v))).numpy(), expected, atol=0.01)


def test_directions_are_at_right_angles_and_belong_to_the_seed():
    first, again, other = (minivit.create("t2t", "14", seed=seed).tokens.layers[0].directions.numpy()
                           for seed in (1, 1, 2))
    np.testing.assert_allclose(first @ first.T, 32 * np.eye(32), atol=1e-4)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_positions_are_those_of_places_in_a_row():
    positions = sinusoid(None, (1, 5, 6))[0]
    for n in range(5):
        for i in range(3):
            angle = n / 10_000 ** (2 * i / 6)
            np.testing.assert_allclose(positions[n, 2 * i:2 * i + 2], [np.sin(angle), np.cos(angle)], atol=1e-6)


@pytest.mark.parametrize("make", [T2TViT, T2TViTPerformer])
def test_a_larger_picture_has_the_positions_stretched(make, rng):
    small = make(**SIZES).initialise(1).astype(np.float64)
    large = make(**SIZES | dict(image_size=(48, 80))).astype(np.float64)
    positions = interpolate_positions(small.positions, (2, 2), (3, 5), prefix=1, antialias=False)
    large.load_state_dict(small.state_dict() | {"positions": positions.numpy()})
    images = rng.standard_normal((2, 48, 80, 3))
    np.testing.assert_allclose(small(images).numpy(), large(images).numpy(), rtol=1e-12)
    [x], [y] = small.features(images), small.features(images, layers=[0])
    assert x.shape == (2, 3, 5, 12)
    np.testing.assert_allclose(x.numpy(), small.norm(y).numpy(), rtol=1e-12)


def test_what_does_not_fit_is_refused_with_numbers():
    with pytest.raises(ValueError, match="image_size: 2 x 32 pixels leave a grid of 0 x 2 tokens"):
        T2TViT(**SIZES | dict(image_size=(2, 32)))
    with pytest.raises(ValueError, match="a window of 7 x 7 pixels is larger than the padded picture of 6 x 36"):
        T2TViT(**SIZES)(np.zeros((1, 2, 32, 3), np.float32))
