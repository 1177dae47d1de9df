"""Parametric instance discrimination: its loss and gradient by hand, whose number is whose, what is mixed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, data, grad, gradcheck, ops
from minivit.backend import asnumpy, to_device
from minivit.tasks import find_task
from minivit.tasks.discriminate import Discriminate, instance_loss
from tests.tasks.contract import RECIPE, check_captured, check_resume, check_threads, trained
from tests.tasks.tiny_tasks import tiny_vit

PICTURES = 200  # of the small training set


def make(**settings):
    return Discriminate(tiny_vit(PICTURES), **{"small_views": 2} | settings)


def samples_of(sets, steps=()):
    return data.Samples(sets[0], mean=0.5, std=0.25, steps=steps)


def test_three_pictures_and_no_knowledge():
    """Every row is moved, also those of pictures that are not there: by (2/3, -1/3, -1/3) of the vector."""
    logits = Tensor(np.zeros((1, 3)), requires_grad=True)
    loss = instance_loss(logits, np.array([0]))
    assert loss.item() == pytest.approx(math.log(3), rel=1e-12)
    np.testing.assert_allclose(grad(loss, [logits])[0], [[-2 / 3, 1 / 3, 1 / 3]], rtol=1e-12)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_the_loss_is_that_of_pytorch_with_soft_targets(rng, mixed, label_smoothing):
    torch = pytest.importorskip("torch")
    logits, number, other, share = rng.standard_normal((7, 5)), *rng.integers(5, size=(2, 7)), rng.random(7)
    targets = np.eye(5)[number]
    if mixed:
        targets = share[:, None] * targets + (1 - share[:, None]) * np.eye(5)[other]
    ours, theirs = Tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    loss = instance_loss(ours, number, *((other, share) if mixed else ()), label_smoothing=label_smoothing)
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(targets), label_smoothing=label_smoothing)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(grad(loss, [ours])[0], theirs.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_gradient(rng):
    number, other, share = *rng.integers(5, size=(2, 4)), rng.random(4)
    gradcheck(lambda logits: instance_loss(logits, number, other, share, label_smoothing=0.1),
              rng.standard_normal((4, 5)), rng=rng)


def test_it_begins_at_ln_n_which_the_log_names(sets):
    task = make(cutmix=0).initialise(0)
    task.model.head.weight.mutable()[...] = 0
    batch = task.batch(samples_of(sets), np.arange(10), np.random.default_rng(0))
    (name, level), = task.plateaus(10).items()
    assert name == "ln 200, every training picture equally likely"
    assert task.loss(*batch)[0].item() == pytest.approx(level, rel=1e-5)
    assert level == math.log(PICTURES)


def test_a_number_is_that_of_the_picture_in_the_training_set(sets):
    """Not its place in the batch, nor its class."""
    task, chosen = make(cutmix=0), np.array([150, 7, 32])
    number, images, others, shares, small = task.batch(samples_of(sets), chosen, np.random.default_rng(0))
    np.testing.assert_array_equal(number, chosen)
    assert images.shape == (3, 2, 32, 32, 3)
    assert small.shape == (3, 2, 16, 16, 3)
    assert (shares == 1).all()
    expected = samples_of(sets).view(chosen)
    np.testing.assert_array_equal(images[:, 0], expected)
    assert (small[:, 0] != small[:, 1]).any(axis=(1, 2, 3)).all()


def test_what_is_pasted_in_is_told_with_its_share(sets):
    task, chosen = make(cutmix=1.0, views=3), np.arange(40, 60)
    number, images, others, shares, _ = task.batch(samples_of(sets), chosen, np.random.default_rng(1))
    assert others.shape == shares.shape == (20, 3)
    whole = samples_of(sets).view(np.arange(PICTURES))
    for picture, views, partners, parts in zip(number, images, others, shares, strict=True):
        for view, partner, part in zip(views, partners, parts, strict=True):
            own = (view == whole[picture]).all(axis=-1)
            assert own[(view != whole[partner]).any(axis=-1)].all()
            if part < 1 and partner != picture:
                assert own.mean() == pytest.approx(part, abs=0.02)  # pixels may be alike by chance
    assert 0.3 < shares.mean() < 0.8


def test_views_count_alike_and_the_most_of_a_view_is_what_should_be_named(sets):
    task = make(views=2, small_views=3, cutmix=1.0, label_smoothing=0).initialise(0).astype(np.float64)
    number, images, others, shares, small = (
        array.astype(np.float64) if array.dtype.kind == "f" else array
        for array in task.batch(samples_of(sets), np.arange(6), np.random.default_rng(2)))
    loss, numbers = task.loss(number, images, others, shares, small)
    losses, right = [], []
    for v in range(2):
        log_p = ops.log_softmax(task.model(Tensor(images[:, v]))).numpy()
        rows = np.arange(6)
        losses.append(-(shares[:, v] * log_p[rows, number] + (1 - shares[:, v]) * log_p[rows, others[:, v]]).mean())
        right.append((log_p.argmax(1) == np.where(shares[:, v] >= 0.5, number, others[:, v])).mean())
    for s in range(3):
        log_p = ops.log_softmax(task.model(Tensor(small[:, s]))).numpy()
        losses.append(-log_p[np.arange(6), number].mean())
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-10)
    assert numbers["accuracy"] == pytest.approx(np.mean(right))


def test_on_a_device_a_batch_and_its_loss_are_those_of_the_cpu(sets, device):
    task, found = make(), []
    for where in ("cpu", device):
        samples = data.Samples(sets[0], mean=0.5, std=0.25, device=where)
        batch = task.initialise(0).to(where).batch(samples, to_device(np.arange(8), where), np.random.default_rng(4))
        found.append([*map(asnumpy, batch), task.loss(*batch)[0].numpy()])
    for host, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, host, rtol=1e-4, atol=1e-5)


def test_it_learns_pictures_by_heart(sets):
    few = sets[0].few(12), sets[1]
    recipe = replace(RECIPE, steps=100, batch_size=12, lr=3e-3, average=None, evaluations=0, augmentation=[])
    task = Discriminate(tiny_vit(12), small_views=0, cutmix=0, label_smoothing=0).initialise(0)
    lines, _ = trained(task, few, recipe)
    assert lines[0]["loss"] == pytest.approx(math.log(12), abs=0.15)
    assert lines[-2]["loss"] < math.log(12) / 2
    assert lines[-2]["accuracy"] == 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_resumed_it_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


def test_a_captured_step_is_the_step(sets, gpu, monkeypatch):
    check_captured(make, sets, monkeypatch)


def test_every_number_of_threads_gives_the_same_loss(sets):
    check_threads(make, sets)
    check_threads(lambda: make(small_views=0, cutmix=0), sets)


def test_as_many_outputs_as_training_pictures(sets):
    task = find_task("discriminate")
    assert task.settings_from({"pictures": [2040, 10000]}) == {"count": 2040}
    built = task.build(lambda num_classes: tiny_vit(num_classes), ("a", "b"), count=77, views=1)
    assert built.backbone.head.weight.shape[1] == 77
    assert built.views == 1


def test_neighbours_are_its_test_and_pictures_need_no_labels(sets):
    task = make().initialise(0).eval()
    samples = data.Samples(sets[1], mean=0.5, std=0.5)
    tested = task.test(samples, lambda function: [function(np.arange(60))])
    assert tested.keys() == {"knn_accuracy"}
    unlabelled = data.Samples(data.Dataset(sets[1].images), mean=0.5, std=0.5)
    assert task.test(unlabelled, lambda function: [function(np.arange(60))]) == {}
    assert [rows.shape for rows in task.pictures(unlabelled, slice(3)).values()] == [(3, 32, 32, 3)] * 2


@pytest.mark.parametrize(("settings", "message"), [
    ({"views": 0}, "views: expected a whole number of at least 1, got 0"),
    ({"small_views": -1}, "small_views: expected a whole number of at least 0, got -1"),
    ({"cutmix": -0.5}, "cutmix: expected a number of at least 0, got -0.5"),
    ({"label_smoothing": 2}, "label_smoothing: expected a number from 0 to 1, got 2")])
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)
