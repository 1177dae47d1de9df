"""The training loop of the notebooks: the same weights as the recipe's loop, any objective, a budget."""

import dataclasses

import numpy as np
import pytest

from minivit import create, data
from minivit.lessons import Pictures, accuracy, budget, fit, load_pictures
from minivit.tasks.mae import MAE
from minivit.train import Recipe, train

TINY = {"dim": 16, "depth": 1, "heads": 2}


@pytest.fixture(scope="module")
def pictures():
    train_set, test_set = data.shapes10.load_shapes10(train=96, test=32)
    return Pictures(train_set, test_set, *data.channel_statistics(train_set.images))


def test_the_same_weights_as_a_run_of_the_recipe(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name: (pictures.train, pictures.test))
    recipe = Recipe(settings=TINY, data="shapes10", steps=5, batch_size=16, threads=1, device="cpu", seed=3)
    expected, run = train(recipe, tmp_path / "run")
    model = create("vit", "cifar", seed=3, **TINY)
    fit(model, pictures, steps=5, batch_size=16, threads=1, seed=3)
    for name, value in expected.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], value, err_msg=name)
    assert accuracy(model, pictures, threads=1) == run.result()["test_accuracy"]


def test_history_has_means_since_the_line_before(pictures):
    model, seen = create("vit", "cifar", **TINY), []

    def objective(images, labels):
        loss = (model(images) ** 2).mean()
        seen.append(loss.item())
        return loss, {"twice": 2}
    history = fit(model, pictures, steps=150, batch_size=4, threads=1, objective=objective)
    assert [line["step"] for line in history][:4] == [1, 3, 4, 6]
    assert len(history) == 100
    np.testing.assert_allclose(history[1]["loss"], np.mean(seen[1:3]), rtol=1e-6)
    assert {line["twice"] for line in history} == {2.0}
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]


def test_learning_without_labels(pictures):
    model = MAE(lambda **settings: create("vit", "cifar", **TINY | settings), decoder_dim=8, decoder_depth=1,
                decoder_heads=2)
    looks, state = [], model.state_dict()
    history = fit(model, pictures, steps=30, batch_size=16, threads=2, look=looks.append)
    assert looks == history
    assert history[-1]["loss"] < history[0]["loss"]
    assert "accuracy" not in history[0]
    again = fit(model.load_state_dict(state), pictures, steps=30, batch_size=16, threads=2,
                objective=lambda images, _: model(images))
    assert [line["loss"] for line in again] == [line["loss"] for line in history]


def test_a_training_with_a_folder_goes_on_where_it_was_stopped(pictures, tmp_path):
    def train_tiny(folder, look=None):
        model = create("vit", "cifar", seed=3, **TINY)
        history = fit(model, pictures, steps=12, batch_size=16, threads=1, seed=3, folder=folder, look=look)
        return model.state_dict(), [{key: line[key] for key in ("step", "loss")} for line in history]

    def stop(line):
        if line["step"] == 7:
            raise RuntimeError("look at step 7")
    expected, expected_history = train_tiny(tmp_path / "never stopped")
    with pytest.raises(RuntimeError, match="look at step 7"):
        train_tiny(tmp_path / "stopped", stop)
    found, history = train_tiny(tmp_path / "stopped")
    assert history == expected_history
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    with pytest.raises(ValueError, match="holds a run with another recipe"):
        fit(create("vit", "cifar", **TINY), pictures, steps=13, threads=1, folder=tmp_path / "stopped")


def test_budget(monkeypatch):
    monkeypatch.delenv("MINIVIT_BUDGET", raising=False)
    assert budget(600, smoke=4) == 600
    monkeypatch.setenv("MINIVIT_BUDGET", "smoke")
    assert budget(600, smoke=4) == 4
    assert load_pictures(train=50).train.images.shape == (50, 32, 32, 3)
    monkeypatch.setenv("MINIVIT_BUDGET", "smok")
    with pytest.raises(ValueError, match="did you mean 'smoke'|smoke"):
        budget(600, smoke=4)


def test_pictures_held_out_are_the_same_every_time_and_balanced(monkeypatch):
    monkeypatch.setenv("MINIVIT_BUDGET", "smoke")
    pictures, again, all_of_them = (load_pictures(validation=100), load_pictures(validation=100, train=50),
                                    load_pictures())
    assert np.bincount(pictures.validation.labels).tolist() == [10] * 10
    assert (len(pictures.train), len(again.train), all_of_them.validation) == (500, 50, None)
    np.testing.assert_array_equal(pictures.validation.images, again.validation.images)
    np.testing.assert_array_equal(pictures.train.images[:50], again.train.images)
    both = np.concatenate([pictures.train.images, pictures.validation.images]).reshape(600, -1)  # (600, H*W*C)
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(all_of_them.train.images.reshape(600, -1), axis=0))
    np.testing.assert_array_equal(pictures.mean, data.channel_statistics(pictures.train.images)[0])
    with pytest.raises(ValueError, match="from 1 to 599 of the 600 training pictures, got 600"):
        load_pictures(validation=600)


def test_fit_looks_at_the_validation_set_and_changes_nothing_by_it(pictures, tmp_path):
    held_out = dataclasses.replace(pictures, validation=pictures.test.subset(slice(20)))

    def train_tiny(pictures, **settings):
        model = create("vit", "cifar", seed=3, **TINY)
        return model, fit(model, pictures, steps=8, batch_size=16, threads=1, seed=3, **settings)
    looks = []
    (model, history), (plain, _) = train_tiny(held_out, evaluations=1, look=looks.append), train_tiny(pictures)
    for name, value in plain.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], value)
    assert [line["step"] for line in history if "validation_accuracy" in line] == [4, 8]
    assert len(history) == 8
    assert not any(key.startswith("test_") for line in [*history, *looks] for key in line)
    assert history[-1]["validation_accuracy"] == accuracy(model, held_out, of="validation", threads=1)
    assert {"loss", "validation_loss"} <= history[-1].keys()
    _, saved = train_tiny(held_out, evaluations=1, folder=tmp_path / "run")
    assert [line.get("validation_loss") for line in saved] == [line.get("validation_loss") for line in history]


def test_accuracy_says_of_which_pictures(pictures):
    model = create("vit", "cifar", **TINY)
    assert accuracy(model, pictures, of="train", threads=1) in np.arange(97) / 96
    with pytest.raises(ValueError, match="these pictures have no validation set"):
        accuracy(model, pictures, of="validation", threads=1)
    with pytest.raises(ValueError, match="validation"):
        accuracy(model, pictures, of="valid", threads=1)


def test_without_a_title_there_is_no_progress_bar(pictures, capfd):
    held_out = dataclasses.replace(pictures, validation=pictures.test)
    for title, shown in ((None, False), ("train", True)):
        fit(create("vit", "cifar", **TINY), held_out, steps=2, batch_size=16, threads=1, title=title)
        assert bool("".join(capfd.readouterr())) == shown
