"""Pyramid Vision Transformers: transformers' PvtForImageClassification, and the authors' PyramidVisionTransformer."""

import math

from ...models.pvt import VARIANTS, PVT
from ..blocks import head
from ..config import Key, Transformers, fixed, pair
from ..family import Family
from ..table import CONV, linear, norm, optional, tensor, within


def conv_norm(ours, theirs_conv, theirs_norm):
    """A convolution with bias and the LayerNorm behind it."""
    return linear(f"{ours}.conv", theirs_conv, CONV) + norm(f"{ours}.norm", theirs_norm)


# the authors' names, and timm's of what builds on PVT; where R is 1 there is no reduction
ATTENTION = [
    *linear("attention.query", "attn.q"),
    *linear("attention.key_value", "attn.kv"),
    *linear("attention.proj", "attn.proj"),
    *optional(conv_norm("attention.reduction", "attn.sr", "attn.norm")),
]
BLOCK = [*norm("norm1", "norm1"), *ATTENTION, *norm("norm2", "norm2"), *linear("mlp.linear1", "mlp.fc1"),
         *linear("mlp.linear2", "mlp.fc2")]
TRANSFORMERS_BLOCK = [
    *norm("norm1", "layer_norm_1"),
    *linear("attention.query", "attention.self.query"),
    *linear("attention.key_value", ["attention.self.key", "attention.self.value"]),
    *linear("attention.proj", "attention.output.dense"),
    *optional(conv_norm("attention.reduction", "attention.self.sequence_reduction", "attention.self.layer_norm")),
    *norm("norm2", "layer_norm_2"),
    *linear("mlp.linear1", "mlp.dense1"),
    *linear("mlp.linear2", "mlp.dense2"),
]
ENCODER = [
    *conv_norm("stages.*.embed", "patch_embeddings.*.projection", "patch_embeddings.*.layer_norm"),
    *tensor("stages.*.positions", "patch_embeddings.*.position_embeddings"),
    *optional(tensor("stages.*.class_token", "patch_embeddings.*.cls_token")),
    *within("stages.*.blocks.*.", "block.*.*.", TRANSFORMERS_BLOCK),
    *norm("norm", "layer_norm"),
]
HEADS = {vit.keywords["dims"]: vit.keywords["heads"] for vit in VARIANTS.values()}  # of the usual widths


def authors(stages):
    """The authors' names of a model with so many stages, which they count from 1."""
    each = [rule for stage in range(stages) for rule in within(f"stages.{stage}.", "", [
        *conv_norm("embed", f"patch_embed{stage + 1}.proj", f"patch_embed{stage + 1}.norm"),
        *tensor("positions", f"pos_embed{stage + 1}"), *within("blocks.*.", f"block{stage + 1}.*.", BLOCK)])]
    return [*each, *tensor(f"stages.{stages - 1}.class_token", "cls_token"), *norm("norm", "norm"),
            *head("head", "head")]


def stage_shapes(reading, known, usual):
    """What the tensors of a pyramid tell; `usual` are the heads of the usual widths."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    dims = tuple(reading.shape(f"{stage}.embed.conv.bias")[0] for stage in stages)
    ratios = [ratio(reading.shape(f"{stage}.blocks.0.mlp.linear1.bias")[0], dim)
              for stage, dim in zip(stages, dims, strict=True)]
    size, _, channels, _ = reading.shape("stages.0.embed.conv.weight")
    return dict(patch_size=size, channels=channels, num_classes=reading.outputs(), dims=dims,
                depths=[reading.modules(f"{stage}.blocks") for stage in stages],
                heads=known.get("heads") or usual.get(dims), mlp_ratios=ratios,
                reductions=[max((reading.shape(name)[0] for name in reading.state if name.startswith(f"{stage}.") and
                                 name.endswith("reduction.conv.weight")), default=1) for stage in stages])


def shapes(reading, known):
    """All but the sides of the picture, which is square where config.json is silent."""
    found, tokens = stage_shapes(reading, known, HEADS), reading.shape("stages.0.positions")[1]
    return found | dict(image_size=known.get("image_size", math.isqrt(tokens) * found["patch_size"]))


def widths(model):
    """C of each stage."""
    return [stage.embed.conv.bias.size for stage in model.stages]


def depths(model):
    """Blocks of each stage."""
    return [len(stage.blocks) for stage in model.stages]


def heads(model):
    """Heads of each stage."""
    return [stage.blocks[0].attention.heads for stage in model.stages]


def ratio(hidden, dim):
    """A width as a multiple of another: an int where it is one."""
    return hidden // dim if hidden % dim == 0 else hidden / dim


def mlp_ratios(model):
    """The widths between the layers of the MLPs, in multiples of the tokens'."""
    return [ratio(stage.blocks[0].mlp.linear1.bias.size, dim)
            for stage, dim in zip(model.stages, widths(model), strict=True)]


