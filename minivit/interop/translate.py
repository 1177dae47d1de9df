"""From official names to ours and back: every tensor is used exactly once, or an error names it."""

import importlib
import pkgutil

import numpy as np

from ..names import expect
from . import official
from .table import DERIVED, misfits, read, write

NAMES = ("timm", "transformers", "transformers4", "jax")


def to_official(model, names="timm"):
    """The weights of a model as {official name: array}, in the official layout.

    Parameters
    ----------
    model : Module
    names : str
        "timm"; "transformers", the names of its modules; "transformers4", those of version 4 and of files on the
        Hugging Face hub; or "jax", those of ViT's authors.

    Raises
    ------
    ValueError
        If the model has no counterpart there.
    """
    config_of(model, names)  # refuses what has no counterpart
    tensors = rename(model, model.state_dict(), names)
    for name in list(tensors):
        if name.endswith(".running_var"):  # what PyTorch's BatchNorm keeps beside it
            tensors[name.replace("running_var", "num_batches_tracked")] = np.array(0)
    return tensors


def rename(model, arrays, names):
    """Arrays under our names, as a model's weights or their gradients, as {official name: array}."""
    kind = official_of(model)
    table, sizes, renamed = dict(reversed(kind.TABLES))[names], kind.sizes(model), {}
    for name, array in arrays.items():
        for their, piece in write(table, name, array, sizes).items():
            renamed[their] = np.ascontiguousarray(piece)
    return renamed


def from_official(model, tensors, source="checkpoint"):
    """Take over {official name: array}, under whichever names, into a model; returns it.

    Raises
    ------
    ValueError
        If the tensors are of another architecture, or any of them is missing, left over or misshapen; names them all.
        `source` is what the message begins with. Nothing has been changed then.
    """
    kind, names, table = recognise(tensors, source)
    if kind is not official_of(model):
        raise ValueError(f"{source}: holds a {title(kind)} under the names of {names}, not a {type(model).__name__}")
    check(model, table, tensors, source)
    return model.load_state_dict(read(table, tensors).state)


def check(model, table, tensors, source):
    """Raise a ValueError that names every tensor which is missing, left over or misshapen for a model."""
    sizes, expected = official_of(model).sizes(model), {}
    for name, tensor in model.named_parameters() + model.named_buffers():
        shape_only = np.broadcast_to(np.float32(0), tensor.shape)
        expected |= {their: piece.shape for their, piece in write(table, name, shape_only, sizes).items()}
    found = {name: array.shape for name, array in tensors.items() if not DERIVED.fullmatch(name)}
    problems = [f"missing: {name} {expected[name]}" for name in expected if name not in found]
    problems += [f"left over: {name} {found[name]}" for name in found if name not in expected]
    problems += [f"misshapen: {name}: expected {expected[name]}, got {found[name]}"
                 for name in expected if name in found and expected[name] != found[name]]
    if problems:
        raise ValueError(f"{source}: does not fit {type(model).__name__}:\n  " + "\n  ".join(problems))


def recognise(tensors, source):
    """(architecture's module, "timm" ..., table) of the table that explains the names of a checkpoint best."""
    candidates = [(misfits(table, tensors), index, kind, names, table) for index, (kind, names, table) in enumerate(
        (kind, names, table) for kind in architectures() for names, table in kind.TABLES)]
    (unknown, _), _, kind, names, table = min(candidates)
    if 2 * unknown > len(tensors):
        raise ValueError(f"{source}: no checkpoint of an architecture that minivit knows under official names: "
                         f"{', '.join(title(kind) for kind in architectures())}; {unknown} of its {len(tensors)} "
                         f"tensors are unknown even to the nearest, {title(kind)} in the names of {names}")
    return kind, names, table


def architectures():
    """The modules of minivit.interop.official that describe an architecture."""
    found = [importlib.import_module(f"{official.__name__}.{module.name}")
             for module in pkgutil.iter_modules(official.__path__)]
    return [module for module in found if hasattr(module, "TABLES")]


def official_of(model):
    """The module of minivit.interop.official for a model, or for the class that it derives from."""
    known = {title(kind): kind for kind in architectures()}
    for ancestor in type(model).__mro__:
        kind = known.get(ancestor.__module__.rpartition(".")[2])
        if kind and ancestor.__module__.startswith("minivit."):
            return kind
    raise ValueError(f"{type(model).__name__} has no counterpart in timm or transformers that minivit knows; there are "
                     f"{', '.join(known)}")


def config_of(model, names):
    """What config.json says of a model's architecture; {} for "jax".

    Raises
    ------
    ValueError
        If the model has no counterpart there.
    """
    expect("names", names, NAMES)
    kind = official_of(model)
    if names not in dict(kind.TABLES):
        raise ValueError(f"{type(model).__name__} has no counterpart under the names of {names}; there are "
                         f"{', '.join(dict(kind.TABLES))}")
    return kind.timm_config(model) if names == "timm" else kind.transformers_config(model)


def title(kind):
    """The name of an architecture: vit."""
    return kind.__name__.rpartition(".")[2]
