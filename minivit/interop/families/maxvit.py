"""MaxViTs of the paper: timm's MaxxVit by its names with "tf". Those with "rw" are other networks."""

import math

from ...models.maxvit import MaxViT
from ..blocks import TIMM_BLOCK, conv_norm, head
from ..config import Key, Timm, fixed, pair
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, Rearrangement, batch_norm, linear, norm, optional, tensor, within


def rows(table):
    """Their biases by key less query, ours by query less key.    (h, 2M - 1, 2M - 1) -> ((2M - 1)^2, h)"""
    return table[:, ::-1, ::-1].reshape(len(table), -1).T    # ((2M - 1)^2, h)


def square(table):
    """The way back.    ((2M - 1)^2, h) -> (h, 2M - 1, 2M - 1)"""
    side = math.isqrt(len(table))
    return table.T.reshape(-1, side, side)[:, ::-1, ::-1]    # (h, 2M - 1, 2M - 1)


BIAS = "relative_position_bias_table"
ATTENTION = TIMM_BLOCK + tensor(f"attention.{BIAS}", f"attn.rel_pos.{BIAS}", Rearrangement(rows, square))
MBCONV = [
    *batch_norm("norm", "pre_norm"),
    *conv_norm("expand.conv", "expand.norm", "conv1_1x1", "norm1"),
    *conv_norm("depthwise.conv", "depthwise.norm", "conv2_kxk", "norm2"),
    *linear("excite.reduce", "se.fc1", CONV_AS_LINEAR), *linear("excite.expand", "se.fc2", CONV_AS_LINEAR),
    *linear("project", "conv3_1x1", CONV), *optional(linear("shortcut.expand", "shortcut.expand", CONV)),
]
PARTS = [("conv", MBCONV), ("attn_block", ATTENTION), ("attn_grid", ATTENTION)]
TIMM = [
    *linear("stem.layers.0.conv", "stem.conv1", CONV), *batch_norm("stem.layers.0.norm", "stem.norm1"),
    *linear("stem.layers.1", "stem.conv2", CONV),
    *[rule for index, (theirs, part) in enumerate(PARTS)
      for rule in within(f"stages.*.layers.*.layers.{index}.", f"stages.*.blocks.*.{theirs}.", part)],
    *norm("norm", "head.norm"), *linear("hidden", "head.pre_logits.fc"), *head("head", "head.fc"),
]


def side(table):
    """M, of the shape of a table of biases."""
    return (math.isqrt(table[0]) + 1) // 2


def shapes(reading, known):
    """All but the size of the picture, which is the smallest that the windows fit into where config.json is silent."""
    stages = range(reading.modules("stages"))
    block, grid = (reading.shape(f"stages.0.layers.0.layers.{part}.attention.{BIAS}") for part in (1, 2))
    *_, channels, stem = reading.shape("stem.layers.0.conv.weight")
    dims = [reading.shape(f"stages.{stage}.layers.0.layers.0.project.bias")[0] for stage in stages]
    return dict(image_size=known.get("image_size", max(side(block), side(grid)) * 2 ** (len(stages) + 1)), dims=dims,
                depths=[reading.modules(f"stages.{stage}.layers") for stage in stages], channels=channels, stem=stem,
                num_classes=reading.outputs(), head_dim=dims[0] // block[1], window=side(block), grid=side(grid))


def attentions(maxvit):
    """Block and grid attention of the first block."""
    return [part.attention for part in maxvit.stages[0][0][1:]]


def dims(maxvit):
    """The channels of each stage."""
    return [stage[0][0].project.bias.size for stage in maxvit.stages]


def stem(maxvit):
    """The channels of the stem."""
    return maxvit.stem[1].bias.size


def channels(maxvit):
    """Of the pictures."""
    return maxvit.stem[0].conv.weight.shape[2]


def block_types(maxvit):
    """Their letter for each stage."""
    return ["M"] * len(maxvit.stages)


def all_of_the_paper(value, maxvit):
    """Whether all blocks of all stages are MaxViT's."""
    return len(value) == len(maxvit.stages) and {letter for stage in value for letter in stage} == {"M"}


FAMILY = Family(
    name="maxvit",
    models={MaxViT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    configs={"timm": Timm((
        Key("img_size", lambda maxvit: list(maxvit.image_size), "image_size", pair),
        Key("in_chans", channels),
        Key("embed_dim", dims),
        Key("depths", lambda maxvit: [len(stage) for stage in maxvit.stages]),
        Key("block_type", block_types, fits=all_of_the_paper),
        Key("stem_width", stem, read=pair),
        Key("head_hidden_size", lambda maxvit: dims(maxvit)[-1]),
        Key("transformer_dim_head", lambda maxvit: dims(maxvit)[0] // attentions(maxvit)[0].heads),
        Key("transformer_window_size", lambda maxvit: [attentions(maxvit)[0].window] * 2, read=pair),
        Key("transformer_grid_size", lambda maxvit: [attentions(maxvit)[1].window] * 2, read=pair),
        fixed("stem_bias", True), fixed("global_pool", "avg"),
    ), ignored=("transformer_partition_ratio", "transformer_attn_drop", "transformer_proj_drop"),
        written="maxvit_tiny_tf_224",
        architectures={r"maxvit_(tiny|small|base|large|xlarge)_tf_(224|384|512)": {}})},
)