def whole_mlp_ratios(model):
    """The same, where transformers has them."""
    if not all(isinstance(value, int) for value in mlp_ratios(model)):
        raise ValueError(f"mlp_ratios: {mlp_ratios(model)} have no counterpart in transformers, where they are whole")
    return mlp_ratios(model)


def reductions(model):
    """R of each stage; 1 where nothing is reduced."""
    convs = [[block.attention.reduction.conv for block in stage.blocks if hasattr(
        getattr(block.attention, "reduction", None), "conv")] for stage in model.stages]
    return [len(found[0].weight) if found else 1 for found in convs]


def patch_size(model):
    """The kernel of the first map of patches."""
    return len(model.stages[0].embed.conv.weight)


def channels(model):
    """Of the pictures."""
    return model.stages[0].embed.conv.weight.shape[2]


def conv_eps(model):
    """What the norms behind convolutions add."""
    return model.stages[0].embed.norm.eps


def eps(model):
    """What the norms of the blocks add."""
    return model.stages[0].blocks[0].norm1.eps


def only_eps(model):
    """What all norms add."""
    if eps(model) != conv_eps(model):
        raise ValueError(f"eps, conv_eps: norms that add {eps(model):g}, and {conv_eps(model):g} behind convolutions, "
                         "have no counterpart in transformers, whose norms all add the same")
    return eps(model)


def hidden_widths(value, model):
    """Whether their multiples make our MLPs."""
    return [int(multiple * dim) for multiple, dim in zip(value, widths(model), strict=False)] == [
        stage.blocks[0].mlp.linear1.bias.size for stage in model.stages]


def strides(model):
    """The patch sizes that transformers has for its positions: 4, then 2."""
    if patch_size(model) != 4:
        raise ValueError(f"patch_size: a PVT with patches of {patch_size(model)} pixels has no counterpart in "
                         "transformers, where positions are for patches of 4")
    return [4] + [2] * (len(model.stages) - 1)


def square(model):
    """The side of the picture."""
    height, width = model.image_size
    if height != width:
        raise ValueError(f"image_size: a PVT for {height} x {width} pixels has no counterpart in transformers, where "
                         "pictures are square")
    return height


EPS = (Key("layer_norm_eps", only_eps, "eps", default=1e-6), Key("layer_norm_eps", only_eps, "conv_eps", default=1e-6))
TRANSFORMERS_KEYS = (  # those that PVT and PVT v2 share
    Key("num_channels", channels),
    Key("num_encoder_blocks", lambda model: len(model.stages)),
    Key("depths", depths),
    Key("hidden_sizes", widths),
    Key("num_attention_heads", heads, "heads", default=(1, 2, 5, 8)),
    Key("mlp_ratios", whole_mlp_ratios, fits=hidden_widths),
    *EPS,
    fixed("hidden_act", "gelu"), fixed("qkv_bias", True),
)

FAMILY = Family(
    name="pvt",
    models={PVT: ("transformers", "authors")},
    tables={
        "transformers": [within("", "pvt.encoder.", ENCODER) + head("head", "classifier"),
                         within("", "encoder.", ENCODER)],  # with head; PvtModel
        "authors": [authors(4)],
    },
    shapes=shapes,
    asked={"heads": "how many heads share the width of each stage, {dims}"},
    configs={"transformers": Transformers((
        *TRANSFORMERS_KEYS,
        Key("image_size", square, "image_size", pair),
        Key("patch_sizes", strides),
        Key("strides", strides),
        Key("sequence_reduction_ratios", reductions),
    ), model_type="pvt", architecture="PvtForImageClassification")},
)
