"""Recipes: plain values, checked, found by name or file."""

import json
import pkgutil
from dataclasses import replace

import pytest

from minivit import data, models
from minivit.precision import precision
from minivit.train import Recipe, load_recipe, recipes, start, train
from tests.train.runs import batches_of

NAMES = [module.name for module in pkgutil.iter_modules(recipes.__path__)]


def test_round_trip_through_json():
    recipe = Recipe(settings={"dim": 64}, augmentation=[("random_crop", {"padding": 2})], epochs=3, average=0.99)
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again.to_dict() | {"augmentation": None} == recipe.to_dict() | {"augmentation": None}
    assert again.augmentation == [["random_crop", {"padding": 2}]]


@pytest.mark.parametrize(("settings", "message"), [
    ({"lr": 0}, "lr: expected a number above 0, got 0"),
    ({"lr": float("nan")}, "lr: expected a number above 0, got nan"),
    ({"steps": -1}, "steps: expected a whole number above 0, got -1"),
    ({"steps": 2.5}, r"steps: expected a whole number above 0, got 2\.5"),
    ({"batch_size": "64"}, "batch_size: expected a whole number above 0, got '64'"),
    ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
    ({"clip": -1}, "clip: expected a number above 0, got -1"),
    ({"agc": 0}, "agc: expected a number above 0, got 0"),
    ({"warmup": 3}, "warmup: expected a number from 0 to 1, got 3"),
    ({"final_lr": -0.1}, r"final_lr: expected a number from 0 to 1, got -0\.1"),
    ({"weight_decay": -1}, "weight_decay: expected a number of at least 0, got -1"),
    ({"final_weight_decay": -1}, "final_weight_decay: expected a number of at least 0, got -1"),
    ({"weight_decay": 0.0, "final_weight_decay": 0.4}, r"final_weight_decay: 0\.4 needs a weight_decay above 0"),
    ({"average": 1}, "average: expected a number from 0 to below 1, got 1"),
    ({"task": "classfy"}, "did you mean 'classify'"),
    ({"optimiser": "adam"}, "did you mean 'adamw'"),
    ({"optimiser": "sam", "optimiser_settings": {"base": "adam"}}, "base. of sam: 'adam' .*did you mean 'adamw'"),
    ({"optimiser": "sam", "optimiser_settings": {"base": "sam"}}, "base. of sam: 'sam'"),
    ({"precision": "bf16"}, "there are float32, tf32, bfloat16"),
])
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)


def test_a_precision_that_the_device_has_not_is_refused():
    with pytest.raises(ValueError, match="precision: 'tf32' needs a GPU with nvmath-python"):
        start.decide(Recipe(precision="tf32", device="cpu"))
    assert start.decide(Recipe(device="cpu")).precision == "float32"


def test_a_run_has_the_precision_of_its_recipe(small_data, recipe, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(start, "decide", lambda recipe: recipe)
    monkeypatch.setattr(start, "fit", lambda *args, **settings: iter(seen.append(precision()) or ()))
    start.train(Recipe(**recipe.to_dict() | {"precision": "tf32"}), tmp_path / "run")
    assert seen == ["tf32"]
    assert precision() == "float32"


def test_a_recipe_of_another_version_is_refused():
    with pytest.raises(ValueError, match="unknown sharpness; was the run made by another version"):
        Recipe.from_dict({"sharpness": 1})


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_names_what_there_is_and_says_what_came_out(name):
    recipe = load_recipe(name)
    models.create(recipe.model, recipe.variant, **recipe.settings)
    for step, _ in recipe.augmentation:
        data.augmentation(step)
    text = __import__(f"{recipes.__name__}.{name}", fromlist=["recipe"]).__doc__
    for word in ("python -m minivit train --recipe", "Time", "Machine", "Seed", "Result"):
        assert word in text, f"{name}: the docstring does not say {word}"


def test_the_recipe_for_a_gpu_starts_on_a_cpu_as_well(small_data, tmp_path):
    recipe = replace(load_recipe("vit_200epochs_gpu"), device="cpu", precision="float32", threads=2, epochs=None,
                     steps=2, batch_size=4, evaluations=1, evaluation_size=4)
    model, run = train(recipe, tmp_path / "run")
    assert sum(parameter.size for parameter in model.parameters()) == pytest.approx(6.3e6, rel=0.01)
    assert run.result()["step"] == 2


def test_names_and_files_that_do_not_exist(tmp_path):
    with pytest.raises(ValueError, match=r"recipe: 'vit_15min\.' does not exist; did you mean 'vit_15min'"):
        load_recipe("vit_15min.")
    with pytest.raises(ValueError, match="there is no file"):
        load_recipe(str(tmp_path / "mine.py"))
    (tmp_path / "mine.py").write_text("recipe = 3")
    with pytest.raises(ValueError, match="no variable `recipe` that is a Recipe"):
        load_recipe(str(tmp_path / "mine.py"))


def test_batches_depend_on_seed_and_step_alone(sets, recipe):
    def batch(step, before=(), seed=0):
        with batches_of(sets[0], Recipe(**recipe.to_dict() | {"seed": seed}), 0.5, 0.25) as batches:
            for other in before:
                batches[other]
            return batches[step]
    images, targets = batch(5)
    assert images.shape == (50, 32, 32, 3)
    assert images.dtype == targets.dtype == "float32"
    assert targets.sum(axis=1) == pytest.approx(1, abs=1e-5)
    for again in [batch(5, before=(0, 1)), batch(5, before=(4,)), batch(5, before=(9, 2))]:
        assert (again[0] == images).all()
        assert (again[1] == targets).all()
    assert (batch(5, seed=1)[0] != images).any()


def test_an_epoch_shows_every_picture_once(sets):
    recipe = Recipe(augmentation=[], batch_size=60, device="cpu", threads=1)
    train_set = sets[0].subset(slice(180))
    with batches_of(train_set, recipe, 0.0, 1.0) as batches:
        epochs = [[batches[step] for step in range(start, start + 3)] for start in (0, 3)]
    shown = [sorted(image.tobytes() for images, _ in epoch for image in images) for epoch in epochs]
    assert shown[0] == shown[1]
    assert len(set(shown[0])) == 180
    assert (epochs[0][0][1] != epochs[1][0][1]).any()
