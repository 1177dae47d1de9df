"""EfficientFormer: timm's, which always have the two heads of distillation, and biases for 7 x 7 tokens."""

import math

from ...models.efficientformer import DistilledEfficientFormer, EfficientFormer
from ...models.levit import coarser
from ...nn import absolute_offsets
from ..blocks import head
from ..config import Always, Key, Timm, fixed, pair
from ..family import Family
from ..table import CONV, Rearrangement, batch_norm, linear, norm, optional, tensor, within


def normed_conv(ours, theirs_conv, theirs_norm):
    """A convolution with a bias, and the BatchNorm behind it."""
    return linear(f"{ours}.conv", theirs_conv, CONV) + batch_norm(f"{ours}.norm", theirs_norm)


# linear maps of 3-D blocks, and convolutions of 4-D blocks, which have the same names
MATRIX = Rearrangement(lambda x: x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T,     # (1, 1, in, out) or (in, out)
                       lambda x: x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T)     # (out, in, 1, 1) or (out, in)
BLOCK = [
    *tensor("scale1.gamma", "ls1.gamma"), *tensor("scale2.gamma", "ls2.gamma"),
    *[rule for part in "12" for rule in linear(f"mlp.linear{part}", f"mlp.fc{part}", MATRIX)],
    *optional([rule for part in "12" for rule in batch_norm(f"mlp.norm{part}", f"mlp.norm{part}")]),
    *optional([rule for part in "12" for rule in norm(f"norm{part}", f"norm{part}")]),
    *optional(linear("attention.qkv", "token_mixer.qkv")), *optional(linear("attention.proj", "token_mixer.proj")),
    *optional(tensor("attention.bias_table", "token_mixer.attention_biases", "h n -> n h")),
]
TIMM = [
    *[rule for index in range(2) for rule in normed_conv(
        f"stages.0.embed.layers.{index}", f"stem.conv{index + 1}", f"stem.norm{index + 1}")],
    *normed_conv("stages.*.embed", "stages.*.downsample.conv", "stages.*.downsample.norm"),
    *within("stages.*.blocks.*.", "stages.*.blocks.*.", BLOCK),
    *norm("norm", "norm"), *head("head", "head"), *head("distillation_head", "head_dist"),
]


def shapes(reading, known):
    """All but the sides of the picture, which is square where config.json is silent."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    depths, last = [reading.modules(f"{stage}.blocks") for stage in stages], f"{stages[-1]}.blocks."
    attending = [index for index in range(depths[-1]) if f"{last}{index}.attention.bias_table" in reading]
    depths[-1] -= 1  # of the blocks before attention
    dims = [reading.shape(f"{stage}.blocks.0.scale1.gamma")[0] for stage in stages[:-1]]
    tokens, heads = reading.shape(f"{last}{attending[0]}.attention.bias_table")
    hidden = reading.shape(f"{stages[0]}.blocks.0.mlp.linear1.bias")[0]
    return dict(channels=reading.shape("stages.0.embed.layers.0.conv.weight")[2], num_classes=reading.outputs(),
                dims=[*dims, reading.shape("norm.weight")[0]], depths=depths, attention_blocks=len(attending),
                heads=heads, key_dim=reading.shape(f"{last}{attending[0]}.attention.proj.weight")[0] // (4 * heads),
                image_size=known.get("image_size", math.isqrt(tokens) * 2 ** (len(stages) + 1)),
                mlp_ratio=hidden / dims[0])


def dims(model):
    """C of each stage."""
    return [stage.blocks[0].scale1.gamma.size for stage in model.stages[:-1]] + [model.norm.weight.size]


def attentions(model):
    """Those of the last stage's blocks that have it."""
    return [block.attention for block in model.stages[-1].blocks if hasattr(block, "attention")]


def depths(model):
    """Blocks of each stage."""
    return [len(stage.blocks) for stage in model.stages[:-1]] + [len(model.stages[-1].blocks) - 1]


def attention_blocks(model):
    """How many there are."""
    if not attentions(model):
        raise ValueError("attention_blocks: an EfficientFormer without attention has no counterpart in timm, which "
                         "needs at least one block with it")
    return len(attentions(model))


def image_size(model):
    """Height and width, from which 7 x 7 tokens have to follow."""
    grid = coarser(model.image_size, 2 ** (len(model.stages) + 1))
    if grid != (7, 7):
        raise ValueError(f"image_size: in timm attention has biases for 7 x 7 tokens, not for {grid[0]} x {grid[1]}")
    return list(model.image_size)


def mlp_ratio(model):
    """The width of the MLPs, in multiples of C."""
    return model.stages[0].blocks[0].mlp.linear1.bias.size / dims(model)[0]


def kept(model, tensors):
    """Which bias belongs to which pair of tokens."""
    sides = {name: math.isqrt(table.shape[1]) for name, table in tensors.items() if name.endswith("attention_biases")}
    return {name.replace("attention_biases", "attention_bias_idxs"): absolute_offsets((side, side))
            for name, side in sides.items()}


FAMILY = Family(
    name="efficientformer",
    models={DistilledEfficientFormer: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    configs={"timm": Timm((
        Key("img_size", image_size, "image_size", pair),
        Key("in_chans", lambda model: model.stages[0].embed[0].conv.weight.shape[2]),
        Key("embed_dims", dims),
        Key("depths", depths),
        Key("num_vit", attention_blocks),
        Key("mlp_ratios", mlp_ratio),
        fixed("pool_size", 3), fixed("global_pool", "avg"),
    ), ignored=("layer_scale_init_value",), always=(
        Always("halvings", 2, lambda model: len(model.stages[0].embed)),
        Always("heads", 8, lambda model: attentions(model)[0].heads),
        Always("key_dim", 32, lambda model: attentions(model)[0].key_dim)),
        written="efficientformer_l1", architectures={r"efficientformer_l[137]": {}})},
    without={EfficientFormer: "theirs have two heads, one for what a teacher says: DistilledEfficientFormer"},
    derived=(r"attention_bias_idxs",), kept=kept,
)
