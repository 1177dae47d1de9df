import numpy as np
import pytest

from minivit.backend import to_device
from minivit.data.features import QUERIES, colours_of, nearest_class
from minivit.train import Threads


def by_hand(queries, known, labels, k, temperature, leave_out=False):
    """One query after the other, in float64."""
    answers = []
    for number, query in enumerate(queries.astype(np.float64)):
        cosine = [query @ other / np.linalg.norm(query) / np.linalg.norm(other) for other in known.astype(np.float64)]
        order = [j for j in np.argsort(cosine)[::-1] if not (leave_out and j == number)]
        votes = np.zeros(labels.max() + 1)
        for j in order[:k]:
            votes[labels[j]] += np.exp(cosine[j] / temperature)
        answers.append(votes.argmax())
    return np.array(answers)


@pytest.fixture
def vectors(rng):
    queries, known = (rng.standard_normal((count, 6)).astype(np.float32) for count in (QUERIES + 40, 90))
    return queries, known, rng.integers(7, size=90)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (20, 1.0), (200, 0.5)])
def test_the_neighbours_vote_as_one_by_one(device, vectors, k, temperature):
    queries, known, labels = vectors
    found = nearest_class(*(to_device(array, device) for array in vectors), k=k, temperature=temperature)
    np.testing.assert_array_equal(found, by_hand(queries, known, labels, min(k, 90), temperature))


def test_nobody_votes_for_itself(vectors):
    _, known, labels = vectors
    np.testing.assert_array_equal(nearest_class(known, known, labels, k=1), labels)
    found = nearest_class(known, known, labels, k=5, leave_out=True)
    np.testing.assert_array_equal(found, by_hand(known, known, labels, 5, 0.07, leave_out=True))


def test_lengths_do_not_count_and_neither_does_the_number_of_threads(vectors, rng):
    queries, known, labels = vectors
    expected = nearest_class(queries, known, labels)
    scaled = queries * rng.uniform(0.1, 10, (len(queries), 1))
    np.testing.assert_array_equal(nearest_class(scaled, known, labels), expected)
    with Threads(2) as threads:
        np.testing.assert_array_equal(nearest_class(queries, known, labels, map=threads.map), expected)


def test_a_vector_of_zeros_is_no_error(vectors):
    queries, known, labels = vectors
    assert nearest_class(0 * queries, known, labels).shape == (len(queries),)


@pytest.mark.parametrize(("change", "message"), [
    (lambda q, f, y: (q[:, :3], f, y), r"queries \(290, 3\), known \(90, 6\)"),
    (lambda q, f, y: (q, f, y[:-1]), r"labels \(89,\)"), (lambda q, f, y: (q, f[:0], y[:0]), r"known \(0, 6\)")])
def test_what_does_not_fit(vectors, change, message):
    with pytest.raises(ValueError, match=f"nearest_class: expected vectors of one length, .*{message}"):
        nearest_class(*change(*vectors))


def test_wrong_settings(vectors):
    with pytest.raises(ValueError, match="nearest_class: k: expected a whole number of at least 1, got 0"):
        nearest_class(*vectors, k=0)
    with pytest.raises(ValueError, match="nearest_class: temperature: expected a number above 0, got 0"):
        nearest_class(*vectors, temperature=0)


def test_places_that_are_alike_have_one_colour(device, rng):
    kinds = rng.integers(3, size=(2, 4, 4))
    maps = rng.standard_normal((3, 12))[kinds]                    # three kinds of places
    colours = colours_of(to_device(maps, device), (8, 12))
    assert colours.shape == (2, 8, 12, 3)
    assert colours.dtype == np.uint8
    shown = colours[:, ::2, ::3]
    assert [len(np.unique(shown[kinds == kind], axis=0)) for kind in range(3)] == [1, 1, 1]
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 3
    assert np.ptp(colours[..., :2].reshape(-1, 2), axis=0).tolist() == [255, 255]


def test_features_that_are_all_the_same_have_a_colour():
    assert colours_of(np.ones((1, 2, 2, 2)), (4, 4)).shape == (1, 4, 4, 3)
