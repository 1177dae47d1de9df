"""Checkpoint files: arrays under names, in safetensors or in NumPy's npz. Neither can run code; pickles are refused."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".tar")
REMEDY = ("a pickle can run any code when it is opened, so it is refused. Look for a model.safetensors beside it; or, "
          "if you trust its source, let PyTorch convert it: safetensors.torch.save_file(torch.load(\"{name}\", "
          "weights_only=True), \"model.safetensors\")")


def read_tensors(path):
    """{name: array} of a .safetensors or .npz file; numbers of 16 bits become float32.

    Raises
    ------
    ValueError
        If the file is truncated or damaged, a pickle, or of another kind.
    """
    path = Path(path)
    if path.suffix in PICKLES:
        raise ValueError(f"{path}: {REMEDY.format(name=path.name)}")
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(f"{path}: expected a file that ends in .safetensors or .npz, or a folder with one")
    try:
        return _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
    except (safetensors.SafetensorError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise ValueError(f"{path}: truncated or damaged ({error}); fetch it again") from error


def write_tensors(path, tensors, metadata=None):
    """Write {name: array} to a .safetensors or .npz file; `metadata` (text by name) goes into safetensors alone."""
    path = Path(path)
    if path.suffix == ".npz":
        np.savez(path, **tensors)
    elif path.suffix == ".safetensors":
        # safetensors would mix up any other order of the axes in memory
        save_file({name: np.asarray(array, order="C") for name, array in tensors.items()}, path, metadata)
    else:
        raise ValueError(f"{path}: expected a file that ends in .safetensors or .npz, or a folder")


def find_weights(folder):
    """The file with the weights in a folder.

    Raises
    ------
    ValueError
        If there is none, or more than one; the message says so when there are only pickles.
    """
    folder = Path(folder)
    found = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".npz"))
    if len(found) > 1:
        found = [path for path in found if path.name == "model.safetensors"] or found
    if len(found) == 1:
        return found[0]
    pickles = sorted(path for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles and not found:
        raise ValueError(f"{pickles[0]}: {REMEDY.format(name=pickles[0].name)}")
    names = ", ".join(path.name for path in found) or "none"
    raise ValueError(f"{folder}: expected one file that ends in .safetensors or .npz, got {names}")


def read_json(path):
    """A JSON object from a file; {} if there is no such file."""
    path = Path(path)
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: no valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, got a {type(content).__name__}")
    return content


def _read_safetensors(path):
    return {name: _array(**view) for name, view in safetensors.deserialize(path.read_bytes())}


def _array(data, dtype, shape):
    """An array from its bytes. NumPy has no bfloat16: it is the upper half of a float32."""
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    if dtype not in DTYPES:
        raise ValueError(f"numbers of type {dtype}; expected one of {', '.join(DTYPES)} or BF16")
    array = np.frombuffer(data, DTYPES[dtype]).reshape(shape)
    return array.astype(np.float32 if dtype == "F16" else array.dtype)


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
