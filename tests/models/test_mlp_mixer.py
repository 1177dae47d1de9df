"""MLP-Mixer, ResMLP and gMLP: what their ideas promise, and what is refused."""

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.interop.translate import config_of
from minivit.models.gmlp import GMLP, SpatialGate
from minivit.models.mlp_mixer import Block, MlpMixer
from minivit.models.resmlp import Affine, ResMLP
from minivit.nn import patchify, unpatchify

SIZES = dict(image_size=(12, 8), patch_size=4, num_classes=3, dim=6, depth=2)
ALL = [MlpMixer, ResMLP, GMLP]


def drawn(model, rng):
    """The model with random weights, so that what begins at 0 or 1 counts too."""
    for name, parameter in model.astype(np.float64).named_parameters():
        parameter.data = 0.3 * rng.standard_normal(parameter.shape) + name.endswith("alpha")
    return model


def test_one_mlp_reads_columns_and_the_other_rows(rng):
    block = drawn(Block(5, 4, tokens_dim=3, channels_dim=7), rng)
    x = rng.standard_normal((2, 5, 4))
    normed, mixed = block.norm1(Tensor(x)).numpy(), x.copy()
    for picture in range(2):
        for channel in range(4):
            mixed[picture, :, channel] += block.mlp_tokens(Tensor(normed[picture, :, channel][None])).numpy()[0]
    normed, expected = block.norm2(Tensor(mixed)).numpy(), mixed.copy()
    for picture in range(2):
        for token in range(5):
            expected[picture, token] += block.mlp_channels(Tensor(normed[picture, token][None])).numpy()[0]
    np.testing.assert_allclose(block(Tensor(x)).numpy(), expected, rtol=1e-12)


def test_the_gate_multiplies_one_half_with_the_other_across_tokens(rng):
    gate, x = drawn(SpatialGate(3, 8), rng), rng.standard_normal((2, 3, 8))
    u, v = x[..., :4], gate.norm(Tensor(x[..., 4:])).numpy()
    W, b = gate.weight.numpy(), gate.bias.numpy()
    expected = np.array([[[u[i, n, c] * (sum(v[i, m, c] * W[m, n] for m in range(3)) + b[n]) for c in range(4)]
                          for n in range(3)] for i in range(2)])
    np.testing.assert_allclose(gate(Tensor(x)).numpy(), expected, rtol=1e-12)


def test_a_new_gate_lets_its_first_half_through(rng):
    x = rng.standard_normal((2, 9, 8))
    np.testing.assert_allclose(SpatialGate(9, 8).astype(np.float64)(Tensor(x)).numpy(), x[..., :4], atol=1e-4)


def test_affine_looks_at_no_statistics(rng):
    affine = drawn(Affine(4), rng)
    x, y = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))
    alone, together = affine(Tensor(x)).numpy() + affine(Tensor(y)).numpy(), affine(Tensor(x + y)).numpy()
    np.testing.assert_allclose(alone - together, np.broadcast_to(affine.beta.numpy(), x.shape), rtol=1e-9)


@pytest.mark.parametrize("make", ALL)
def test_shuffled_patches_are_the_same_to_a_model_whose_token_weights_are_shuffled_alike(make, rng):
    model, images = drawn(make(**SIZES), rng), rng.standard_normal((2, 12, 8, 3))
    expected, order = model(images).numpy(), rng.permutation(6)
    shuffled = unpatchify(patchify(images, 4)[:, order], (3, 2), 3)
    assert np.abs(model(shuffled).numpy() - expected).max() > 1e-3
    for block in model.blocks:
        if make is MlpMixer:
            first, last = block.mlp_tokens.linear1, block.mlp_tokens.linear2
        else:
            first = last = block.linear_tokens if make is ResMLP else block.gate
        first.weight.data = first.weight.numpy()[order]
        last.weight.data, last.bias.data = last.weight.numpy()[:, order], last.bias.numpy()[order]
    np.testing.assert_allclose(model(shuffled).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("make", ALL)
def test_pictures_of_another_size_are_refused_with_numbers(make):
    with pytest.raises(ValueError, match=r"expected 12 x 8 pixels, as the weights.* got shape \(1, 8, 12, 3\)"):
        make(**SIZES)(np.zeros((1, 8, 12, 3), np.float32))
    with pytest.raises(ValueError, match="image_size: 10 x 8 pixels do not divide into patches of 4 x 4"):
        make(**SIZES | dict(image_size=(10, 8)))


def test_a_gate_needs_two_halves():
    with pytest.raises(ValueError, match="mlp_dim: expected an even number, which the gate halves, got 7"):
        GMLP(**SIZES, mlp_dim=7)


@pytest.mark.parametrize("architecture, variant, name", [
    ("mlp_mixer", "L/32", "mixer_l32_224"), ("resmlp", "B24/8", "resmlp_big_24_224"),
    ("gmlp", "small", "gmlp_s16_224")])
def test_sizes_of_timms_factories_are_not_given_twice(architecture, variant, name):
    config = config_of(minivit.create(architecture, variant, image_size=96), "timm")
    assert config["architecture"] == name
    assert config["model_args"].keys() <= {"img_size", "in_chans", "mlp_ratio"}
    other = config_of(minivit.create(architecture, variant, dim=48), "timm")
    assert other["model_args"]["embed_dim"] == 48
