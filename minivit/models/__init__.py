"""Architectures, one a file, found by looking into this folder: a file with VARIANTS is an architecture.

What segmentation, detection, distillation and looking inside rely on, every model has:

    image_size          (height, width) in pixels of the pictures that it is made for
    features(images)    [(B, H, W, C), ...], what each stage makes, the finest grid first, before any norm behind it;
                        of a model without stages what the head reads, or with layers=(2, 5) what those blocks make
    head                what makes classes of the picture's one vector; Identity with num_classes=0

A file whose models are made for something else than classification says so: TASK = "detect". Such a model is built on
one of the others, its `backbone`, by the task of that name.

What learning from masked pictures relies on, those models have that begin with patches:

    patches(images)     (B, H, W, D), tokens before anything tells them where they are, or lets them look at each other
    encoded(patches)    (B, h, w, C), what the head reads, made of patches some of which may have been changed
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from typing import Any

from ..engine import no_grad
from ..names import expect
from ..nn.module import Module, intercept_calls
from ..tensor import Tensor
from ..types import Array


def list_models(task: str | None = None) -> dict[str, list[str]]:
    """{architecture: [names of its variants]}, both in the order in which a reader meets them.

    Of all architectures, or of those that are made for a task: "classify", "detect".
    """
    return {name: list(_variants(name)) for name in _architectures() if task in (None, task_of(name))}


def task_of(architecture: str) -> str:
    """The task that the models of an architecture are made for: "classify", where its file names no other."""
    return getattr(_file(architecture), "TASK", "classify")


def create(architecture: str, variant: str = "cifar", *, seed: int = 0, **settings: Any) -> Module:
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
    return _maker(architecture, variant)(**settings).initialise(seed)


def picture_vectors(model: Module, images: Array) -> Array:
    """What the head reads, one vector a picture, as an array without a graph.    (B, H, W, C) -> (B, D)"""
    read = []

    def watch(module, inputs, settings):
        if module is model.head:
            read.append(inputs[0].data)
        return module.forward(*inputs, **settings)
    with no_grad(), intercept_calls(watch):
        model(Tensor.without_copy(images))
    return read[0]


def settings_of(architecture: str, variant: str = "cifar") -> set[str]:
    """The names of all settings that `create` takes for a variant, as a set."""
    maker, names = _maker(architecture, variant), set()
    for ancestor in maker.func.__mro__:
        if "__init__" in vars(ancestor):
            parameters = inspect.signature(ancestor.__init__).parameters.values()
            names |= {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
                break  # it hands nothing on to the class that it derives from
    return names


def check_settings(architecture: str, variant: str, settings: Iterable[str]) -> None:
    """Raise a ValueError, which suggests the nearest right name, unless a variant takes all of these settings."""
    names = sorted(settings_of(architecture, variant))
    for name in settings:
        expect(f"setting of {architecture}", name, names)


def _maker(architecture, variant):
    expect("model", architecture, _architectures())
    variants = _variants(architecture)
    expect(f"variant of {architecture}", variant, variants)
    return variants[variant]


def _architectures():
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _variants(architecture):
    return _file(architecture).VARIANTS


def _file(architecture):
    return importlib.import_module(f"{__name__}.{architecture}")
