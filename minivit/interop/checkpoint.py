"""Official checkpoints as files: loaded into the model that they are of, and saved.

    model = minivit.load("timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    minivit.interop.predict(model, "cat.jpg")
    minivit.interop.save(model, "folder", names="transformers")
"""

import json
from pathlib import Path

from . import config
from .files import find_weights, read_json, read_tensors, write_tensors
from .hub import locate
from .official.facts import apply, classes_of
from .predict import Pretrained
from .preprocessing import Preprocessing, default, from_timm, from_transformers
from .table import read
from .translate import check, from_official, recognise, to_official


def load(name_or_path, **facts):
    """A model with the weights of a checkpoint, in `eval()` mode, ready to predict.

    Its class and sizes follow from the shapes of the tensors. `model.pretrained` has the preprocessing and the names of
    the classes.

    Parameters
    ----------
    name_or_path : str or path
        A .safetensors or .npz file, a folder with one (and with config.json), or a repository of the Hugging Face hub:
        "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k".
    **facts
        What the shapes do not tell, if there is no config.json to tell it: heads, image_size, decoder_heads.

    Raises
    ------
    ValueError
        For a damaged file, a pickle, a model that we do not have; and if any tensor is missing, left over or misshapen.
    """
    path = locate(name_or_path)
    folder, weights = (path, find_weights(path)) if path.is_dir() else (None, path)
    settings = read_json(folder / "config.json") if folder else {}
    tensors = read_tensors(weights)
    kind, names, table = recognise(tensors, weights)
    facts = config.facts_of(settings, names) | facts
    try:
        reading = read(table, tensors)
        model = kind.build(reading, facts)
    except KeyError as error:
        raise ValueError(f"{weights}: missing: {_their_name(table, error.args[0])}") from error
    except ValueError as error:
        raise ValueError(f"{weights}: {error}") from error
    check(model, table, tensors, weights)
    apply(model.load_state_dict(reading.state).eval(), facts)
    classes = config.classes_of_config(settings, classes_of(reading.state, kind.HEAD))
    model.pretrained = Pretrained(str(name_or_path), _preprocessing(names, settings, folder, model), classes)
    return model


def load_weights(model, name_or_path):
    """Take the weights of an official checkpoint over into a model that is already there; returns it.

    Raises
    ------
    ValueError
        As `load`, and if the checkpoint is of another architecture.
    """
    path = locate(name_or_path)
    weights = find_weights(path) if path.is_dir() else path
    return from_official(model, read_tensors(weights), weights)


def save(model, path, names="timm", *, preprocessing=None, classes=None):
    """Write a model so that timm or transformers can load it.

    Parameters
    ----------
    path : str or path
        A .safetensors or .npz file; or a folder, which gets model.safetensors and config.json, for
        timm.create_model("local-dir:FOLDER", pretrained=True) or transformers' from_pretrained("FOLDER").
    names : str
        As for `to_official`.
    preprocessing, classes : Preprocessing, sequence of str
        By default those that the model was loaded with.
    """
    path, tensors = Path(path), to_official(model, names)
    if names == "jax" and path.suffix != ".npz":
        raise ValueError(f"{path}: expected a file that ends in .npz for the names of the authors' JAX code")
    metadata = {"format": "pt"}  # transformers asks for it
    if path.suffix in (".safetensors", ".npz"):
        write_tensors(path, tensors, metadata)
        return
    loaded = getattr(model, "pretrained", None)
    preprocessing = preprocessing or (loaded.preprocessing if loaded else default(model.image_size))
    classes = classes or (loaded and loaded.classes)
    contents = config.files(model, names, preprocessing, classes)
    path.mkdir(parents=True, exist_ok=True)
    write_tensors(path / "model.safetensors", tensors, metadata)
    for name, content in contents.items():
        (path / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _preprocessing(names, settings, folder, model):
    """As the files beside the weights say, else as is usual."""
    if names == "jax":
        return Preprocessing(model.image_size, model.image_size, "bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)
    if names == "timm" and settings:
        return from_timm(settings)
    stored = read_json(folder / "preprocessor_config.json") if folder and names != "timm" else {}
    return from_transformers(stored) if stored else default(model.image_size)


def _their_name(table, ours):
    """What a table calls one of our tensors."""
    rule = next(rule for rule in table if rule.ours.replace("*", "0") == ours)
    return ", ".join(rule.theirs).replace("*", "0")
