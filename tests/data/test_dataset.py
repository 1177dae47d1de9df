import numpy as np
import pytest

from minivit.data import Dataset, channel_statistics


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (600, 5, 4, 3), dtype=np.uint8), np.arange(600) % 7, tuple("abcdefg"), "some")


def test_length_and_subset(dataset):
    assert len(dataset) == 600
    for index in (slice(10, 20), np.array([3, 1, 3]), dataset.labels == 2):
        part = dataset.subset(index)
        np.testing.assert_array_equal(part.images, dataset.images[index])
        np.testing.assert_array_equal(part.labels, dataset.labels[index])
        assert (part.classes, part.name) == (dataset.classes, "some")


def test_arrays_of_other_lengths_are_refused(dataset):
    with pytest.raises(ValueError, match="some: 600 images, but 599 labels"):
        Dataset(dataset.images, dataset.labels[1:], dataset.classes, "some")


def test_channel_statistics(dataset):
    mean, std = channel_statistics(dataset.images)
    assert mean.dtype == std.dtype == np.float32
    np.testing.assert_allclose(mean, (dataset.images / 255).mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, (dataset.images / 255).std(axis=(0, 1, 2)), rtol=1e-6)


def test_channel_statistics_of_one_level():
    mean, std = channel_statistics(np.full((300, 4, 4, 1), 255, np.uint8))
    assert (mean, std) == (1, 0)


def test_channel_statistics_refuse_what_is_not_a_picture(dataset):
    with pytest.raises(TypeError, match="channel_statistics: expected uint8 images, got float64"):
        channel_statistics(dataset.images / 255)
    with pytest.raises(ValueError, match="channel_statistics: there are no images"):
        channel_statistics(dataset.images[:0])


@pytest.mark.parametrize(("count", "expected"), [(3, [0, 1, 4]), (5, range(5)), (6, range(6)), (99, range(8))])
def test_a_few_pictures_of_each_class_in_their_order(count, expected):
    labels = np.array([1, 0, 1, 0, 2, 1, 1, 1])
    images = np.arange(8, dtype=np.uint8)[:, None, None, None] + np.zeros((8, 2, 2, 3), np.uint8)
    few = Dataset(images, labels, ("a", "b", "c")).few(count)
    np.testing.assert_array_equal(few.images[:, 0, 0, 0], list(expected))
    np.testing.assert_array_equal(few.labels, labels[list(expected)])
    rest = Dataset(images, labels, ("a", "b", "c")).without(count)
    np.testing.assert_array_equal(rest.images[:, 0, 0, 0], [n for n in range(8) if n not in expected])


def test_a_few_pictures_without_labels_are_the_first():
    images = np.arange(8, dtype=np.uint8)[:, None, None, None] + np.zeros((8, 2, 2, 3), np.uint8)
    np.testing.assert_array_equal(Dataset(images).few(3).images, images[:3])
