"""MaskFormer: transformers' MaskFormerForInstanceSegmentation, on a ResNet or a Swin."""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from ...models.maskformer import MaskFormer, NormedGrids
from ...models.resnet import ResNet
from ...models.swin import Swin
from ...nn import BatchNorm2d, signed_offsets
from ..config import Always, Key, Transformers, fixed
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, conv, linear, norm, optional, tensor, within
from . import resnet, swin
from .detr import COSTS, RESNET, attention, decoder_layer, three_layers

BACKBONE = optional(resnet.BACKBONE + norm("norms.*", "hidden_states_norms.*") + within("backbone.", "model.", [
    rule for rule in swin.ENCODER4 if not rule.ours[0].startswith("norm.")]))  # the one or the other


def table(out, mlp):
    """The names of a MaskFormer; those in its decoder differ from version to version."""
    return [
        *within("backbone.", "model.pixel_level_module.encoder.", BACKBONE),
        *within("pixel_decoder.", "model.pixel_level_module.decoder.", [
            *conv("stem.conv", "fpn.stem.0"), *norm("stem.norm", "fpn.stem.1"),
            *conv("laterals.*.conv", "fpn.layers.*.proj.0"), *norm("laterals.*.norm", "fpn.layers.*.proj.1"),
            *conv("merges.*.conv", "fpn.layers.*.block.0"), *norm("merges.*.norm", "fpn.layers.*.block.1"),
            *linear("outputs", "mask_projection", CONV)]),
        *optional(linear("project", "model.transformer_module.input_projection", CONV_AS_LINEAR)),
        *tensor("decoder.query_positions", "model.transformer_module.queries_embedder.weight"),
        *within("decoder.layers.*.", "model.transformer_module.decoder.layers.*.",
                decoder_layer(partial(attention, out=out), mlp)),
        *norm("decoder.norm", "model.transformer_module.decoder.layernorm"),
        *linear("head", "class_predictor"),
        *three_layers("mask_head", "mask_embedder.{}.0"),
    ]


def shapes(reading, known):
    """All but the number of heads."""
    queries, dim = reading.shape("decoder.query_positions")
    *_, pixel_dim, mask_dim = reading.shape("pixel_decoder.outputs.weight")
    backbone, channels = backbone_of(reading.part("backbone."))
    return dict(backbone=backbone, channels=channels, num_classes=reading.outputs() - 1, queries=queries, dim=dim,
                heads=known.get("heads"), depth=reading.modules("decoder.layers"),
                mlp_dim=reading.shape("decoder.layers.0.mlp.linear1.bias")[0], pixel_dim=pixel_dim, mask_dim=mask_dim)


def backbone_of(reading):
    """What makes the backbone whose tensors these are, and how many channels its pictures have."""
    if "norms.0.weight" in reading:
        parts = swin.shapes(reading.part("backbone."), {})
        kind = partial(NormedGrids, partial(Swin, **{
            name: value for name, value in parts.items() if name not in ("num_classes", "channels")}))
    else:
        parts = resnet.shapes(reading, {})
        kind = partial(ResNet, parts["block"], parts["depths"], width=parts["width"])
    return kind, parts["channels"]


def description(model):
    """(model_type, Transformers, our model, number of stages) of its backbone, if theirs may have it."""
    backbone = model.backbone
    if isinstance(backbone, ResNet) and any(type(module) is BatchNorm2d for module in backbone.modules()):
        return "resnet", RESNET, backbone, len(backbone.body.stages)
    if isinstance(backbone, NormedGrids) and isinstance(backbone.backbone, Swin):
        return "swin", OF_SWIN, backbone.backbone, len(backbone.norms)
    raise ValueError("backbone: theirs is a ResNet with BatchNorm, or a Swin with a norm behind each grid "
                     f"(minivit.models.maskformer.NormedGrids), this is a {type(backbone).__name__}")


def backbone_config(model):
    """What transformers says of the backbone, all stages of which are read."""
    kind, config, backbone, stages = description(model)
    return {"model_type": kind, **config.content(backbone),
            "out_features": [f"stage{stage + 1}" for stage in range(stages)]}


