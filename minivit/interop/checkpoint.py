"""Official checkpoints as files: loaded into the model that they are of, and saved.

    model = minivit.load("timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k")
    minivit.interop.predict_classes(model, "cat.jpg")
    minivit.interop.save(model, "folder", names="transformers")
"""

import json
from pathlib import Path

import numpy as np

from .classes import classes_of
from .config import library_of
from .families import family_of
from .files import find_weights, read_json, read_tensors, write_tensors
from .hub import locate
from .predict import Pretrained
from .preprocessing import Preprocessing, default, from_timm, from_transformers, to_timm, to_transformers
from .table import read, their_name
from .translate import config_of, described_by, from_official, recognise, shape_only, take_over, to_official


def load(name_or_path, **settings):
    """A model with the weights of a checkpoint, in `eval()` mode, ready to predict.

    Its class and what shapes do not tell follow from config.json, if there is one, else from the names of the tensors;
    its sizes from their shapes. A setting of config.json that minivit does not have is an error that names it.
    `model.pretrained` has the preprocessing and the names of the classes.

    Parameters
    ----------
    name_or_path : str or path
        A .safetensors or .npz file, a folder with one (and with config.json), or a repository of the Hugging Face hub:
        "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k".
    **settings
        Arguments of the model's constructor that neither the shapes nor a config.json tell: heads, image_size,
        decoder_heads; or that are to be others than there: eps, activation, antialias, drop_path.

    Raises
    ------
    ValueError
        For a damaged file, a pickle, a model that we do not have; and if any tensor is missing, left over or misshapen.
    """
    path = locate(name_or_path)
    content = read_json(path / "config.json") if path.is_dir() else {}
    if "recipe" in content:
        raise ValueError(f"{path}: the folder of a run of `python -m minivit train`, not a checkpoint of timm or "
                         f"transformers; its model is minivit.train.load_model(minivit.train.Run({str(path)!r}))")
    folder, weights = (path, find_weights(path)) if path.is_dir() else (None, path)
    tensors = read_tensors(weights)
    model, family, names, table = build(tensors, weights, content, folder, settings)
    take_over(model, family, table, tensors, weights)
    if "palette" in family.unstored:
        _take_palette(model, folder)
    classes = classes_of(content, _outputs(model, family))
    model.eval().pretrained = Pretrained(str(name_or_path), _preprocessing(names, content, folder, model), classes)
    return model


def build(tensors, weights, content, folder, settings):
    """The model that {their name: array} and the content of a config.json are of, before it takes their numbers over.

    Returns
    -------
    (Module, Family, str, table)
        The model, what the world calls it, whose names the tensors have, and the table of these names.
    """
    source, among = f"{folder / 'config.json'}" if folder else "", described_by(content)
    library = library_of(content)
    if among and len(among) == 1:  # before the tensors are looked at, which may be unknown for what is refused here
        among[0].configs[library].refuse_unknown(content, among[0].name, source)
    family, names, table = recognise(tensors, weights, among=among, library=library)
    config = family.config(names)
    if config and content:
        config.refuse_unknown(content, family.name, source)
    try:
        known = config.settings(content) if config else {}
        if not content:  # what is asked for has no default but in a config.json that is silent about it
            known = {name: value for name, value in known.items() if name not in family.asked}
        known |= settings
        reading = read(table, {name: shape_only(array) for name, array in tensors.items()}, derived=family.computed)
        model = family.build(known | family.shapes(reading, known) | settings)
    except KeyError as error:
        raise ValueError(f"{weights}: missing: {their_name(table, error.args[0])}") from error
    except ValueError as error:
        said = config.deciding(content) if config else {}
        said = "".join(f"; {source} says {name} = {value!r}" for name, value in said.items())
        raise ValueError(f"{weights}: {error}{said}") from error
    if config and content:
        config.refuse_others(content, model, family.name, source, but=settings)
    return model, family, names, table


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
    contents = _files(model, names, preprocessing, classes or (loaded and loaded.classes))
    path.mkdir(parents=True, exist_ok=True)
    write_tensors(path / "model.safetensors", tensors, metadata)
    for name, content in contents.items():
        (path / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _files(model, names, preprocessing, classes):
    """{file name: content} of what lies beside the weights: config.json, and what transformers' processors read."""
    content, count = config_of(model, names), _outputs(model, family_of(model)[0])
    classes = list(classes) if classes else [f"LABEL_{index}" for index in range(count)]
    if len(classes) != count:
        raise ValueError(f"classes: expected {count} names, one for each logit, got {len(classes)}")
    if names == "timm":
        return {"config.json": {**content, "num_classes": count, "label_names": classes,
                                "pretrained_cfg": {"num_classes": count, **to_timm(preprocessing)}}}
    labels = {"id2label": dict(enumerate(classes)), "label2id": {name: index for index, name in enumerate(classes)}}
    if count:
        labels["num_labels"] = count  # PVT's configuration goes by it
    return {"config.json": {**content, **labels}, "preprocessor_config.json": to_transformers(preprocessing)}


def _outputs(model, family):
    """How many classes a model tells apart, 0 if it has no head."""
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    outputs = shapes.get(f"{family.head}.weight", (0,))[-1]
    return max(outputs - family.beside_classes, 0)


def _take_palette(model, folder):
    """Give an Image GPT the colours that the configuration of its processor has, if there is one."""
    path = folder and folder / "preprocessor_config.json"
    clusters = read_json(path).get("clusters") if path and path.exists() else None
    if clusters:
        model.palette.data = np.asarray(clusters, np.float32).reshape(model.palette.shape)


def _preprocessing(names, content, folder, model):
    """As the files beside the weights say, else as is usual."""
    if names == "jax":
        return Preprocessing(model.image_size, model.image_size, "bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)
    if names == "timm" and content:
        return from_timm(content)
    stored = read_json(folder / "preprocessor_config.json") if folder and names != "timm" else {}
    return from_transformers(stored) if stored else default(model.image_size)
