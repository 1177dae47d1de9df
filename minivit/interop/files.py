"""Checkpoint files: arrays under names, in safetensors or in NumPy's npz. Neither can run code; pickles are refused."""

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save_file

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
INDEX = ".safetensors.index.json"
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".pkl", ".tar")
REMEDY = ("a pickle can run any code when it is opened, so it is refused. Look for a model.safetensors beside it; or, "
          "if you trust its source, let PyTorch convert it: safetensors.torch.save_file(torch.load(\"{name}\", "
          "weights_only=True), \"model.safetensors\")")


def read_tensors(path):
    """{name: array} of a .safetensors or .npz file; numbers of 16 bits become float32.

    An index, "model.safetensors.index.json", stands for all the files that it names.

    Raises
    ------
    ValueError
        If the file is truncated or damaged, a pickle, of another kind, or holds numbers that are no weights.
    """
    path = Path(path)
    if path.name.endswith(INDEX):
        return _read_shards(path)
    if path.suffix in PICKLES:
        raise ValueError(f"{path}: {REMEDY.format(name=path.name)}")
    if path.suffix not in (".safetensors", ".npz"):
        raise ValueError(f"{path}: expected a file that ends in .safetensors or .npz, or a folder with one")
    try:
        found = _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)
    except (safetensors.SafetensorError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        if _is_pickle(path):
            raise ValueError(f"{path}: holds a pickle, whatever its name says; "
                             f"{REMEDY.format(name=path.name)}") from error
        raise ValueError(f"{path}: truncated or damaged ({error}); fetch it again") from error
    for name, array in found.items():
        if isinstance(array, str):
            raise ValueError(f"{path}: {name} has numbers of type {array}, which minivit does not read; expected "
                             f"one of {', '.join(DTYPES)} or BF16. Let the code that made the file convert it to F32")
    return found


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
    indexes = sorted(path for path in folder.iterdir() if path.name.endswith(INDEX))
    if len(indexes) == 1 and not (folder / "model.safetensors").exists():
        return indexes[0]
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
    """An array from its bytes, or the name of a type that cannot be read, as of eight bits.

    NumPy has no bfloat16: it is the upper half of a float32.
    """
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    if dtype not in DTYPES:
        return dtype
    array = np.frombuffer(data, DTYPES[dtype]).reshape(shape)
    return array.astype(np.float32 if dtype == "F16" else array.dtype)


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    others = [name for name, array in found.items() if not isinstance(array, np.ndarray)]
    if others:
        raise ValueError(f"{', '.join(others)} are no arrays")
    return found


def _read_shards(index):
    """The tensors of all files that an index names, each from the file that it is said to be in."""
    places, tensors = read_json(index).get("weight_map"), {}
    if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
        raise ValueError(f"{index}: expected a \"weight_map\" with the file of each tensor")
    for name in sorted(set(places.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ValueError(f"{index}: {name!r} is no .safetensors file beside it")
        if not (index.parent / name).exists():
            raise ValueError(f"{index}: {name} is not there; fetch it too")
        found = read_tensors(index.parent / name)
        lacking = [tensor for tensor, place in places.items() if place == name and tensor not in found]
        if lacking:
            raise ValueError(f"{index.parent / name}: lacks {', '.join(lacking)}, which {index.name} says it has")
        tensors |= found
    return tensors


def _is_pickle(path):
    """Whether a file begins as pickles do, or is the zip archive around one that PyTorch writes."""
    content = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    # b"\x80" and the protocol; a safetensors file may begin so too, but its ninth byte opens a JSON object
    return len(content) > 8 and content[0] == 0x80 and content[1] in range(2, 6) and content[8:9] != b"{"
