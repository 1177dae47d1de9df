"""ViT: what it says of the layers between."""

import numpy as np
import pytest

import minivit
from minivit.models import deit, vit, vitc

SMALL = dict(image_size=(8, 12), patch_size=4, num_classes=5, dim=8, depth=3, heads=2)


@pytest.mark.parametrize("make", [vit.ViT, vit.ViTGAP, vit.ViTMAP, deit.DeiT])
def test_features_are_the_encoded_patches_on_their_grid(make, rng):
    model, images = make(**SMALL).initialise(1), rng.standard_normal((2, 8, 12, 3), np.float32)
    features, = model.features(images)
    encoded = model.encode(model.embed(images)).numpy()
    assert features.shape == (2, 2, 3, 8)
    for row in range(2):
        for column in range(3):
            np.testing.assert_array_equal(features.numpy()[:, row, column], encoded[:, model.prefix + 3 * row + column])


def test_the_layers_asked_for_come_in_their_order_and_without_the_norm(rng):
    model, images = vit.ViT(**SMALL).initialise(1), rng.standard_normal((2, 8, 12, 3), np.float32)
    last, first, same = (x.numpy() for x in model.features(images, layers=(2, 0, -1)))
    np.testing.assert_array_equal(last, same)
    np.testing.assert_array_equal(model.norm(last).numpy(), model.features(images)[0].numpy())
    x = model.blocks[0](model.embed(images)).numpy()
    np.testing.assert_array_equal(first.reshape(2, 6, 8), x[:, 1:])
    assert model.features(images, layers=()) == []
    with pytest.raises(IndexError):
        model.features(images, layers=(3,))


def test_blocks_behind_the_last_layer_asked_for_do_not_run(rng, monkeypatch):
    model, images = vit.ViT(**SMALL).initialise(1), rng.standard_normal((2, 8, 12, 3), np.float32)
    monkeypatch.setattr(model.blocks[2], "forward", lambda x: pytest.fail("the last block ran"))
    assert len(model.features(images, layers=(0, 1))) == 2


def test_features_of_another_size_have_another_grid(rng):
    model = minivit.create("vitc")
    assert isinstance(model, vitc.ViTCGAP)
    features, = model.features(rng.standard_normal((1, 16, 24, 3), np.float32))
    assert features.shape == (1, 4, 6, 128)


def test_the_head_reads_the_mean_of_the_features(rng):
    model, images = vit.ViTGAP(**SMALL).initialise(1), rng.standard_normal((2, 8, 12, 3), np.float32)
    features, = model.features(images)
    np.testing.assert_allclose(model(images).numpy(), model.head(features.mean(axis=(1, 2))).numpy(), rtol=1e-5)
