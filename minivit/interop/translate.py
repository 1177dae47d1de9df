"""From official names to ours and back: every tensor is used exactly once, or an error names it."""

import numpy as np

from ..names import expect
from .config import library_of, title_of
from .families import families, family_of
from .table import filled, is_derived, misfits, read, write

NAMES = ("timm", "transformers", "transformers4", "jax", "authors")


def to_official(model, names="timm"):
    """The weights of a model as {official name: array}, in the official layout.

    Parameters
    ----------
    model : Module
    names : str
        "timm"; "transformers", the names of its modules; "transformers4", those of version 4 and of files on the
        Hugging Face hub; "jax", those of ViT's authors; or "authors", those of an architecture's own repository.

    Raises
    ------
    ValueError
        If the model has no counterpart there.
    """
    config_of(model, names)  # refuses what has no counterpart
    family, _ = family_of(model)
    tensors = rename(model, model.state_dict(), names)
    for name in list(tensors) if family.counts_batches else ():
        if name.endswith(".running_var"):  # what PyTorch's BatchNorm keeps beside it
            tensors[name.replace("running_var", "num_batches_tracked")] = np.array(0)
    return tensors | family.kept(model, tensors)


def rename(model, arrays, names):
    """Arrays under our names, as a model's weights or their gradients, as {official name: array}."""
    family, _ = family_of(model)
    stored = {name: array for name, array in arrays.items() if name not in family.unstored}
    renamed = write(family.table(model, names), stored, family.sizes(model))
    return {name: np.asarray(array, order="C") for name, array in renamed.items()}


def from_official(model, tensors, source="checkpoint"):
    """Take over {official name: array}, under whichever names, into a model; returns it.

    Raises
    ------
    ValueError
        If the tensors are of another architecture, or any of them is missing, left over or misshapen; names them all.
        `source` is what the message begins with. Nothing has been changed then.
    """
    own, _ = family_of(model)
    family, names, table = recognise(tensors, source, own=own)
    if family is not own:
        raise ValueError(f"{source}: holds a {family.name} under the names of {names}, not a {type(model).__name__}")
    return take_over(model, family, table, tensors, source)


def take_over(model, family, table, tensors, source):
    """Load tensors into a model once every one of them has been found to fit."""
    check(model, family, table, tensors, source)
    state = read(table, tensors, family.sizes(model), family.computed).state
    state |= {name: array for name, array in model.state_dict().items() if name in family.unstored}
    return model.load_state_dict({name: np.asarray(array, order="C") for name, array in state.items()})


def shape_only(array):
    """An array of that shape which takes no memory."""
    return np.broadcast_to(np.float32(0), array.shape)


def check(model, family, table, tensors, source):
    """Raise a ValueError that names every tensor which is missing, left over or misshapen for a model."""
    ours = {name: shape_only(tensor) for name, tensor in model.named_parameters() + model.named_buffers()
            if name not in family.unstored}
    expected = {name: array.shape for name, array in write(table, ours, family.sizes(model)).items()}
    found = {name: array.shape for name, array in tensors.items() if not is_derived(name, family.computed)}
    problems = [f"missing: {name} {expected[name]}" for name in expected if name not in found]
    problems += [f"left over: {name} {found[name]}" for name in found if name not in expected]
    problems += [f"misshapen: {name}: expected {expected[name]}, got {found[name]}"
                 for name in expected if name in found and expected[name] != found[name]]
    if problems:
        raise ValueError(f"{source}: does not fit {type(model).__name__}:\n  " + "\n  ".join(problems))


def described_by(content, source="config.json"):
    """The families that a config.json may be of; None if it does not say.

    Raises
    ------
    ValueError
        If it is of a model that we do not have.
    """
    library = library_of(content)
    if not library:
        return None
    found = [family for family in families().values()
             if library in family.configs and family.configs[library].describes(content)]
    if not found:
        raise ValueError(f"{source}: {title_of(content)} has no counterpart in minivit, which has "
                         f"{', '.join(families())}")
    return found


def recognise(tensors, source, *, own=None, among=None, library=""):
    """(Family, "timm" ..., table) of the table that explains the names of a checkpoint best.

    Of several that do so equally well it is one of the family `own`. `among` are the families to choose from, and
    `library` the one whose names they have, if a config.json says so.
    """
    candidates = [(*misfits(table, tensors, family.computed), family is not own, index, family, names, table)
                  for index, (family, names, table) in enumerate(
                      (family, names, table) for family in among or families().values()
                      for names, tables in family.tables.items() if names.rstrip("4").startswith(library)
                      for table in (filled(table, tensors) for table in tables))]
    unknown, *_, family, names, table = min(candidates, key=lambda candidate: candidate[:4])
    if 2 * unknown > len(tensors):
        known = ", ".join(family.name for family in among or families().values())
        raise ValueError(f"{source}: no checkpoint of an architecture that minivit knows under official names: "
                         f"{known}; {unknown} of its {len(tensors)} tensors are unknown even to the nearest, "
                         f"{family.name} in the names of {names}")
    return family, names, table


def config_of(model, names):
    """What config.json says of a model's architecture; {} where nobody reads one.

    Raises
    ------
    ValueError
        If the model has no counterpart there.
    """
    expect("names", names, NAMES)
    family, kind = family_of(model)
    if names not in family.models[kind]:
        raise ValueError(f"{type(model).__name__} has no counterpart under the names of {names}; there are "
                         f"{', '.join(family.models[kind])}")
    config = family.config(names)
    return config.file(model) if config else {}
