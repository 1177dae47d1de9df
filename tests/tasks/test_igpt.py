"""The next colour: the palette, the loss, completions, and a run that keeps its palette."""

import math

import numpy as np
import pytest

from minivit import create, data
from minivit.tasks import igpt
from minivit.train import Run, start
from tests.tasks.contract import RECIPE, check_resume, check_threads

SMALL = dict(dim=16, depth=2, heads=2, shrink=4, colours=8)


def make():
    return igpt.NextColour(create("igpt", "cifar", num_classes=0, **SMALL))


def test_the_palette_is_where_pixels_gather(rng):
    centres = np.array([[0.0, 0, 0], [3, 0, 0], [0, 3, 0], [0, 0, 3]])
    pixels = centres[rng.integers(4, size=2000)] + 0.1 * rng.standard_normal((2000, 3))
    palette = igpt.palette_of(pixels, 4)
    assert palette.dtype == np.float32
    distance = np.linalg.norm(palette[:, None] - centres, axis=-1)
    assert sorted(distance.argmin(axis=1)) == [0, 1, 2, 3]
    assert distance.min(axis=1).max() < 0.05


def test_the_palette_comes_from_the_training_pictures_and_tells_them_better_than_a_cube(sets):
    task, samples = make().initialise(0), data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3)

    def error():
        images = samples.view(np.arange(40))
        x = images.reshape(40, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(-1, 3)
        return np.abs(x - task.model.palette.numpy()[task.model.colours_of(images).reshape(-1)]).mean()
    before = error()
    task.prepare(samples)
    assert error() < 0.6 * before


def test_the_loss_is_that_of_each_colour_after_those_before(rng):
    task, images = make().initialise(1).astype(np.float64), rng.standard_normal((2, 32, 32, 3))
    colours, losses = task.model.colours_of(images), []
    for b in range(2):
        for n in range(64):
            read = np.concatenate([[8], colours[b, :n]])[None]   # the start's number is that behind the last colour
            logits = task.model.next_colours(read).numpy()[0, -1]
            losses.append(math.log(np.exp(logits).sum()) - logits[colours[b, n]])
    loss, numbers = task.loss(images)
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-9)
    assert numbers["bits"] == pytest.approx(loss.item() / math.log(2))
    assert list(task.plateaus(4).values()) == [pytest.approx(math.log(8))]


def test_completions_keep_what_is_known_and_follow_the_model(rng):
    task = make().initialise(0)
    known = rng.integers(0, 8, (3, 32))
    found = task.complete(known, np.random.default_rng(1))
    assert found.shape == (3, 64)
    np.testing.assert_array_equal(found[:, :32], known)
    assert (found != task.complete(known, np.random.default_rng(2))).any()
    task.model.to_colours.weight.data = np.zeros((16, 8), np.float32)
    task.model.norm.weight.data = np.zeros(16, np.float32)
    many = task.complete(np.zeros((400, 62), int), np.random.default_rng(1))[:, 62:]
    np.testing.assert_allclose(np.bincount(many.reshape(-1), minlength=8) / 800, 1 / 8, atol=0.04)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


def test_any_number_of_threads_computes_the_same(sets):
    check_threads(make, sets)


def test_a_run_keeps_its_palette_and_what_begins_with_it_takes_it_over(small_data, tmp_path):
    from dataclasses import replace
    recipe = replace(RECIPE, task="igpt", model="igpt", settings=SMALL, steps=2)
    model, run = start.train(recipe, tmp_path / "first")
    assert np.abs(model.palette.numpy() - create("igpt", **SMALL).palette.numpy()).max() > 0.1
    np.testing.assert_array_equal(start.load_model(run).palette.numpy(), model.palette.numpy())
    for task in ("igpt", "classify"):
        other, _ = start.train(replace(recipe, task=task, init=str(run.folder)), tmp_path / task)
        np.testing.assert_allclose(other.palette.numpy(), model.palette.numpy(), rtol=1e-6)
    assert Run(tmp_path / "classify").result()["test_accuracy"] >= 0


def test_the_pictures(sets):
    task = make().initialise(0).eval()
    task.prepare(data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3))
    rows = task.pictures(data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3), slice(3))
    assert list(rows) == ["picture", "in its colours", "what the model sees", "one continuation",
                          "another continuation"]
    assert {(row.shape, row.dtype.name) for row in rows.values()} == {((3, 32, 32, 3), "uint8")}
    for row in list(rows.values())[2:]:
        np.testing.assert_array_equal(row[:, :16], rows["in its colours"][:, :16])


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="igpt: needs the model igpt, which reads colours; this is a ViTGAP"):
        igpt.NextColour(create("vit"))
