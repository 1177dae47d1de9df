"""All that is known of every architecture, collected from tests/families/NAME.py: cases, small models, papers' figures.

A file there has any of these lists; docs/adding_an_architecture.md tells what belongs into them:

- CASES: `tests.golden.case.Case`, comparisons with an official implementation. Those with golden=True have their
  results stored in tests/golden.
- RUNS: `Run`, twenty steps of training beside PyTorch.
- MODELS: `Small`, models that are written to files under official names and read again.
- TIMM, TRANSFORMERS: `Saved`, official models that are saved by their library and loaded here.
- FIGURES: `Table`, parameters and operations as the literature prints them.
- WITHOUT_GRADIENT: ("vit", "name of a parameter") of parameters that the logits do not depend on, as a mask token.
- WITHOUT_PIXELS: "igpt", an architecture whose features have no gradient with respect to the pictures.
- FEATURES: (class of ours, [(settings of our `features`, settings of timm's `forward_intermediates`) ...]), where the
  maps are not simply those of all stages; an empty list where timm has no such maps.
- DIFFERENCES: lines for docs/parity.md, where implementations differ from each other.
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

import tests.families
from minivit.interop.families import family_of


class Run(NamedTuple):
    """A case that is trained, by "AdamW" or "SGD" with these settings, the same here and in PyTorch."""

    case: object
    optimiser: str
    settings: dict


class Small(NamedTuple):
    """A small model, make(**settings), and the names under which it has a counterpart.

    `unread` are those of them that no code can read from a file, as where a factory of timm refuses so small a size.
    `run` and `run_official` compute what is compared, where it is not what the models return: run(model, images), with
    images (B, height, width, C) and (B, C, height, width).
    """

    make: Callable
    settings: dict
    names: tuple
    unread: tuple = ()
    run: Callable | None = None
    run_official: Callable | None = None

    def __call__(self, names=""):
        """The model, as the library has it whose names these are."""
        return as_library_has_it(self.make, self.settings, names)

    @property
    def channels(self):
        """Of the pictures that it takes."""
        return self.settings.get("channels", 3)

    def __str__(self):
        return f"{self.make.__name__}-{'-'.join(self.names)}"


def label(value):
    """What -k picks a parametrised case by: the architecture's file, and its class or name in the literature."""
    if isinstance(value, Small):
        return f"{value.make.__module__.rpartition('.')[2]}-{value.make.__name__}"
    return f"{value.architecture}-{value.name}" if isinstance(value, Line) else None


class Saved(NamedTuple):
    """An official model and settings that make it small.

    `name` is an architecture of timm, or a class of transformers whose `processor` turns pictures into what it reads.
    `run` and `run_official` are as for `Small`. `pixels` is the side of the pictures on which settings are changed.
    """

    name: str
    settings: dict
    processor: str = ""
    run: Callable | None = None
    run_official: Callable | None = None
    pixels: int = 32


class Line(NamedTuple):
    """A line of a paper's table: millions of parameters, billions of operations, as printed there.

    `why` explains what deviates by more than 1 %; `exact` is the number of parameters of the official checkpoint.
    """

    name: str
    architecture: str
    variant: str
    parameters: str
    operations: str = ""
    why: str = ""
    exact: int | None = None


class Table(NamedTuple):
    """A paper's table; `factor` is 2 where multiplications and additions are counted apart."""

    title: str
    lines: list
    operations: str = "multiply-adds"
    factor: int = 1
    settings: dict = {}
    pixels: int = 224


def as_library_has_it(make, settings, names):
    """The model make(**settings), with what the library whose names these are always has beside."""
    config = family_of(make(**settings))[0].config(names)
    return make(**({each.setting: each.value for each in config.always} if config else {}) | settings)


@functools.cache
def modules():
    """The files of tests/families, in alphabetical order."""
    return [importlib.import_module(f"tests.families.{module.name}")
            for module in pkgutil.iter_modules(tests.families.__path__)]


def collect(name):
    """The entries of the lists of that name in all files."""
    return [entry for module in modules() for entry in getattr(module, name, ())]
