import numpy as np
import pytest

from minivit.data import Dataset, batch_count, batches


@pytest.fixture
def dataset():
    images = np.arange(23, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 2, 2, 3), np.uint8)
    return Dataset(images, np.arange(23) % 4, tuple("abcd"), "some")


def order(dataset, *args, **settings):
    """The batches as lists of the numbers of their pictures, which are also their levels."""
    drawn = []
    for images, labels in batches(dataset, *args, **settings):
        assert images.dtype == np.uint8
        assert images.shape == (len(labels), 2, 2, 3)
        numbers = images[:, 0, 0, 0].astype(int)
        np.testing.assert_array_equal(labels, numbers % 4)
        drawn.append(numbers.tolist())
    return drawn


def test_without_a_generator_in_their_own_order(dataset):
    assert order(dataset, 10) == [list(range(10)), list(range(10, 20)), [20, 21, 22]]


def test_every_picture_once(dataset):
    drawn = order(dataset, 10, np.random.default_rng(0))
    assert [len(batch) for batch in drawn] == [10, 10, 3]
    assert sorted(sum(drawn, [])) == list(range(23))
    assert sum(drawn, []) != list(range(23))


def test_drop_last(dataset):
    assert [len(batch) for batch in order(dataset, 10, np.random.default_rng(0), drop_last=True)] == [10, 10]
    assert len(order(dataset, 23, drop_last=True)) == 1


def test_order_depends_on_the_generator_alone_and_a_run_can_jump_into_it(dataset):
    def epoch(seed, number, **settings):
        return order(dataset, 5, np.random.default_rng([seed, number]), **settings)
    assert epoch(1, 2) == epoch(1, 2)
    assert epoch(1, 2) != epoch(1, 3)
    assert epoch(1, 2) != epoch(2, 2)
    assert epoch(1, 2, start=3) == epoch(1, 2)[3:]
    assert epoch(1, 2, start=5) == []


@pytest.mark.parametrize(("count", "size", "drop_last", "expected"), [
    (23, 10, False, 3), (23, 10, True, 2), (20, 10, False, 2), (20, 10, True, 2), (3, 10, True, 0), (0, 10, False, 0)])
def test_batch_count(count, size, drop_last, expected):
    assert batch_count(count, size, drop_last=drop_last) == expected


def test_empty_batches_are_refused(dataset):
    with pytest.raises(ValueError, match="batch_size: expected a whole number of at least 1, got 0"):
        next(batches(dataset, 0))
