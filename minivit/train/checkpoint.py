"""Files that are either the old version or the new one, whenever the machine stops; and checkpoints in such files.

A checkpoint is one safetensors file: arrays under names, and a dictionary of plain values as JSON in its header.
Reading it cannot run code, as unpickling could.
"""

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save


def write_atomically(path, content):
    """Replace a file by one with `content` (bytes or str); an error leaves the file as it was.

    The new file is written beside the old one, handed to the disk, and renamed.
    """
    path = Path(path)
    if isinstance(content, str):
        content = content.encode()
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with contextlib.suppress(OSError):  # Windows cannot open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save_checkpoint(path, state, **states):
    """Write a dictionary of plain values, and dictionaries of arrays: name="model" makes "model.NAME" of each NAME."""
    arrays = {f"{group}.{name}": np.asarray(array, order="C")  # safetensors would mix up any other order
              for group, named in states.items() for name, array in named.items()}
    write_atomically(path, save(arrays, {"state": json.dumps(state)}))


def load_checkpoint(path):
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
