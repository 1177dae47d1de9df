"""Whatever predicts leaves every part of a model in the mode in which it was."""

import numpy as np
import pytest

from minivit import create, viz
from minivit.data import Samples, read_picture, shapes10
from minivit.interop import Pretrained, Preprocessing, predict_classes
from minivit.lessons import Pictures, accuracy
from minivit.nn import evaluating
from minivit.tasks.classify import Classify
from minivit.train import Threads, evaluate

PICTURES = shapes10.draw(20, np.random.default_rng(0))
HALF = np.full(3, 0.5, np.float32)


def predict_one(model):
    model.pretrained = Pretrained("mine", Preprocessing((32, 32), (32, 32)))
    predict_classes(model, read_picture(PICTURES.images[0]))


def evaluate_all(model):
    with Threads(1) as threads:
        evaluate(Classify(model), Samples(PICTURES, mean=HALF, std=HALF), threads, progress=False)


USES = {
    "interop.predict": predict_one,
    "viz.attention_maps": lambda model: viz.attention_maps(model, PICTURES.images[:2] / np.float32(255)),
    "train.evaluate": evaluate_all,
    "lessons.accuracy": lambda model: accuracy(model, Pictures(PICTURES, PICTURES, HALF, HALF), threads=1),
}


def modes(model):
    return [module.training for module in model.modules()]


@pytest.fixture(params=["training", "prediction", "a frozen part"])
def model(request):
    model = create("vit", "cifar", dim=24, depth=2, heads=2).train(request.param != "prediction")
    if request.param == "a frozen part":
        model.blocks[0].eval()
    return model


@pytest.mark.parametrize("use", USES)
def test_the_mode_is_as_before(model, use):
    before = modes(model)
    USES[use](model)
    assert modes(model) == before


def test_inside_all_parts_predict(model):
    with evaluating(model) as same:
        assert same is model
        assert not any(modes(model))


def test_an_error_inside_changes_nothing(model):
    before = modes(model)
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert modes(model) == before
