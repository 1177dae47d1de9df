"""What the tests of fast forms share."""

import importlib

import numpy as np


def definition(module, name):
    """The function of minivit that has a fast form, by the name that it has without its underscore."""
    return getattr(importlib.import_module(f"minivit.{module}"), f"_{name}").__wrapped__


def assert_close(ours, expected, tolerance=2e-6):
    """Equal up to roundings, relative to the largest number."""
    assert ours.dtype == expected.dtype == np.float32
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max(initial=0) <= tolerance * np.abs(expected).max(initial=0)


def draw(rng, *shape):
    """Normally distributed numbers, float32."""
    return rng.standard_normal(shape, np.float32)
