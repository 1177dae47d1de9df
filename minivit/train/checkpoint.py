"""Checkpoints: arrays under names, and a dictionary of plain values as JSON, in one safetensors file.

Reading it cannot run code, as unpickling could.
"""

import json
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import save

from ..files import write_atomically
from ..types import AnyPath, State


def save_checkpoint(path: AnyPath, state: dict[str, Any], **states: State) -> None:
    """Write a dictionary of plain values, and dictionaries of arrays: name="model" makes "model.NAME" of each NAME."""
    arrays = {f"{group}.{name}": np.asarray(array, order="C")  # safetensors would mix up any other order
              for group, named in states.items() for name, array in named.items()}
    write_atomically(path, save(arrays, {"state": json.dumps(state)}))


def load_checkpoint(path: AnyPath) -> tuple[dict[str, Any], dict[str, State]]:
    """What `save_checkpoint` wrote: (state, {group: {name: array}}).

    Raises
    ------
    ValueError
        If the file is no checkpoint, or a damaged one.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            state = json.loads(file.metadata()["state"])
            states = {}
            for full_name in file.keys():  # noqa: SIM118 (not a dictionary)
                group, _, name = full_name.partition(".")
                states.setdefault(group, {})[name] = file.get_tensor(full_name)
    except (safetensors.SafetensorError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not a checkpoint of minivit, or a damaged one ({error})") from error
    return state, states
