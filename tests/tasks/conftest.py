"""A small data set in the place of whatever a recipe names, and a recipe that trains on it in a second."""

import numpy as np
import pytest

from minivit import data
from minivit.data import shapes10
from minivit.train import Recipe


@pytest.fixture(scope="session")
def sets():
    """200 pictures to train on, 60 to test on."""
    return tuple(shapes10.draw(count, np.random.default_rng(count)) for count in (200, 60))


@pytest.fixture
def small_data(sets, monkeypatch):
    """Every data set is the small one."""
    monkeypatch.setattr(data, "load", lambda name: sets)
    return sets


@pytest.fixture
def recipe():
    """With everything that is random or has a state: dropout, augmentation, mixing, clipping, average."""
    return Recipe(settings={"dim": 16, "depth": 1, "heads": 2, "dropout": 0.1}, data="shapes10", device="cpu",
                  threads=2, steps=12, batch_size=50, average=0.9, evaluations=2, evaluation_size=20,
                  task_settings={"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1})