def is_backbone(content, model):
    """Whether transformers' configuration of a backbone is that of a model."""
    kind, config, backbone, stages = description(model)
    if content.get("model_type") not in (kind, f"maskformer-{kind}"):
        raise ValueError(f"backbone_config: expected the model_type {kind!r}, got {content.get('model_type')!r}")
    config.refuse_unknown(content, kind, "backbone_config")
    config.refuse_others(content, backbone, kind, "backbone_config")
    read = content.get("out_features", [])  # of a Swin all stages are, whatever stands there
    return kind == "swin" or read == [f"stage{stage + 1}" for stage in range(stages)]


# What it says of the pictures changes nothing: none of their windows is made smaller.
OF_SWIN = replace(swin.FAMILY.configs["transformers"], keys=tuple(
    key for key in swin.FAMILY.configs["transformers"].keys if key.name != "image_size"), ignored=(
        "image_size", *swin.FAMILY.configs["transformers"].ignored))


DECODER = Transformers((
    Key("d_model", lambda model: model.head.weight.shape[0], default=256),
    Key("decoder_layers", lambda model: len(model.decoder.layers), default=6),
    Key("decoder_attention_heads", lambda model: model.decoder.layers[0].self_attention.heads, default=8),
    Key("decoder_ffn_dim", lambda model: model.decoder.layers[0].mlp.linear1.bias.size, default=2048),
    Key("num_queries", lambda model: len(model.decoder.query_positions), default=100),
    fixed("activation_function", "relu"), fixed("auxiliary_loss", False)), ignored=COSTS + (
        "dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop", "init_std",
        "init_xavier_std", "num_hidden_layers", "scale_embedding", "classifier_dropout", "max_position_embeddings",
        "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "position_embedding_type", "dilation",
        "backbone_config", "num_channels", "backbone", "use_timm_backbone", "use_pretrained_backbone",
        "backbone_kwargs"))


def is_decoder(content, model):
    """Whether transformers' configuration of a decoder is that of a model."""
    DECODER.refuse_unknown(content, "detr", "decoder_config")
    DECODER.refuse_others(content, model, "detr", "decoder_config")
    return True


def kept(model, tensors):
    """How much each class counts in their loss, as MaskFormerConfig has it.

    Of a Swin also the norm before its head, and which offset each pair of places in a window has.
    """
    weights = np.ones(len(tensors["class_predictor.bias"]), np.float32)
    weights[-1] = 0.1
    found, place = {"criterion.empty_weight": weights}, "model.pixel_level_module.encoder."
    for name, array in tensors.items():
        if name.startswith(f"{place}hidden_states_norms"):  # the last of them is as wide as that norm
            found |= {f"{place}model.layernorm.weight": np.ones(len(array), np.float32),
                      f"{place}model.layernorm.bias": np.zeros(len(array), np.float32)}
        elif name.startswith(place) and name.endswith(swin.BIAS):
            window = (math.isqrt(len(array)) + 1) // 2
            found[name.replace(swin.BIAS, "relative_position_index")] = signed_offsets((window, window))
    return found


FAMILY = Family(
    name="maskformer",
    models={MaskFormer: ("transformers", "transformers4")},
    tables={"transformers": [table("o_proj", "mlp.fc")], "transformers4": [table("out_proj", "fc")]},
    sizes=lambda model: swin.sizes(model.backbone.backbone) if isinstance(model.backbone, NormedGrids) else {},
    shapes=shapes,
    beside_classes=1,
    asked={"heads": "how many heads share its width {dim}"},
    derived=(r"empty_weight", r"encoder\.model\.layernorm\.(weight|bias)"),
    kept=kept,
    configs={"transformers": Transformers((
        Key("backbone_config", backbone_config, fits=is_backbone),
        Key("decoder_config", lambda model: {"model_type": "detr", **DECODER.content(model)}, "heads",
            lambda content: content.get("decoder_attention_heads", 8), default={}, fits=is_decoder),
        Key("fpn_feature_size", lambda model: model.pixel_decoder.outputs.weight.shape[2], default=256),
        Key("mask_feature_size", lambda model: model.pixel_decoder.outputs.weight.shape[3], default=256),
    ), always=(Always("groups", 32, lambda model: model.pixel_decoder.stem.norm.groups),), ignored=(
        "dice_weight", "mask_weight", "cross_entropy_weight", "no_object_weight", "use_auxiliary_loss",
        "output_auxiliary_logits", "init_std", "init_xavier_std", "num_attention_heads", "num_hidden_layers",
        "backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs"),
        model_type="maskformer", architecture="MaskFormerForInstanceSegmentation")},
)
