"""Small models of every architecture that has an official counterpart, and the names that it has there."""

import numpy as np

from tests.known import collect

MODELS = collect("MODELS")
PAIRS = [(make, names) for make in MODELS for names in make.names]
FOLDERS = [(make, names) for make, names in PAIRS if names not in ("jax", "authors")]  # with a config.json


def numbers(output):
    """All that a model returns, in one row: a tensor, or several in a tuple, list or dictionary."""
    if isinstance(output, dict):
        output = list(output.values())
    parts = output if isinstance(output, (tuple, list)) else [output]
    return np.concatenate([part.numpy().ravel() for part in parts])
