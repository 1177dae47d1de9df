"""The MetaFormer baselines: their parts by hand, and what tells one from another."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, load
from minivit.interop import save
from minivit.models.metaformer import IdentityFormer, PoolFormerV2, RandFormer, RandomMixing, StarReLU

SIZES = dict(image_size=64, num_classes=3, dims=(4, 6, 8, 10), depths=(1, 1, 2, 1))


def test_star_relu_is_a_parabola_from_0_on():
    star = StarReLU()
    star.scale.data, star.bias.data = np.array([3.0], np.float32), np.array([0.5], np.float32)
    x = Tensor(np.array([-2, 0, 1, 2], np.float32))
    np.testing.assert_allclose(star(x).numpy(), [0.5, 0.5, 3.5, 12.5])


def test_a_random_matrix_mixes_all_tokens_and_is_not_trained(rng):
    mixing, x = RandomMixing((2, 3)).astype(np.float64), rng.standard_normal((2, 2, 3, 4))
    matrix, tokens = mixing.matrix.numpy(), x.reshape(2, 6, 4)
    expected = [[sum(matrix[m, n] * picture[n] for n in range(6)) for m in range(6)] for picture in tokens]
    np.testing.assert_allclose(mixing(Tensor(x)).numpy(), np.reshape(expected, x.shape), rtol=1e-12)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-6)
    assert 1 / 6 / np.e < matrix.min() < matrix.max() < np.e / 6
    assert mixing.parameters() == []


def test_matrices_stand_in_the_third_stage_and_the_fourth():
    model = RandFormer(**SIZES)
    grids = [[getattr(block.mixer, "grid", None) for block in stage.blocks] for stage in model.stages]
    assert grids == [[None], [None], [(4, 4), (4, 4)], [(2, 2)]]
    with pytest.raises(ValueError, match="images: their map of 2 x 2 tokens meets a random matrix for 4 x 4"):
        model(np.zeros((1, 32, 32, 3), np.float32))


def test_factors_on_shortcuts_stand_in_the_last_stages():
    stages = minivit.create("metaformer", "identity_S12").stages
    assert [len(stage.blocks[0].shortcut1.parameters()) for stage in stages] == [0, 0, 1, 1]


def test_without_a_mixer_places_meet_in_the_convolutions_alone(rng):
    """A stage's blocks norm all places together, but nothing else passes from one to another."""
    block, x = IdentityFormer(**SIZES).stages[2].blocks[0], rng.standard_normal((1, 4, 4, 8), np.float32)
    turned = x[:, ::-1, ::-1]
    np.testing.assert_allclose(block(Tensor(turned)).numpy(), block(Tensor(x)).numpy()[:, ::-1, ::-1], atol=1e-5)


def test_who_loads_a_file_must_say_whether_its_tokens_are_mixed_by_nothing(tmp_path):
    model = IdentityFormer(**SIZES).initialise(1)
    save(model, tmp_path / "model.safetensors", "authors")
    with pytest.raises(ValueError, match="what mixes its tokens.*IdentityFormer or PoolFormerV2"):
        load(tmp_path / "model.safetensors")
    images = np.ones((1, 64, 64, 3), np.float32)
    for kind in (IdentityFormer, PoolFormerV2):
        loaded = load(tmp_path / "model.safetensors", model=kind)
        assert type(loaded) is kind
        same = np.allclose(loaded(images).numpy(), model(images).numpy(), rtol=1e-5)
        assert same == (kind is IdentityFormer)
