"""PoolFormer: its mixer by hand, other mixers in its place, and what is refused."""

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.interop import to_official
from minivit.models.poolformer import MeanOfNormed, MetaFormer, NormOfMean, PoolFormer, Pooling
from minivit.nn import Identity

SIZES = dict(num_classes=3, dims=(4, 6), depths=(1, 2))


@pytest.mark.parametrize("size, grid", [(3, (4, 5)), (5, (3, 6)), (1, (2, 2))])
def test_each_place_gets_the_mean_of_its_neighbours_minus_itself(size, grid, rng):
    x, r = rng.standard_normal((2, *grid, 3)), size // 2
    expected = np.array([[[x[b, max(i - r, 0):i + r + 1, max(j - r, 0):j + r + 1].mean(axis=(0, 1)) - x[b, i, j]
                           for j in range(grid[1])] for i in range(grid[0])] for b in range(2)])
    np.testing.assert_allclose(Pooling(size)(Tensor(x)).numpy(), expected, atol=1e-12)


def test_what_lies_outside_the_grid_does_not_count():
    row = Tensor(np.array([3.0, 6.0, 9.0]).reshape(1, 1, 3, 1))
    np.testing.assert_allclose(Pooling()(row).numpy().ravel(), [1.5, 0, -1.5])


def test_the_norm_takes_places_and_channels_together():
    x = np.array([[0.0, 4.0], [2.0, 6.0]]).reshape(1, 1, 2, 2)  # two places, two channels
    norm = minivit.create("poolformer", dims=(2,), depths=(1,)).astype(np.float64).stages[0].blocks[0].norm1
    np.testing.assert_allclose(norm(Tensor(x)).numpy(), (x - 3) / np.sqrt(5 + 1e-5), rtol=1e-6)


def test_another_mixer_takes_the_place_of_pooling(rng):
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    without = MetaFormer(mixer=lambda dim: Identity(), **SIZES, layer_scale=1.0).initialise(1)
    pooled = PoolFormer(**SIZES, layer_scale=1.0).initialise(1)
    assert without.state_dict().keys() == pooled.state_dict().keys()
    assert np.abs(without(images).numpy() - pooled(images).numpy()).max() > 1e-3


def test_the_mean_of_what_is_normed_is_not_the_norm_of_the_mean(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    ours, timms = (final(5).astype(np.float64)(Tensor(x)).numpy() for final in (MeanOfNormed, NormOfMean))
    everything, mean = x.reshape(2, -1), x.mean(axis=(1, 2))
    np.testing.assert_allclose(ours, (mean - everything.mean(1)[:, None]) / everything.std(1)[:, None], rtol=1e-4)
    np.testing.assert_allclose(timms, (mean - mean.mean(1)[:, None]) / mean.std(1)[:, None], rtol=1e-4)


def test_pictures_of_any_size_are_taken(rng):
    model = PoolFormer(**SIZES)
    assert [x.shape for x in model.features(rng.standard_normal((1, 29, 45, 3), np.float32))] == [
        (1, 7, 11, 4), (1, 4, 6, 6)]


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="pool_size: expected an odd number, so that a window has a middle, got 4"):
        PoolFormer(**SIZES, pool_size=4)
    with pytest.raises(ValueError, match=r"dims, depths: expected one number for each stage, got \(4, 6\) and \(1,\)"):
        PoolFormer(**SIZES | dict(depths=(1,)))
    with pytest.raises(ValueError, match="final: MeanOfNormed has no counterpart there, where it is always NormOfMean"):
        to_official(PoolFormer(**SIZES), "timm")
    with pytest.raises(ValueError, match="timm has no convolution between two stages of one width"):
        to_official(PoolFormer(**SIZES | dict(dims=(4, 4)), final=NormOfMean), "timm")
