"""Modules with random numbers everywhere, and what `fold` makes of them: what tests of several architectures share."""

import numpy as np
import pytest

from minivit import nn


def drawn(module, rng):
    """The same in float64 and eval(), with random numbers that keep the size of activations; running statistics too."""
    for name, tensor in module.astype(np.float64).named_parameters() + module.named_buffers():
        z = rng.standard_normal(tensor.shape)
        fan_in = max(1, np.prod(tensor.shape[:-1])) if tensor.ndim > 1 else 4
        tensor.data = np.exp(z) if name.endswith("running_var") else z / np.sqrt(fan_in)
    return module.eval()


def assert_folds(model, images, rng):
    """The inference form computes the same, 1e-10 relative; it is refused in training. Returns it."""
    with pytest.raises(ValueError, match="in training"):
        nn.fold(model.train())
    folded = nn.fold(drawn(model, rng))
    expected = model(images).numpy()
    np.testing.assert_allclose(folded(images).numpy(), expected, atol=1e-10 * np.abs(expected).max())
    return folded


def assert_folds_whole(model, images, rng):
    """The same, and no BatchNorm is left."""
    folded = assert_folds(model, images, rng)
    assert not norms(folded)
    return folded


def norms(model):
    """The names of the BatchNorms that a model has left."""
    return [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
