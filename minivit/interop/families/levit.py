"""LeViT: timm's Levit and LevitDistilled with linear maps, transformers' LevitForImageClassification, ...WithTeacher.

Read are also timm's levit_conv_..., whose linear maps are convolutions of 1 x 1 pixels under the same names.
"""

import math
import re
from collections import Counter
from functools import partial

from ...models.levit import DistilledLeViT, LeViT, coarser
from ...ops import hardswish
from ..blocks import conv_norm
from ..config import Always, Key, Timm, Transformers, activation, fixed, pair
from ..family import Family
from ..table import CONV_AS_LINEAR, LINEAR, batch_norm, linear, optional, tensor, within


def linear_norm(ours, theirs, parts=("linear", "bn")):
    """A linear map without bias and the BatchNorm behind it, with what theirs has for both."""
    return tensor(f"{ours}.linear.weight", f"{theirs}.{parts[0]}.weight", LINEAR) + batch_norm(
        f"{ours}.norm", f"{theirs}.{parts[1]}")


def norm_linear(ours, theirs, parts=("bn", "linear")):
    """A head, which some models lack."""
    return optional(batch_norm(f"{ours}.norm", f"{theirs}.{parts[0]}") + linear(f"{ours}.linear",
                                                                                f"{theirs}.{parts[1]}"))


TIMM_MLP = linear_norm("mlp.linear1", "mlp.ln1") + linear_norm("mlp.linear2", "mlp.ln2")
TIMM_BLOCK = [
    *linear_norm("attention.qkv", "attn.qkv"),
    *linear_norm("attention.proj", "attn.proj.ln"),
    *tensor("attention.bias_table", "attn.attention_biases", "h n -> n h"),
    *TIMM_MLP,
]
TIMM_SHRINK = [
    *linear_norm("attention.query", "attn_downsample.q.ln"),
    *linear_norm("attention.key_value", "attn_downsample.kv"),
    *linear_norm("attention.proj", "attn_downsample.proj.ln"),
    *tensor("attention.bias_table", "attn_downsample.attention_biases", "h n -> n h"),
    *TIMM_MLP,
]
TIMM = [
    *[rule for index in range(4) for rule in conv_norm(
        f"stem.layers.{index}.conv", f"stem.layers.{index}.norm", f"stem.conv{index + 1}.linear",
        f"stem.conv{index + 1}.bn")],
    *within("stages.*.blocks.*.", "stages.*.blocks.*.", TIMM_BLOCK),
    *within("stages.*.shrink.", "stages.*.downsample.", TIMM_SHRINK),
    *norm_linear("head", "head"),
    *norm_linear("distillation_head", "head_dist"),
]
TIMM_CONV = [rule._replace(layout=CONV_AS_LINEAR) if rule.layout == LINEAR and "head" not in rule.ours[0] else rule
             for rule in TIMM]

TRANSFORMERS = ("linear", "batch_norm")  # a linear map and its norm there
TRANSFORMERS_STEM = [rule for index in range(4) for rule in conv_norm(
    f"stem.layers.{index}.conv", f"stem.layers.{index}.norm",
    *(f"patch_embeddings.embedding_layer_{index + 1}.{part}" for part in ("convolution", "batch_norm")))]
TRANSFORMERS_ATTENTION = [
    *linear_norm("qkv", "module.queries_keys_values", TRANSFORMERS),
    *linear_norm("proj", "module.projection", TRANSFORMERS),
    *tensor("bias_table", "module.attention_biases", "h n -> n h"),
]
TRANSFORMERS_SHRINK = [
    *linear_norm("query", "queries", TRANSFORMERS),
    *linear_norm("key_value", "keys_values", TRANSFORMERS),
    *linear_norm("proj", "projection", TRANSFORMERS),
    *tensor("bias_table", "attention_biases", "h n -> n h"),
]
TRANSFORMERS_MLP = [
    *linear_norm("linear1", "module.linear_up", TRANSFORMERS),
    *linear_norm("linear2", "module.linear_down", TRANSFORMERS),
]
TRANSFORMERS_HEADS = [
    *norm_linear("head", "classifier", TRANSFORMERS[::-1]),
    *norm_linear("distillation_head", "classifier_distill", TRANSFORMERS[::-1]),
]
OF_BLOCK = re.compile(r".*stages\.(\d+)\.(blocks\.\d+\.attention\.bias_table|layers\.\d+\.module\.attention_biases)")


def transformers_model(prefix, names):
    """The table of LevitModel with as many blocks as `names` tell, ours or theirs.

    A stage there is one list: attention and MLP of each block in turn, then those that shrink the grid for the next.
    """
    depths = Counter(match[1] for match in map(OF_BLOCK.fullmatch, names) if match)
    table = [*TRANSFORMERS_STEM]
    for stage in range(len(depths)):
        parts = [f"stages.{stage}.blocks.{block}" for block in range(depths[str(stage)])]
        parts += [f"stages.{stage + 1}.shrink"] if stage < len(depths) - 1 else []
        for number, ours in enumerate(parts):
            attention = TRANSFORMERS_SHRINK if ours.endswith("shrink") else TRANSFORMERS_ATTENTION
            table += within(f"{ours}.attention.", f"encoder.stages.{stage}.layers.{2 * number}.", attention)
            table += within(f"{ours}.mlp.", f"encoder.stages.{stage}.layers.{2 * number + 1}.", TRANSFORMERS_MLP)
    return within("", prefix, table)


