"""Every setting and every argument of the steps of augmentation that is wrong is refused by its name."""

from functools import partial

import numpy as np
import pytest

from minivit import Tensor, data
from minivit.data.shapes10 import draw

BYTES = np.zeros((4, 8, 8, 3), np.uint8)
FLOATS = BYTES.astype(np.float32)
TARGETS = np.eye(4, dtype=np.float32)
mixup, cutmix = (partial(mix, FLOATS, TARGETS) for mix in (data.mixup, data.cutmix))
STEPS = {"random_crop": partial(data.random_crop, BYTES), "random_flip": partial(data.random_flip, BYTES),
         "random_erasing": partial(data.random_erasing, BYTES), "colour_jitter": partial(data.colour_jitter, BYTES),
         "rand_augment": partial(data.rand_augment, BYTES), "mixup": mixup, "cutmix": cutmix}
NAN, INF = float("nan"), float("inf")
SETTINGS = {
    ("random_crop", "padding"): [-1, 2.5, NAN, "4"],
    ("random_crop", "mode"): ["mirror", None],
    ("random_flip", "probability"): [-0.1, 1.1, NAN, "0.5"],
    ("random_erasing", "probability"): [-0.1, 1.1, NAN],
    ("random_erasing", "area"): [(0.4, 0.02), (-0.1, 0.4), (0.1, 1.5), (NAN, 1), 0.3, (0.1, 0.2, 0.3)],
    ("random_erasing", "aspect"): [(3, 0.3), (0, 1), (-1, 1), (0.3, INF), 2],
    ("colour_jitter", "brightness"): [-0.1, 1.5, NAN],
    ("colour_jitter", "contrast"): [-0.1, 1.5, NAN],
    ("colour_jitter", "saturation"): [-0.1, 1.5, NAN],
    ("colour_jitter", "hue"): [-0.1, 0.6, NAN],
    ("rand_augment", "operations"): [-1, 1.5],
    ("rand_augment", "magnitude"): [-1, 10.5, NAN],
    ("mixup", "alpha"): [0, -1, NAN, INF],
    ("cutmix", "alpha"): [0, -1, NAN, INF],
}


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("step", "setting", "value"),
                         [(*which, value) for which, values in SETTINGS.items() for value in values])
def test_a_setting_out_of_its_range(step, setting, value):
    with pytest.raises((TypeError, ValueError), match=f"{step}: {setting}: "):
        STEPS[step](rng(), **{setting: value})


@pytest.mark.parametrize("step", [*data.STEPS, "mixup", "cutmix"])
@pytest.mark.parametrize("images", [BYTES[0], FLOATS[None], BYTES.tolist(), Tensor(FLOATS), None])
def test_what_is_no_batch(step, images):
    arguments = (images, TARGETS, rng()) if "mix" in step else (images, rng())
    with pytest.raises((TypeError, ValueError), match=f"{step}: expected .*images"):
        getattr(data, step)(*arguments)


@pytest.mark.parametrize("step", [data.colour_jitter, data.rand_augment])
def test_colours_are_changed_of_bytes_alone(step):
    with pytest.raises(TypeError, match=f"{step.__name__}: expected uint8 images .*, got float32"):
        step(FLOATS, rng())


@pytest.mark.parametrize("mix", [data.mixup, data.cutmix])
@pytest.mark.parametrize(("targets", "told"), [
    (np.eye(4, dtype=int), r"expected floating-point targets \(B, K\), as one_hot makes them .* got int64 \(4, 4\)"),
    (np.arange(4), r"expected floating-point targets .* got int64 \(4,\)"),
    (TARGETS.tolist(), "expected targets as an array, got a list"),
    (Tensor(TARGETS), "expected targets as an array, got a Tensor"),
    (np.eye(4) > 0, "expected floating-point targets .* got bool"),
    (np.ones(4, np.float32), r"expected targets \(4, K\) for 4 images, got \(4,\)"),
    (np.eye(3, dtype=np.float32), r"expected targets \(4, K\) for 4 images, got \(3, 3\)")])
def test_targets_that_cannot_be_mixed(mix, targets, told):
    with pytest.raises((TypeError, ValueError), match=f"{mix.__name__}: {told}"):
        mix(FLOATS, targets, rng())


@pytest.mark.parametrize(("labels", "classes", "told"), [
    ([0, 3], 3, "expected labels from 0 to 2, got 0 to 3"), ([-1, 0], 3, "expected labels from 0 to 2, got -1 to 0"),
    ([0.0, 1.0], 3, r"expected integer labels \(B,\), got float64 \(2,\)"), ([[0], [1]], 3, r".* got int64 \(2, 1\)"),
    ([0], 0, "classes: expected a whole number of at least 1, got 0")])
def test_labels_that_are_no_class(labels, classes, told):
    with pytest.raises((TypeError, ValueError), match=f"one_hot: {told}"):
        data.one_hot(np.array(labels), classes)


@pytest.mark.parametrize("std", [0.0, [0.2, 0.0, 0.2], [-1, 1, 1], [NAN, 1, 1]])
def test_a_deviation_that_cannot_be_divided_by(std):
    with pytest.raises(ValueError, match="normalise: expected std above 0, got "):
        data.normalise(BYTES, 0.5, std)


@pytest.mark.parametrize(("settings", "told"), [
    (dict(batch_size=0), "batch_size: expected a whole number of at least 1, got 0"),
    (dict(batch_size=2.5), "batch_size: expected a whole number, got 2.5"),
    (dict(batch_size=2, start=-1), "batches: start: expected a whole number of at least 0, got -1")])
def test_batches_that_cannot_be_cut(settings, told):
    with pytest.raises((TypeError, ValueError), match=told):
        next(data.batches(draw(10, rng()), **settings))


@pytest.mark.parametrize(("images", "labels", "told"), [
    (FLOATS, np.arange(4), r"some: expected images as a uint8 array \(N, H, W, 3\), got float32 \(4, 8, 8, 3\)"),
    (BYTES[0], np.arange(8), r"some: expected images as a uint8 array .* got uint8 \(8, 8, 3\)"),
    (BYTES.tolist(), np.arange(4), "some: expected images as a uint8 array .* got a list"),
    (BYTES, np.arange(4.0), r"some: expected labels as an integer array \(N,\), got float64 \(4,\)"),
    (BYTES, np.eye(4, dtype=int), r"some: expected labels as an integer array .* got int64 \(4, 4\)"),
    (BYTES, [0, 1, 2, 3], "some: expected labels as an integer array .* got a list"),
    (BYTES, np.arange(3), "some: 4 images, but 3 labels"),
    (BYTES, np.arange(4) - 1, "some: expected labels from 0 to 3, as there are classes, got -1 to 2"),
    (BYTES, np.arange(4) + 1, "some: expected labels from 0 to 3, as there are classes, got 1 to 4")])
def test_a_data_set_that_does_not_fit_together(images, labels, told):
    with pytest.raises((TypeError, ValueError), match=told):
        data.Dataset(images, labels, tuple("abcd"), "some")


def test_a_number_of_shapes():
    with pytest.raises(ValueError, match="shapes10: number of pictures: expected a whole number of at least 0, got -5"):
        draw(-5, rng())
