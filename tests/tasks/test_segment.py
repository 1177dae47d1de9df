"""Segmentation: labels from objects, the loss against PyTorch, mIoU by hand, and what every task promises."""

from functools import partial

import numpy as np
import pytest

import minivit
from minivit import data
from minivit.data import scenes, shapes10
from minivit.models.setr import SETR
from minivit.models.vit import VARIANTS as VIT
from minivit.tasks import segment
from minivit.tasks.segment import Segment
from minivit.train import Threads, evaluate
from tests.tasks.contract import check_resume, check_threads

SMALL = {"dim": 16, "depth": 2, "heads": 2, "patch_size": 8}
CLASSES = scenes.CLASSES
MOVES = [("random_flip", {}), ("random_crop", {"padding": 4})]


def make(classes=CLASSES, size=48, **settings):
    model = SETR(VIT["cifar"], num_classes=1 + len(classes), width=8, image_size=size, auxiliary=(0,), **SMALL)
    return Segment(model, classes, **settings).initialise(0)


@pytest.fixture(scope="module")
def sets():
    return tuple(scenes.draw(count, np.random.default_rng(count)) for count in (60, 20))


@pytest.fixture(scope="module")
def samples(sets):
    return data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)


def test_labels_are_the_classes_of_the_objects(sets):
    dataset = sets[0]
    labels = segment.labels_of(dataset.masks, dataset.object_classes)
    for picture in range(len(dataset)):
        for number, kind in enumerate(dataset.object_classes[picture]):
            assert (labels[picture][dataset.masks[picture] == number + 1] == kind + 1).all()
    assert ((labels == 0) == (dataset.masks == 0)).all()
    unknown = dataset.masks.copy()
    unknown[:, :3] = 255
    found = segment.labels_of(unknown, dataset.object_classes)
    assert (found[:, :3] == 255).all()
    np.testing.assert_array_equal(found[:, 3:], labels[:, 3:])


def test_the_loss_is_that_of_torch(rng):
    torch = pytest.importorskip("torch")
    task = make(auxiliary_weight=0.3).astype(np.float64).eval()
    images, labels = rng.standard_normal((3, 48, 48, 3)), rng.integers(0, 7, (3, 48, 48))
    labels[rng.random(labels.shape) < 0.3] = 255
    loss, numbers = task.loss(images, labels)
    heads = [torch.tensor(logits.numpy()).permute(0, 3, 1, 2) for logits in task.model.all_heads(images)]
    losses = [torch.nn.functional.cross_entropy(logits, torch.tensor(labels), ignore_index=255) for logits in heads]
    assert loss.item() == pytest.approx((losses[0] + 0.3 * losses[1]).item(), rel=1e-12)
    named = heads[0].argmax(1).numpy()
    assert float(numbers["pixel_accuracy"]) == pytest.approx((named == labels)[labels != 255].mean(), rel=1e-12)


def test_pictures_without_a_known_pixel_cost_nothing(rng):
    task = make().eval()
    loss, numbers = task.loss(rng.standard_normal((2, 48, 48, 3), np.float32), np.full((2, 48, 48), 255))
    assert (loss.item(), float(numbers["pixel_accuracy"])) == (0, 0)


def test_intersection_over_union_is_of_all_pixels_together():
    """Picture 1: 1 of 1 pixel right; picture 2: 0 of 99. A mean over pictures would be 0.5."""
    truth, named = np.full((2, 10, 10), 255), np.zeros((2, 10, 10), int)
    truth[0, 0, 0], named[0, 0, 0] = 1, 1
    truth[1].flat[:99], named[1] = 1, 0
    ious = segment.intersection_over_union(segment.confusion(truth, named, 3))
    assert ious[1] == 0.01
    assert ious[0] == 0
    assert np.isnan(ious[2])  # in neither: left out of a mean


def test_confusion_counts_row_for_truth():
    pairs = segment.confusion(np.array([[[0, 1, 1, 255]]]), np.array([[[0, 0, 1, 1]]]), 2)
    assert pairs.tolist() == [[1, 0], [1, 1]]


def test_the_ceiling_is_the_vote_of_each_cell():
    labels = np.array([[[1, 1, 0, 0, 2], [1, 0, 0, 0, 2], [0, 2, 2, 255, 255], [2, 2, 255, 255, 255]]])
    found = segment.cell_labels(labels, 2, 3)
    assert found.tolist() == [[[1, 1, 0, 0, 2], [1, 1, 0, 0, 2], [2, 2, 2, 2, 0], [2, 2, 2, 2, 0]]]
    np.testing.assert_array_equal(segment.cell_labels(labels, 1, 3)[labels != 255], labels[labels != 255])


