"""Prediction for a while, in a model that may be in the middle of its training."""

import contextlib


@contextlib.contextmanager
def evaluating(model):
    """Switch a model to prediction, as `eval` does; afterwards every part is in the mode in which it was before."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield model.eval()
    finally:
        for module, training in modes:
            module.training = training
