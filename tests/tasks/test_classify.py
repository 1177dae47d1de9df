"""Classification: what is counted, what is mixed, and what is refused."""

import numpy as np
import pytest

from minivit import create, data
from minivit.data import shapes10
from minivit.tasks.classify import Classify, Objective
from minivit.train import Threads, evaluate

SMALL = {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}


@pytest.fixture(scope="module")
def samples():
    return data.Samples(shapes10.draw(300, np.random.default_rng(0)), mean=[0.5] * 3, std=[0.25] * 3)


def measured(task, samples, threads=2):
    with Threads(threads) as team:
        return evaluate(task, samples, team, progress=False)


def test_accuracy_and_confusion_are_counted_over_all_pictures(samples):
    model = create("vit", "cifar", **SMALL)
    found = measured(Classify(model), samples)
    predicted = model(samples.view(slice(None))).numpy().argmax(axis=1)
    assert found["accuracy"] == (predicted == samples.labels).mean()
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (samples.labels, predicted), 1)
    assert found["confusion"] == expected.tolist()
    assert measured(Classify(model), samples, threads=1)["loss"] == found["loss"]


@pytest.mark.parametrize("logits", [5, 11, 100])
def test_another_number_of_logits_than_classes_is_told(samples, logits):
    with pytest.raises(ValueError, match=f"model: has {logits} logits, but shapes10 has 10 classes"):
        measured(Classify(create("vit", "cifar", num_classes=logits, **SMALL)), samples)


@pytest.mark.parametrize(("settings", "message"), [
    ({"mixup": -0.1}, r"mixup: expected a number of at least 0, got -0\.1"),
    ({"cutmix": float("inf")}, "cutmix: expected a number of at least 0, got inf"),
    ({"mixup": float("nan")}, "mixup: expected a number of at least 0, got nan"),
    ({"label_smoothing": 1.0}, r"label_smoothing: expected 0 <= label_smoothing < 1, got 1\.0")])
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        Classify(None, **settings)


def test_mixing_takes_one_of_two_ways_by_chance(samples):
    task, chosen = Classify(None, mixup=0.5, cutmix=1.0), np.arange(20)
    plain = samples.view(chosen)
    kinds = set()
    for seed in range(20):
        images, targets = task.batch(samples, chosen, np.random.default_rng(seed))
        assert targets.shape == (20, 10)
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        copied = (images == plain).all(axis=-1).mean()   # CutMix leaves most pixels as they are, mixup hardly any
        kinds.add("cutmix" if copied > 0.3 else "mixup")
    assert kinds == {"mixup", "cutmix"}


def test_an_objective_may_report_nothing_or_several_numbers(samples):
    model = create("vit", "cifar", **SMALL)
    images, labels = samples.view(np.arange(4)), samples.labels[:4]
    alone = Objective(model, lambda images, labels: model(images).sum())
    assert alone.loss(images, labels)[1] == {}
    both = Objective(model, lambda images, labels: (model(images).sum(), {"four": len(labels)}))
    assert both.loss(images, labels)[1] == {"four": 4}
