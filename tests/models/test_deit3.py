"""What DeiT III changes in a ViT."""

import numpy as np

from minivit.models.deit3 import DeiT3
from minivit.models.vit import ViT
from minivit.nn import normal

SMALL = dict(image_size=16, patch_size=4, num_classes=5, dim=12, depth=3, heads=3)


def test_patches_have_positions_and_the_class_token_has_none(rng):
    model = DeiT3(**SMALL).initialise(1).eval()
    assert model.positions.shape == (1, 16, 12)
    tokens = model.embed(rng.standard_normal((1, 16, 16, 3), np.float32)).numpy()
    np.testing.assert_array_equal(tokens[:, 0], model.class_token.numpy()[:, 0])


def test_without_positions_the_order_of_patches_does_not_matter(rng):
    model = DeiT3(**SMALL, layer_scale=0.5, positions=normal(1)).initialise(1).astype(np.float64).eval()
    rows = rng.standard_normal((1, 16, 16, 3))
    turned = np.concatenate([rows[:, 8:], rows[:, :8]], axis=1)     # whole patches change places
    assert np.abs(model(rows).numpy() - model(turned).numpy()).max() > 1e-3
    model.positions.data = np.zeros((1, 16, 12))
    np.testing.assert_allclose(model(rows).numpy(), model(turned).numpy(), atol=1e-12)


def test_stochastic_depth_is_the_same_in_every_block():
    assert [block.drop_path.rate for block in DeiT3(**SMALL, drop_path=0.3).blocks] == [0.3, 0.3, 0.3]
    assert [block.drop_path.rate for block in ViT(**SMALL, drop_path=0.3).blocks] == [0, 0.15, 0.3]


def test_layer_scale_multiplies_each_branch(rng):
    images = rng.standard_normal((2, 16, 16, 3), np.float32)
    model = DeiT3(**SMALL, layer_scale=0.0).initialise(1).eval()
    np.testing.assert_array_equal(model.blocks[1](model.embed(images)).numpy(), model.embed(images).numpy())
