import numpy as np
import pytest

from minivit.data import shapes10
from minivit.data.outlines import OUTLINES


@pytest.fixture(scope="module")
def sets():
    return shapes10.load_shapes10(train=6_000, test=2_000)


def test_shapes_and_dtypes_are_those_of_cifar(sets):
    for dataset, count in zip(sets, (6_000, 2_000), strict=True):
        assert (dataset.images.shape, dataset.images.dtype) == ((count, 32, 32, 3), np.uint8)
        assert (dataset.labels.shape, dataset.labels.dtype) == ((count,), np.int64)
        assert (dataset.masks.shape, dataset.masks.dtype) == ((count, 32, 32), bool)
        assert (dataset.boxes.shape, dataset.boxes.dtype) == ((count, 4), np.int64)
        assert len(dataset.classes) == len(set(dataset.classes)) == 10
        assert np.bincount(dataset.labels).tolist() == [count // 10] * 10


def test_the_seed_decides(sets):
    again, _ = shapes10.load_shapes10(train=6_000, test=0)
    np.testing.assert_array_equal(again.images, sets[0].images)
    np.testing.assert_array_equal(again.masks, sets[0].masks)
    train, test = shapes10.load_shapes10(train=100, test=100, seed=1)
    assert (train.images != test.images).any(axis=(1, 2, 3)).all()
    assert (train.images != sets[0].images[:100]).any(axis=(1, 2, 3)).all()


def test_any_number_can_be_drawn():
    for count in (0, 1, 101):
        assert len(shapes10.draw(count, np.random.default_rng(0))) == count


def test_every_object_is_seen_and_boxed(sets):
    dataset = sets[0]
    assert dataset.masks.sum(axis=(1, 2)).min() >= 20
    for mask, (x0, y0, x1, y1) in zip(dataset.masks[:200], dataset.boxes[:200], strict=True):
        y, x = np.nonzero(mask)
        assert (x0, y0, x1, y1) == (x.min(), y.min(), x.max() + 1, y.max() + 1)


def test_masks_lie_on_the_objects(sets):
    """Objects are lighter than their backgrounds: on average, and in nearly every picture."""
    dataset = sets[0]
    grey = dataset.images.mean(axis=3)
    inside = (grey * dataset.masks).sum(axis=(1, 2)) / dataset.masks.sum(axis=(1, 2))
    outside = (grey * ~dataset.masks).sum(axis=(1, 2)) / (~dataset.masks).sum(axis=(1, 2))
    assert inside.mean() - outside.mean() > 60
    assert (inside > outside).mean() > 0.95


def test_position_scale_and_colour_vary(sets):
    dataset = sets[0]
    x0, y0, x1, y1 = dataset.boxes.T
    for start, end in ((x0, x1), (y0, y1)):
        assert np.ptp((start + end) / 2) > 12
        assert np.ptp(end - start) > 12
    assert dataset.images.mean(axis=(1, 2)).std(axis=0).min() > 20
    assert not sets[0].subset(slice(3)).masks.all()


def test_a_linear_model_is_better_than_chance_but_no_good(sets):
    """Ridge regression onto the classes."""
    train, test = (dataset.images.reshape(len(dataset), -1).astype(np.float32) / 255 for dataset in sets)
    mean = train.mean(axis=0)
    train, test = train - mean, test - mean
    targets = np.eye(10, dtype=np.float32)[sets[0].labels]
    weights = np.linalg.solve(train.T @ train + 1000 * np.eye(train.shape[1], dtype=np.float32), train.T @ targets)
    accuracy = ((test @ weights).argmax(axis=1) == sets[1].labels).mean()
    assert 0.15 < accuracy < 0.45


@pytest.mark.parametrize("outline", OUTLINES, ids=lambda outline: outline.__name__)
def test_outlines_are_signed_distances(outline):
    """Inside and outside exist, the slope is nowhere over 1, and every object fits into a disc of radius 1.1."""
    v, u = np.mgrid[-1.5:1.5:301j, -1.5:1.5:301j]
    distance = outline(u, v)
    assert distance.shape == u.shape
    assert distance.min() < -0.1
    assert (distance[np.hypot(u, v) > 1.1] > 0).all()
    for axis in (0, 1):
        assert np.abs(np.diff(distance, axis=axis)).max() <= 0.01 * (1 + 1e-9)
    assert outline(u.astype(np.float32), v.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(("name", "area"), [
    ("circle", np.pi * 0.64), ("square", 1.96), ("triangle", 3 * np.sqrt(3) / 4),
    ("pentagon", 2.5 * np.sin(2 * np.pi / 5) * 0.95**2), ("star", 10 * 0.5 * 0.45 * np.sin(np.pi / 5)),
    ("cross", 4 * 0.95 * 0.28 * 2 - 4 * 0.28**2), ("ring", np.pi * (0.9**2 - 0.46**2)), ("heart", 1 + np.pi / 4)])
def test_areas_of_outlines(name, area):
    v, u = np.mgrid[-1.2:1.2:1201j, -1.2:1.2:1201j]
    outline = {outline.__name__: outline for outline in OUTLINES}[name]
    assert (outline(u, v) < 0).mean() * 2.402**2 == pytest.approx(area, rel=0.01)
