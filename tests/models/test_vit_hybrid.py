"""The hybrid ViT: standardised weights, their inference form, and grids of any size."""

import numpy as np
import pytest

import minivit
from minivit.models.vit_hybrid import Stem, StdConv, ViTHybrid
from minivit.nn import fold

SMALL = dict(depths=(1, 1), width=32, num_classes=5, dim=12, depth=1, heads=3, image_size=32)


def test_weights_are_standardised_for_each_output(rng):
    conv = StdConv(3, 4, 5).initialise(1).astype(np.float64)
    weight = conv.standardised().numpy()
    np.testing.assert_allclose(weight.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(weight.var(axis=(0, 1, 2)), 1, rtol=1e-5)
    images = rng.standard_normal((1, 7, 8, 3))
    before = conv(images).numpy()
    conv.weight.data = conv.weight.data * 7 + rng.standard_normal(4)
    np.testing.assert_allclose(conv(images).numpy(), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_folded_it_computes_the_same_without_standardising(dtype, tolerance, rng):
    model = ViTHybrid(**SMALL).initialise(1).astype(dtype).eval()
    images = rng.standard_normal((2, 32, 32, 3)).astype(dtype)
    folded = fold(model)
    assert any(isinstance(module, StdConv) for module in model.modules())
    assert not any(isinstance(module, StdConv) for module in folded.modules())
    expected = model(images).numpy()
    np.testing.assert_allclose(folded(images).numpy(), expected, atol=tolerance * np.abs(expected).max())
    with pytest.raises(ValueError, match="expected a model in eval"):
        fold(model.train())


@pytest.mark.parametrize("pixels, grid", [((32, 32), (4, 4)), ((33, 47), (5, 6)), ((8, 1), (1, 1))])
def test_every_size_has_its_grid(pixels, grid):
    model, images = ViTHybrid(**SMALL), np.zeros((1, *pixels, 3), np.float32)
    assert model.features(images)[0].shape == (1, *grid, 12)
    assert model(images).shape == (1, 5)
    assert ViTHybrid(**SMALL | dict(image_size=pixels)).grid == grid


def test_what_does_not_divide_is_said_with_numbers():
    model = ViTHybrid(**SMALL | dict(depths=(), patch_size=4))
    with pytest.raises(ValueError, match="7 x 8 .* do not divide into patches of 4 x 4"):
        model(np.zeros((1, 28, 32, 3), np.float32))
    with pytest.raises(ValueError, match="48 .* 32"):
        ViTHybrid(**SMALL | dict(width=48))(np.zeros((1, 32, 32, 3), np.float32))


def test_without_stages_the_stem_is_the_resnet():
    model = minivit.create("vit_hybrid", "R+Ti/16")
    assert isinstance(model.patch_embed.backbone, Stem)
    assert model.grid == (7, 7)
