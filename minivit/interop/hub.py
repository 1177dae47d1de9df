"""Where a checkpoint is: a file, a folder, or a repository on the Hugging Face hub, fetched into its cache."""

import os
import re
from pathlib import Path

from .files import PICKLES

FETCHED = ["config.json", "preprocessor_config.json", "model.safetensors", "model.safetensors.index.json",
           "model-*-of-*.safetensors"]


def locate(name_or_path):
    """The path of a file or folder; "timm/..." or "organisation/name" is fetched first.

    Raises
    ------
    FileNotFoundError
        If there is no such file, and the name is none of the hub.
    RuntimeError
        If the repository cannot be fetched; the message says why.
    """
    if not isinstance(name_or_path, str | os.PathLike) or not str(name_or_path).strip():
        raise TypeError(f"expected a file, a folder or a name of the Hugging Face hub, got {name_or_path!r}")
    path = Path(name_or_path)
    if path.exists():
        return path
    name = str(name_or_path)
    if path.suffix in (".safetensors", ".npz", *PICKLES) or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise FileNotFoundError(f"{name}: no such file or folder, and no name of the Hugging Face hub, as "
                                "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    return fetch(name)


def fetch(name):
    """The folder in the hub's cache that a repository was downloaded to, or had been before.

    HF_HOME moves the cache, HF_HUB_OFFLINE=1 forbids the network.
    """
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError as error:
        raise RuntimeError(f"{name}: no such file or folder here, and fetching it from the Hugging Face hub needs "
                           "huggingface_hub: python -m pip install huggingface_hub") from error
    try:
        folder = Path(snapshot_download(name, allow_patterns=FETCHED))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RuntimeError(f"{name}: no such file or folder here, not in the cache of the Hugging Face hub, and could "
                           f"not be fetched ({reason})") from error
    if not any((folder / file).exists() for file in ("model.safetensors", "model.safetensors.index.json")):
        raise ValueError(f"{name}: has no model.safetensors. A pytorch_model.bin is a pickle, which can run any code "
                         "when it is opened. If you trust its source, let transformers convert it: "
                         "from_pretrained(name).save_pretrained(folder), and load the folder")
    return folder
