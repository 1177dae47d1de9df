"""The training loop of the notebooks: the same weights as the recipe's loop, any objective, a budget."""

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
