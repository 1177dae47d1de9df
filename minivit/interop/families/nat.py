"""Neighborhood Attention Transformers: NatForImageClassification, of transformers until version 4; the authors' NAT.

The authors' files do not tell NAT from DiNAT: `load` makes a DiNAT of them, and asks for its dilations.
"""

from ...models.nat import NAT
from ..blocks import TIMM_BLOCK, head
from ..config import Key, Transformers, fixed, mlp_ratio
from ..family import Family
from ..table import CONV, conv, linear, norm, optional, split, tensor, within

BLOCK = [
    *norm("norm1", "layernorm_before"),
    *linear("attention.qkv", [f"attention.self.{name}" for name in ("query", "key", "value")]),
    *tensor("attention.relative_position_bias", "attention.self.rpb"),
    *linear("attention.proj", "attention.output.dense"),
    *norm("norm2", "layernorm_after"),
    *linear("mlp.linear1", "intermediate.dense"),
    *linear("mlp.linear2", "output.dense"),
    *optional(split(["scale1.gamma", "scale2.gamma"], "layer_scale_parameters", (1, 1), "t d -> (t d)")),
]
AUTHORS_BLOCK = [
    *TIMM_BLOCK,
    *tensor("attention.relative_position_bias", "attn.rpb"),
    *optional(tensor("scale1.gamma", "gamma1") + tensor("scale2.gamma", "gamma2")),
]


def encoder(block, embed, embed_norm, levels, blocks):
    """All but the norm behind the last stage and the head."""
    return [
        *linear("patch_embed.layers.0", f"{embed}.0", CONV),
        *linear("patch_embed.layers.1.conv", f"{embed}.1", CONV),
        *norm("patch_embed.layers.1.norm", embed_norm),
        *within("stages.*.blocks.*.", f"{levels}.*.{blocks}.*.", block),
        # a map to a coarser grid ends a stage there, and begins one here
        *optional([rule for stage in range(1, 8) for rule in within(
            f"stages.{stage}.merge.", f"{levels}.{stage - 1}.downsample.",
            conv("conv", "reduction") + norm("norm", "norm"))]),
    ]


ENCODER = [*encoder(BLOCK, "embeddings.patch_embeddings.projection", "embeddings.norm", "encoder.levels", "layers"),
           *norm("norm", "layernorm")]
AUTHORS = [*encoder(AUTHORS_BLOCK, "patch_embed.proj", "patch_embed.norm", "levels", "blocks"), *norm("norm", "norm"),
           *head("head", "head")]


def shapes(reading, known):
    """All but the dilations, and the size of the picture, which nothing depends on."""
    stages, dim = range(reading.modules("stages")), reading.shape("patch_embed.layers.1.norm.bias")[0]
    tables = [reading.shape(f"stages.{stage}.blocks.0.attention.relative_position_bias") for stage in stages]
    return dict(channels=reading.shape("patch_embed.layers.0.weight")[2], num_classes=reading.outputs(), dim=dim,
                depths=[reading.modules(f"stages.{stage}.blocks") for stage in stages],
                heads=[heads for heads, *_ in tables], kernel=(tables[0][1] + 1) // 2,
                mlp_ratio=reading.shape("stages.0.blocks.0.mlp.linear1.bias")[0] / dim,
                layer_scale=1e-5 if "stages.0.blocks.0.scale1.gamma" in reading else None)


def sizes(nat):
    """The two factors of a block's branches, in one tensor there."""
    return {"t": 2}


def first(nat):
    """The first block."""
    return nat.stages[0].blocks[0]


def patch_size(nat):
    """P, which is always 4 there."""
    P = 2 * nat.patch_embed[1].conv.settings["stride"]
    if P != 4:
        raise ValueError(f"patch_size: {P} has no counterpart in transformers, where it is 4")
    return P


def width(nat):
    """C"""
    return first(nat).norm1.weight.size


def layer_scale(nat):
    """Where the factors begin; 0 says that there are none."""
    return 1e-5 if hasattr(first(nat).scale1, "gamma") else 0.0


KEYS = (
    Key("patch_size", patch_size),
    Key("num_channels", lambda nat: nat.patch_embed[0].weight.shape[2]),
    Key("embed_dim", width),
    Key("depths", lambda nat: [len(stage.blocks) for stage in nat.stages]),
    Key("num_heads", lambda nat: [stage.blocks[0].attention.heads for stage in nat.stages]),
    Key("kernel_size", lambda nat: first(nat).attention.kernel),
    mlp_ratio(width, lambda nat: first(nat).mlp.linear1.bias.size),
    Key("layer_scale_init_value", layer_scale, default=0.0,
        fits=lambda value, nat: (value > 0) == (layer_scale(nat) > 0)),
    fixed("qkv_bias", True), fixed("hidden_act", "gelu"), fixed("layer_norm_eps", 1e-5),
)
IGNORED = ("num_layers", "hidden_size")  # follow from the others

FAMILY = Family(
    name="nat",
    models={NAT: ("transformers4", "authors")},
    tables={"transformers4": [within("", "nat.", ENCODER) + head("head", "classifier"), ENCODER], "authors": [AUTHORS]},
    shapes=shapes,
    sizes=sizes,
    configs={"transformers": Transformers(KEYS, IGNORED, model_type="nat", architecture="NatForImageClassification")},
)
