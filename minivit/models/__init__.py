"""Architectures, one a file, found by looking into this folder: a file with VARIANTS is an architecture."""

import importlib
import pkgutil

from ..names import expect


def list_models():
    """{architecture: [names of its variants]}, both in the order in which a reader meets them."""
    return {name: list(_variants(name)) for name in _architectures()}


def create(architecture, variant="cifar", *, seed=0, **settings):
    """A new model, its weights to be drawn from a seed when they are first used.

    Parameters
    ----------
    architecture, variant : str
        As `list_models` names them: create("vit", "tiny").
    seed : int
        The same seed gives the same weights.
    **settings
        Change what the variant sets: num_classes, image_size, drop_path ..., as the model's class names them.

    Raises
    ------
    ValueError
        For a name that does not exist; the message suggests the nearest one.
    TypeError
        For a setting that the architecture does not have.
    """
    expect("model", architecture, _architectures())
    variants = _variants(architecture)
    expect(f"variant of {architecture}", variant, variants)
    return variants[variant](**settings).initialise(seed)


def _architectures():
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _variants(architecture):
    return importlib.import_module(f"{__name__}.{architecture}").VARIANTS