def transformers(names):
    """The table of a model with heads."""
    return transformers_model("levit.", names) + TRANSFORMERS_HEADS


def shapes(reading, known):
    """All but the sides of the picture, which is square where config.json is silent."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    tables = [reading.shape(f"{stage}.blocks.0.attention.bias_table") for stage in stages]  # (tokens, heads)
    halvings = reading.modules("stem.layers")
    return dict(
        model=DistilledLeViT if "distillation_head.linear.weight" in reading else LeViT,
        channels=reading.shape("stem.layers.0.conv.weight")[2], num_classes=reading.outputs("head.linear"),
        dims=[reading.shape(f"{stage}.blocks.0.attention.qkv.linear.weight")[0] for stage in stages],
        depths=[reading.modules(f"{stage}.blocks") for stage in stages], heads=[heads for _, heads in tables],
        key_dim=reading.shape("stages.0.blocks.0.attention.proj.linear.weight")[0] // (2 * tables[0][1]),
        halvings=halvings, image_size=known.get("image_size", math.isqrt(tables[0][0]) * 2 ** halvings))


def dims(levit):
    """C of each stage."""
    return [stage.blocks[0].mlp.linear2.norm.running_mean.size for stage in levit.stages]


def depths(levit):
    """Blocks of each stage."""
    return [len(stage.blocks) for stage in levit.stages]


def heads(levit):
    """h of each stage."""
    return [stage.blocks[0].attention.heads for stage in levit.stages]


def key_dim(levit):
    """d."""
    return levit.stages[0].blocks[0].attention.key_dim


def keys_of_three(levit):
    """d for each stage; transformers shrinks the grid twice."""
    if len(levit.stages) != 3:
        raise ValueError(f"dims: a LeViT of {len(levit.stages)} stages has no counterpart in transformers, where they "
                         "are 3")
    return [key_dim(levit)] * 3


def side(levit):
    """Of the picture."""
    height, width = image_size(levit)
    if height != width:
        raise ValueError(f"image_size: a LeViT for {height} x {width} pixels has no counterpart in transformers, where "
                         "pictures are square")
    return height


def image_size(levit):
    """Height and width, which have to be multiples of the stem's stride there."""
    stride = 2 ** len(levit.stem)
    if tuple(n * stride for n in coarser(levit.image_size, stride)) != levit.image_size:
        height, width = levit.image_size
        raise ValueError(f"image_size: a LeViT for {height} x {width} pixels has no counterpart there, where they are "
                         f"multiples of {stride}")
    return list(levit.image_size)


def stem_type(levit):
    """Named by its stride."""
    names = {3: "s8", 4: "s16"}
    if len(levit.stem) not in names:
        raise ValueError(f"halvings: a stem of {len(levit.stem)} convolutions has no counterpart in timm, where they "
                         "are 3 or 4")
    return names[len(levit.stem)]


def channels(levit):
    """Of the pictures."""
    return levit.stem[0].conv.weight.shape[2]


def function(levit):
    """The activation."""
    return levit.stages[0].blocks[0].mlp.activation


ACTIVATION = activation("act_layer", "timm", function)
HARDSWISH = Key(ACTIVATION.name, ACTIVATION.of, ACTIVATION.setting, ACTIVATION.read, "hard_swish")

FAMILY = Family(
    name="levit",
    models={LeViT: ("timm", "transformers"), DistilledLeViT: ("timm", "transformers")},
    tables={"timm": [TIMM, TIMM_CONV], "transformers": [transformers, partial(transformers_model, "")]},
    shapes=shapes,
    head="head.linear",
    configs={"timm": Timm((
        Key("img_size", image_size, "image_size", pair),
        Key("in_chans", channels),
        Key("embed_dim", dims),
        Key("depth", depths),
        Key("num_heads", heads),
        Key("key_dim", key_dim),
        Key("stem_type", stem_type),
        HARDSWISH,
        Key("attn_act_layer", lambda levit: HARDSWISH.of(levit), read=HARDSWISH.read, written=False),
        Key("distilled", lambda levit: isinstance(levit, DistilledLeViT)),
        fixed("attn_ratio", 2.0), fixed("mlp_ratio", 2.0), fixed("down_op", "subsample"), fixed("global_pool", "avg"),
        Key("use_conv", lambda levit: False, fits=lambda value, levit: True, written=False),  # the same numbers
    ), architectures={
            r"levit_(conv_)?(128s|128|192|256|384)": {"distilled": True},
            r"levit_(conv_)?384_s8": {"act_layer": "silu", "distilled": True},
            r"levit_(conv_)?(512_s8|512|256d|512d)": {"act_layer": "silu", "distilled": False}},
        written="levit_256"), "transformers": Transformers((
            Key("image_size", side, "image_size", pair),
            Key("num_channels", channels),
            Key("hidden_sizes", dims),
            Key("depths", depths),
            Key("num_attention_heads", heads),
            Key("key_dim", keys_of_three),
            fixed("mlp_ratio", (2, 2, 2)), fixed("attention_ratio", (2, 2, 2)),
            fixed("patch_size", 16), fixed("kernel_size", 3), fixed("stride", 2), fixed("padding", 1),
        ), ignored=("down_ops",),  # of what shrinks the grid, which follows from the other keys
            always=(Always("activation", hardswish, function), Always("halvings", 4, lambda levit: len(levit.stem))),
            model_type="levit", architecture=lambda levit: "LevitForImageClassification" + (
                "WithTeacher" if isinstance(levit, DistilledLeViT) else ""))},
)
