"""Swin Transformers: timm's SwinTransformer, transformers' SwinForImageClassification."""

import math

from ...models.swin import Swin
from ..table import PATCHES, linear, norm, optional, tensor, within
from .facts import activation_name, classes_of, layers_of

MERGING = [*norm("norm", "norm"), *tensor("reduction.weight", "reduction.weight", "o i -> i o")]
BIAS = "relative_position_bias_table"

TIMM_BLOCK = [
    *norm("norm1", "norm1"),
    *tensor(f"attention.{BIAS}", f"attn.{BIAS}"),
    *linear("attention.qkv", "attn.qkv"),
    *linear("attention.proj", "attn.proj"),
    *norm("norm2", "norm2"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
]

TRANSFORMERS_BLOCK = [
    *norm("norm1", "layernorm_before"),
    *tensor(f"attention.{BIAS}", f"attention.relative_position_bias.{BIAS}"),
    *linear("attention.qkv", ["attention.q_proj", "attention.k_proj", "attention.v_proj"]),
    *linear("attention.proj", "attention.o_proj"),
    *norm("norm2", "layernorm_after"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
]
TRANSFORMERS4_BLOCK = [
    *norm("norm1", "layernorm_before"),
    *tensor(f"attention.{BIAS}", f"attention.self.{BIAS}"),
    *linear("attention.qkv", ["attention.self.query", "attention.self.key", "attention.self.value"]),
    *linear("attention.proj", "attention.output.dense"),
    *norm("norm2", "layernorm_after"),
    *linear("mlp.linear1", "intermediate.dense"),
    *linear("mlp.linear2", "output.dense"),
]
EMBEDDINGS = [*linear("patch_embed", "embeddings.patch_embeddings.projection", PATCHES),
              *norm("patch_norm", "embeddings.norm")]
CLASSIFIER = optional(linear("head", "classifier"))


def _mergings(theirs, later):
    """Of the stages after the first; theirs count `later` less where a merging ends a stage, which begins ours."""
    return optional([rule for stage in (1, 2, 3) for rule in within(
        f"stages.{stage}.merge.", f"{theirs}.{stage - later}.downsample.", MERGING)])


def _timm(mergings, head):
    return [*linear("patch_embed", "patch_embed.proj", PATCHES), *norm("patch_norm", "patch_embed.norm"),
            *within("stages.*.blocks.*.", "layers.*.blocks.*.", TIMM_BLOCK), *mergings, *norm("norm", "norm"),
            *optional(linear("head", head))]


def _encoder(block):
    return [*EMBEDDINGS, *within("stages.*.blocks.*.", "encoder.layers.*.blocks.*.", block),
            *_mergings("encoder.layers", later=1), *norm("norm", "layernorm")]


HEAD = "head"
TABLES = [
    ("timm", _timm(_mergings("layers", later=0), "head.fc")),
    ("timm", _timm(_mergings("layers", later=1), "head")),  # of timm before version 0.8, and of the authors
    ("transformers", within("", "swin.", _encoder(TRANSFORMERS_BLOCK)) + CLASSIFIER),
    ("transformers", _encoder(TRANSFORMERS_BLOCK)),  # of transformers' SwinModel
    ("transformers4", within("", "swin.", _encoder(TRANSFORMERS4_BLOCK)) + CLASSIFIER),
    ("transformers4", _encoder(TRANSFORMERS4_BLOCK)),
]


def build(reading, facts):
    """A Swin."""
    state, axes = reading.state, reading.axes
    stages = range(layers_of(state, "stages"))
    tables = [state[f"stages.{stage}.blocks.0.attention.{BIAS}"] for stage in stages]
    windows = [(math.isqrt(len(table)) + 1) // 2 for table in tables]
    hidden, dim = state["stages.0.blocks.0.mlp.linear1.bias"].size, state["patch_embed.bias"].size
    # the size whose last grid is the last stage's window; a larger window would not fit into it
    image_size = facts.get("image_size", windows[-1] * axes["P"] * 2 ** stages[-1])
    return Swin(image_size=image_size, patch_size=axes["P"], channels=axes["C"], num_classes=classes_of(state), dim=dim,
                depths=[layers_of(state, f"stages.{stage}.blocks") for stage in stages],
                heads=[table.shape[1] for table in tables], window=max(windows), mlp_ratio=hidden / dim)


def sizes(model):
    """P of patches (P Q C)."""
    return {"P": model.patch_embed.patch_size, "Q": model.patch_embed.patch_size}


def timm_config(model):
    """What timm.create_model makes the same model of."""
    blocks = [stage.blocks for stage in model.stages]
    first = blocks[0][0]
    args = dict(img_size=list(model.image_size), patch_size=model.patch_embed.patch_size,
                in_chans=model.patch_embed.channels, embed_dim=model.patch_norm.weight.size,
                depths=[len(stage) for stage in blocks], num_heads=[stage[0].attention.heads for stage in blocks],
                window_size=first.attention.window,
                mlp_ratio=first.mlp.linear1.bias.size / model.patch_norm.weight.size)
    if activation_name(first.mlp, "timm") != "gelu":
        raise ValueError("Swin: timm's takes the exact form of GELU only")
    return {"architecture": "swin_tiny_patch4_window7_224", "num_features": model.norm.weight.size,
            "global_pool": "avg", "model_args": args}


def transformers_config(model):
    """What transformers.SwinConfig makes the same model of."""
    blocks, (height, width) = [stage.blocks for stage in model.stages], model.image_size
    windows = {block.attention.window for stage in blocks for block in stage}
    if len(windows) > 1:
        raise ValueError(f"a Swin with windows of {sorted(windows)} tokens has no counterpart in transformers, whose "
                         "windows are all of one size; timm has one")
    first, dim = blocks[0][0], model.patch_norm.weight.size
    return {"model_type": "swin", "architectures": ["SwinForImageClassification"], "embed_dim": dim,
            "image_size": height if height == width else [height, width],
            "patch_size": model.patch_embed.patch_size, "num_channels": model.patch_embed.channels,
            "depths": [len(stage) for stage in blocks], "num_heads": [stage[0].attention.heads for stage in blocks],
            "window_size": first.attention.window, "mlp_ratio": first.mlp.linear1.bias.size / dim, "qkv_bias": True,
            "hidden_act": activation_name(first.mlp, "transformers"), "layer_norm_eps": first.norm1.eps,
            "drop_path_rate": 0.0, "hidden_dropout_prob": 0.0, "use_absolute_embeddings": False}
