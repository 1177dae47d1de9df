"""Models with random numbers everywhere, and whether folded they compute the same."""

import numpy as np
import pytest

from minivit import nn


def drawn(module, rng):
    """The same in float64 and eval(), with random numbers everywhere, running statistics too."""
    for name, tensor in module.astype(np.float64).named_parameters() + module.named_buffers():
        z = rng.standard_normal(tensor.shape)
        tensor.data = np.exp(z) if name.endswith("running_var") else 0.5 * z
    return module.eval()


def assert_folds(module, images, rng):
    """Folded, the module has no BatchNorm and computes the same; in training it is refused.    -> the folded one"""
    with pytest.raises(ValueError, match="in training"):
        nn.fold(module)
    folded = nn.fold(drawn(module, rng))
    assert not [part for part in folded.modules() if isinstance(part, nn.BatchNorm2d)]
    expected = module(images).numpy()
    np.testing.assert_allclose(folded(images).numpy(), expected, atol=1e-10 * np.abs(expected).max())
    return folded
