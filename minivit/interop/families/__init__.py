"""What the world outside calls our architectures, a file each with one value, FAMILY, found by its name.

How to add an architecture is told, step by step, in docs/adding_an_architecture.md.
"""

import functools
import importlib
import pkgutil


@functools.cache
def families():
    """{name: Family} of every file here, in alphabetical order."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return {module.FAMILY.name: module.FAMILY for module in modules}


def family_of(model):
    """(Family, class) of a model, or of the nearest class that it derives from.

    Raises
    ------
    ValueError
        If the model has no counterpart.
    """
    for ancestor in type(model).__mro__:
        for family in families().values():
            if ancestor in family.models:
                return family, ancestor
            if ancestor in family.without:
                raise ValueError(f"{ancestor.__name__} has no counterpart in {' or '.join(family.tables)}: "
                                 f"{family.without[ancestor]}")
    raise ValueError(f"{type(model).__name__} has no counterpart in timm or transformers that minivit knows; there "
                     f"are {', '.join(families())}")
