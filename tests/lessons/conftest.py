"""A tiny run, which takes a moment to train: once for all tests of this folder, a copy for each."""

import shutil

import pytest

from minivit import data
from minivit.train import Run, train
from tests.lessons import tiny


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """The folder of the complete run, for copying alone."""
    folder = tmp_path_factory.mktemp("tiny") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda name: tiny.pictures())
        train(tiny.RECIPE, folder)
    return folder


@pytest.fixture
def tiny_run(trained_once, tmp_path, monkeypatch):
    """A complete run that a test may change, and its pictures in the place of every data set."""
    monkeypatch.setattr(data, "load", lambda name: tiny.pictures())
    return Run(shutil.copytree(trained_once, tmp_path / "run"))
