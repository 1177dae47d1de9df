import numpy as np
import pytest
from scipy import stats

from minivit.backend import asnumpy, to_device
from minivit.data import cutmix, mixup, one_hot

COUNT = 1500


def batch(device, dtype=np.float32, size=(20, 16), count=COUNT):
    """Pictures filled with their own numbers, and the targets that tell the number."""
    images = np.broadcast_to(np.arange(count, dtype=dtype)[:, None, None, None], (count, *size, 3)).copy()
    return to_device(images, device), one_hot(to_device(np.arange(count), device), count)


def test_one_hot(device):
    targets = one_hot(to_device(np.array([2, 0, 1]), device), 4)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(asnumpy(targets), [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup(device, alpha, dtype):
    images, targets = batch(device, dtype, size=(2, 2))
    before = asnumpy(images).copy()
    mixed, mixed_targets = mixup(images, targets, np.random.default_rng(0), alpha=alpha)
    assert (mixed.dtype, mixed_targets.dtype) == (dtype, np.float32)
    np.testing.assert_array_equal(asnumpy(images), before)
    np.testing.assert_array_equal(asnumpy(targets), np.eye(COUNT))

    mixed, mixed_targets = asnumpy(mixed), asnumpy(mixed_targets)
    np.testing.assert_allclose(mixed_targets.sum(axis=1), 1, atol=1e-6)
    assert ((mixed_targets > 0).sum(axis=1) <= 2).all()
    numbers = mixed_targets.astype(np.float64) @ np.arange(COUNT)  # what the pictures must be, by their targets
    np.testing.assert_allclose(mixed, np.broadcast_to(numbers[:, None, None, None], mixed.shape), atol=2e-3)
    share = np.diagonal(mixed_targets)
    apart = (mixed_targets > 0).sum(axis=1) == 2
    assert stats.kstest(share[apart], stats.beta(alpha, alpha).cdf).pvalue > 0.01
    partners = np.where(np.eye(COUNT, dtype=bool), 0, mixed_targets)[apart].argmax(axis=1)
    assert len(np.unique(partners)) == apart.sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_cutmix_targets_are_the_real_areas(device, dtype):
    images, targets = batch(device, dtype, count=256)
    before = asnumpy(images).copy()
    mixed, mixed_targets = cutmix(images, targets, np.random.default_rng(0))
    assert (mixed.dtype, mixed_targets.dtype) == (dtype, np.float32)
    np.testing.assert_array_equal(asnumpy(images), before)

    mixed, mixed_targets = asnumpy(mixed), asnumpy(mixed_targets)
    own = (mixed == before).all(axis=-1)
    for number, (picture, kept, target) in enumerate(zip(mixed, own, mixed_targets, strict=True)):
        others = np.unique(picture[~kept])
        assert len(others) <= 1
        assert target[number] == pytest.approx(kept.mean(), abs=1e-6)
        for other in others:
            assert target[int(other)] == pytest.approx(1 - kept.mean(), abs=1e-6)
        rows, columns = (~kept).any(axis=1), (~kept).any(axis=0)
        assert (~kept).sum() == rows.sum() * columns.sum()  # a rectangle
        assert (np.diff(np.flatnonzero(rows)) == 1).all()
        assert (np.diff(np.flatnonzero(columns)) == 1).all()
    assert len(np.unique(own.mean(axis=(1, 2)))) > 30


def test_cutmix_rectangles_lie_anywhere():
    images, targets = batch("cpu")
    mixed, _ = cutmix(images, targets, np.random.default_rng(0))
    pasted = (mixed != images).any(axis=-1).mean(axis=0)
    assert pasted.min() > 0.1
    np.testing.assert_allclose(pasted, pasted[::-1, ::-1], atol=0.06)


def test_uint8_pictures_cannot_be_averaged():
    with pytest.raises(TypeError, match="mixup: expected floating-point images .* got uint8"):
        mixup(np.zeros((2, 4, 4, 3), np.uint8), np.eye(2, dtype=np.float32), np.random.default_rng(0))
