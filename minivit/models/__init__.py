"""Architectures, one a file, found by looking into this folder: a file with VARIANTS is an architecture."""

import difflib
import importlib
import pkgutil


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
    _expect("model", architecture, _architectures())
    variants = _variants(architecture)
    _expect(f"variant of {architecture}", variant, variants)
    return variants[variant](**settings).initialise(seed)


def _architectures():
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _variants(architecture):
    return importlib.import_module(f"{__name__}.{architecture}").VARIANTS


def _expect(what, name, names):
    if name not in names:
        nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
        suggestion = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(f"{what}: {name!r} does not exist; {suggestion}there are {', '.join(names)}")
