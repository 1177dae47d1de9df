"""LeViT: timm's Levit and LevitDistilled with linear maps.

Read are also timm's levit_conv_..., whose linear maps are convolutions of 1 x 1 pixels under the same names. Not read
is transformers, which counts attention and MLPs of a stage in one list and so has other numbers for what follows,
depending on the depth.
"""

import math

from ...models.levit import DistilledLeViT, LeViT, coarser
from ..blocks import conv_norm
from ..config import Key, Timm, activation, fixed, pair
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


def function(levit):
    """The activation."""
    return levit.stages[0].blocks[0].mlp.activation


ACTIVATION = activation("act_layer", "timm", function)
HARDSWISH = Key(ACTIVATION.name, ACTIVATION.of, ACTIVATION.setting, ACTIVATION.read, "hard_swish")

FAMILY = Family(
    name="levit",
    models={LeViT: ("timm",), DistilledLeViT: ("timm",)},
    tables={"timm": [TIMM, TIMM_CONV]},
    shapes=shapes,
    head="head.linear",
    configs={"timm": Timm((
        Key("img_size", image_size, "image_size", pair),
        Key("in_chans", lambda levit: levit.stem[0].conv.weight.shape[2]),
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
        written="levit_256")},
)
