"""Swin Transformers V2: timm's SwinTransformerV2, transformers' Swinv2ForImageClassification.

No tensor tells the window, nor by which window offsets are measured: a network computes their biases. Both follow from
config.json, and from the size of the picture where it is smaller than a window.
"""

import re

from ...models.swin_v2 import SwinV2
from ..blocks import TIMM_BLOCK, TRANSFORMERS4_SELF_BLOCK, head
from ..config import Always, Key, Timm, Transformers, activation, fixed, number_or_list, pair
from ..family import Family
from ..table import LINEAR, linear, tensor, within
from .swin import SHARED, encoder, first, patch_size, patches_divide, sizes, timm


def block(table, query_bias, value_bias, logit_scale, mlp):
    """A block of Swin, but that queries and values alone have a bias, and with what V2 adds to attention."""
    return [rule for rule in table if "attention.qkv.bias" not in rule.ours] + [
        *tensor("attention.query_bias", query_bias), *tensor("attention.value_bias", value_bias),
        *tensor("attention.logit_scale", logit_scale), *linear("attention.position_bias.linear1", f"{mlp}.0"),
        *tensor("attention.position_bias.linear2.weight", f"{mlp}.2.weight", LINEAR)]


BLOCK = block(TIMM_BLOCK, "attn.q_bias", "attn.v_bias", "attn.logit_scale", "attn.cpb_mlp")
ENCODER = encoder(block(TRANSFORMERS4_SELF_BLOCK, "attention.self.query.bias", "attention.self.value.bias",
                        "attention.self.logit_scale", "attention.self.continuous_position_bias_mlp"))


def shapes(reading, known):
    """All but the window, that of the pretraining, and the size of the picture."""
    stages = range(reading.modules("stages"))
    dim = reading.shape("patch_embed.bias")[0]
    return dict(patch_size=reading.axis("patch_embed.weight", "P"), channels=reading.axis("patch_embed.weight", "C"),
                num_classes=reading.outputs(), dim=dim,
                depths=[reading.modules(f"stages.{stage}.blocks") for stage in stages],
                heads=[reading.shape(f"stages.{stage}.blocks.0.attention.logit_scale")[0] for stage in stages],
                mlp_ratio=reading.shape("stages.0.blocks.0.mlp.linear1.bias")[0] / dim,
                pretrained_windows=(known.get("pretrained_windows") or (0,) * len(stages))[:len(stages)])


def square(name):
    """A reader of one number, or of two equal ones."""
    def read(value):
        sides = set(value) if isinstance(value, (list, tuple)) else {value}
        if len(sides) != 1 or not isinstance(*sides, int):
            raise ValueError(f"{name} = {value!r}: expected one number, or the same for height and width")
        return next(iter(sides))
    return read


def windows(swin):
    """The window of each stage."""
    return [stage.blocks[0].attention.window for stage in swin.stages]


def window(swin, sides, halved):
    """M, if windows that they make as small as each of these sides of a grid are those of every stage."""
    for stage, ours in enumerate(windows(swin)):
        theirs = {min(swin.window, halved(side // patch_size(swin), 2 ** stage)) for side in sides}
        if theirs != {ours}:
            raise ValueError(f"for pictures of {swin.image_size} pixels, windows of {swin.window} tokens would be of "
                             f"{sorted(theirs)} there in stage {stage}, and are of {ours} here")
    return swin.window


def timm_window(swin):
    """The same for timm, which rounds grids up and fits windows to each side."""
    return window(swin, swin.image_size, lambda side, by: -(-side // by))


def transformers_window(swin):
    """The same for transformers, which rounds down and fits windows to the height."""
    return window(swin, swin.image_size[:1], lambda side, by: side // by)


def pretrained(swin):
    """The window of the pretraining in each stage, 0 where it is the stage's own."""
    units = [stage.blocks[0].attention.position_bias.unit for stage in swin.stages]
    return [0 if unit == own else unit for unit, own in zip(units, windows(swin), strict=True)]


def pretrained_fits(value, swin):
    """Whether theirs, of which they take the first ones, are ours."""
    value = pretrained_windows(value)
    return len(value) >= len(swin.stages) and all(
        (theirs or own) == (ours or own) for theirs, ours, own in zip(
            value, pretrained(swin), windows(swin), strict=False))


def pretrained_windows(value):
    """One number for each stage."""
    return tuple(map(square("pretrained_window_sizes"), value))


class WithPixels(Timm):
    """The names of timm end with the pixels of the pictures, for which their code builds the model."""

    def hints(self, content):
        """What the weights were trained on; where config.json does not say it, what the name does."""
        pixels = re.search(r"\d+$", content.get("architecture", "").partition(".")[0])
        return ({"img_size": [int(pixels[0])] * 2} if pixels else {}) | super().hints(content)


TRAINED_WITH_12 = dict(pretrained_window_sizes=[12, 12, 12, 6])
OWN = [
    *SHARED,
    Key("pretrained_window_sizes", pretrained, "pretrained_windows", pretrained_windows, [0, 0, 0, 0],
        fits=pretrained_fits),
]
FAMILY = Family(
    name="swin_v2",
    models={SwinV2: ("timm", "transformers")},
    tables={
        # the second of the authors
        "timm": [timm(0, "head.fc", BLOCK), timm(1, "head", BLOCK)],
        "transformers": [within("", "swinv2.", ENCODER) + head("head", "classifier"), ENCODER],
    },
    shapes=shapes,
    sizes=sizes,
    asked={"window": "how many tokens are on a side of its windows (say pretrained_windows too, if others came before)",
           "image_size": "for which pictures the windows were fitted to the grids"},
    derived=(r"relative_coords_table",),
    configs={
        "timm": WithPixels((
            *OWN,
            Key("patch_size", patch_size, fits=patches_divide),
            Key("img_size", lambda swin: list(swin.image_size), "image_size", pair),
            Key("in_chans", lambda swin: swin.patch_embed.channels),
            Key("window_size", timm_window, "window", square("window_size"), 7),
            activation("act_layer", "timm", lambda swin: first(swin).mlp.activation),
            fixed("global_pool", "avg"), fixed("always_partition", False),
        ), always=(Always("eps", 1e-5, lambda swin: swin.norm.eps),), written="swinv2_tiny_window8_256",
            architectures={
                r"swinv2_(tiny|small|base)_window8_256": dict(window_size=8),
                r"swinv2_(tiny|small|base)_window16_256": dict(window_size=16),
                r"swinv2_(base|large)_window12_192": dict(window_size=12),
                r"swinv2_(base|large)_window12to16_192to256": dict(window_size=16, **TRAINED_WITH_12),
                r"swinv2_(base|large)_window12to24_192to384": dict(window_size=24, **TRAINED_WITH_12)}),
        "transformers": Transformers((
            *OWN,
            Key("patch_size", patch_size, fits=patches_divide),
            Key("image_size", lambda swin: number_or_list(swin.image_size), "image_size", pair, 224),
            Key("num_channels", lambda swin: swin.patch_embed.channels),
            Key("window_size", transformers_window, "window", square("window_size"), 7),
            activation("hidden_act", "transformers", lambda swin: first(swin).mlp.activation),
            fixed("layer_norm_eps", 1e-5), fixed("use_absolute_embeddings", False),
        ), always=(Always("eps", 1e-5, lambda swin: swin.norm.eps),), ignored=("num_layers", "hidden_size"),
            model_type="swinv2", architecture="Swinv2ForImageClassification"),
    },
)