def test_what_is_measured_does_not_depend_on_the_threads(samples, monkeypatch):
    from minivit.train import measure
    monkeypatch.setattr(measure, "BATCH", 7)
    task = make().eval()
    results = []
    for count in (1, 3):
        with Threads(count) as threads:
            results.append(evaluate(task, samples, threads, progress=False))
    assert results[0] == results[1]
    labels = segment.labels_of(samples.masks, samples.object_classes)
    named = task.model(samples.view(np.arange(20))).numpy().argmax(axis=-1)
    ious = [((labels == k) & (named == k)).sum() / ((labels == k) | (named == k)).sum() for k in range(7)]
    assert results[0]["miou"] == pytest.approx(np.mean(ious))
    assert results[0]["iou"] == [[name, pytest.approx(iou)]
                                 for name, iou in zip(("background", *CLASSES), ious, strict=True)]
    assert results[0]["miou"] < results[0]["miou_ceiling"] < 1


def test_it_learns_one_batch(rng):
    from minivit.train.optim import AdamW
    task = make(("circle", "square"), 16)
    images, labels = rng.standard_normal((2, 16, 16, 3), np.float32), np.zeros((2, 16, 16), int)
    labels[0, 4:12, 2:9], labels[1, :6, :] = 1, 2
    optimiser = AdamW(task.parameters(), lr=1e-2)
    for _ in range(60):
        loss, numbers = task.train().loss(images, labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert float(numbers["pixel_accuracy"]) > 0.95


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_resumed(sets, threads, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run", augmentation=MOVES)


def test_threads(sets):
    check_threads(make, sets, augmentation=MOVES)


def test_shapes10_has_one_object_a_picture():
    dataset = shapes10.draw(6, np.random.default_rng(0))
    images, labels = make(shapes10.CLASSES, 32).batch(data.Samples(dataset, mean=[0.5] * 3, std=[0.25] * 3),
                                                      np.arange(6), np.random.default_rng(0))
    np.testing.assert_array_equal(labels, np.where(dataset.masks, 1 + dataset.labels[:, None, None], 0))


def test_masks_go_where_their_pictures_go(sets):
    samples = data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3,
                           steps=[data.random_flip, partial(data.random_crop, padding=4)])
    images, labels = make().batch(samples, np.arange(30), np.random.default_rng(0))
    plain = make().batch(data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3), np.arange(30),
                         np.random.default_rng(0))
    assert (labels != plain[1]).any()
    bright = [[picture[label == kind].mean() for label, picture in zip(*each, strict=True) if (label == kind).any()]
              for kind in range(2) for each in ((labels, images), (plain[1], plain[0]))]
    assert np.mean(bright[0]) == pytest.approx(np.mean(bright[1]), abs=0.25)
    assert np.mean(bright[2]) > np.mean(bright[0])  # circles are lighter than what lies behind them


def test_its_pictures(samples):
    rows = make().eval().pictures(samples, slice(4))
    assert list(rows) == ["picture", "truth", "what the model sees"]
    np.testing.assert_array_equal(rows["truth"].masks, segment.labels_of(samples.masks, samples.object_classes)[:4])
    kinds = {CLASSES[kind] for kind in samples.object_classes[0] if kind >= 0}
    assert set(rows["truth"].texts[0].split(", ")) == kinds
    bare = data.Samples(data.Dataset(np.zeros((2, 48, 48, 3), np.uint8)), mean=[0.5] * 3, std=[0.25] * 3)
    assert list(make().eval().pictures(bare, slice(None))) == ["picture", "what the model sees"]


def test_it_is_built_on_what_the_recipe_names():
    task = Segment.build(lambda **changes: minivit.create("resnet", "cifar20", **changes), CLASSES, decoder="naive",
                         width=8, auxiliary_weight=0.1)
    assert task.backbone is task.model.backbone
    assert task.classes == ("background", *CLASSES)
    assert task.auxiliary_weight == 0.1


def test_a_weight_that_cannot_be():
    with pytest.raises(ValueError, match="segment: auxiliary_weight: expected a number of at least 0, got -1"):
        make(auxiliary_weight=-1)


def test_on_a_device(device, sets):
    from minivit.backend import to_device
    task, chosen = make().eval(), np.arange(4)
    samples = data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3, device=device)
    expected = task.loss(*task.batch(data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3), chosen,
                                     np.random.default_rng(0)))[0].item()
    task.to(device)
    loss, _ = task.loss(*task.batch(samples, to_device(chosen, device), np.random.default_rng(0)))
    assert loss.item() == pytest.approx(expected, rel=1e-4)
