"""config.json: what the shapes of a checkpoint do not tell, as timm and as transformers write it."""

import re
from pathlib import Path

from .official.facts import classes_of
from .preprocessing import to_timm, to_transformers
from .translate import config_of, official_of

IMAGENET_CLASSES = Path(__file__).with_name("imagenet_classes.txt")

# Architectures of timm that are ours. Others have parts without weights (blur pooling, other activations) that the
# names of the tensors do not show.
TIMM_ARCHITECTURES = re.compile(
    r"vit_(tiny|small|base|large|huge|giant|gigantic)_patch\d+(_gap)?_\d+"
    r"|vit_base_patch16_siglip_\d+|vit_large_patch16_siglip_(256|384)"  # the other sizes take another form of GELU
    r"|deit_(tiny|small|base)(_distilled)?_patch16_\d+"
    r"|resnet(18|34|50|101|152)"
    r"|swin_(tiny|small|base|large)_patch4_window\d+_\d+")

TIMM_HEADS = {"vit_base_patch16_gap_224": 16}  # where they are not those of ViT's variants of that width

# model_type of transformers: what must be so (and is, where the configuration does not say it)
MODEL_TYPES = {
    "vit": {}, "deit": {}, "vit_mae": {}, "swin": {"use_absolute_embeddings": False, "layer_norm_eps": 1e-5},
    "resnet": {"hidden_act": "relu", "downsample_in_bottleneck": False, "downsample_in_first_stage": False},
}


def facts_of(config, names):
    """What `build` and `apply` of minivit.interop.official want to know, from the content of a config.json.

    Raises
    ------
    ValueError
        If the configuration is of a model that we do not have.
    """
    facts = {"timm": _timm, "transformers": _transformers, "jax": _jax}[names.rstrip("4")](config)
    return {name: value for name, value in facts.items() if value is not None}


def classes_of_config(config, count):
    """The names of `count` classes, in the order of the logits; None if they are not known.

    A model with 1000 classes and no names is taken for one of ImageNet-1k's (as timm does).
    """
    names = config.get("id2label") or config.get("label_names") or config.get("pretrained_cfg", {}).get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    if names:
        described = config.get("label_descriptions", config.get("pretrained_cfg", {}).get("label_descriptions")) or {}
        names = [described.get(name, name) for name in names]
    elif count == 1000:
        names = [line for line in IMAGENET_CLASSES.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return tuple(names or ()) if len(names or ()) == count else None


def _timm(config):
    architecture = config.get("architecture", "").partition(".")[0]
    if architecture and not TIMM_ARCHITECTURES.fullmatch(architecture):
        raise ValueError(f"config.json: timm's architecture {architecture!r} has no counterpart in minivit")
    args, data = config.get("model_args", {}), config.get("pretrained_cfg", config)
    size = args.get("img_size") or (data.get("input_size") or [None])[1:]
    return {"heads": args.get("num_heads", TIMM_HEADS.get(architecture)), "activation": args.get("act_layer"),
            "image_size": size or None}


def _transformers(config):
    kind = config.get("model_type", "vit")
    if kind not in MODEL_TYPES:
        raise ValueError(f"config.json: transformers' model_type {kind!r} has no counterpart in minivit; expected one "
                         f"of {', '.join(MODEL_TYPES)}")
    for name, expected in MODEL_TYPES[kind].items():
        if config.get(name, expected) != expected:
            raise ValueError(f"config.json: a {kind} with {name} = {config[name]!r} has no counterpart in minivit")
    return {"heads": config.get("num_attention_heads"), "decoder_heads": config.get("decoder_num_attention_heads"),
            "mask_ratio": config.get("mask_ratio"), "activation": config.get("hidden_act"),
            "eps": config.get("layer_norm_eps", 1e-5 if kind == "swin" else 1e-12),
            "image_size": config.get("image_size"), "antialias": False}  # plain bicubic, where timm's is antialiased


def _jax(config):
    return {"activation": "gelu_tanh"}


def files(model, names, preprocessing, classes):
    """{file name: content} of what lies beside the weights: config.json, and what transformers' processors read."""
    config, count = config_of(model, names), classes_of(dict(model.named_parameters()), official_of(model).HEAD)
    classes = list(classes) if classes else [f"LABEL_{index}" for index in range(count)]
    if len(classes) != count:
        raise ValueError(f"classes: expected {count} names, one for each logit, got {len(classes)}")
    if names == "timm":
        return {"config.json": {**config, "num_classes": count, "label_names": classes,
                                "pretrained_cfg": {"num_classes": count, **to_timm(preprocessing)}}}
    labels = {"id2label": dict(enumerate(classes)), "label2id": {name: index for index, name in enumerate(classes)}}
    return {"config.json": {**config, **labels}, "preprocessor_config.json": to_transformers(preprocessing)}
