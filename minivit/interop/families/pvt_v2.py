"""PVT v2: timm's PyramidVisionTransformerV2, transformers' PvtV2ForImageClassification."""

from ...models.pvt_v2 import VARIANTS, PVTv2, PVTv2Linear
from ..blocks import head
from ..config import Always, Key, Timm, Transformers, fixed, number_or_list, pair
from ..family import Family
from ..table import CONV, linear, norm, optional, within
from . import pvt

TIMM_BLOCK = [*pvt.BLOCK, *linear("mlp.conv", "mlp.dwconv", CONV)]
TIMM = [
    *pvt.conv_norm("stages.0.embed", "patch_embed.proj", "patch_embed.norm"),
    *pvt.conv_norm("stages.*.embed", "stages.*.downsample.proj", "stages.*.downsample.norm"),
    *within("stages.*.blocks.*.", "stages.*.blocks.*.", TIMM_BLOCK),
    *norm("stages.*.norm", "stages.*.norm"),
    *head("head", "head"),
]
TRANSFORMERS_BLOCK = [
    *norm("norm1", "layer_norm_1"),
    *linear("attention.query", "attention.query"),
    *linear("attention.key_value", ["attention.key", "attention.value"]),
    *linear("attention.proj", "attention.proj"),
    *optional(pvt.conv_norm("attention.reduction", "attention.spatial_reduction", "attention.layer_norm")),
    *norm("norm2", "layer_norm_2"),
    *linear("mlp.linear1", "mlp.dense1"),
    *linear("mlp.conv", "mlp.dwconv.dwconv", CONV),
    *linear("mlp.linear2", "mlp.dense2"),
]
STAGES = within("stages.*.", "encoder.layers.*.", [
    *pvt.conv_norm("embed", "patch_embedding.proj", "patch_embedding.layer_norm"),
    *within("blocks.*.", "blocks.*.", TRANSFORMERS_BLOCK),
    *norm("norm", "layer_norm"),
])
HEADS = {model.keywords["dims"]: model.keywords["heads"] for model in VARIANTS.values()}  # of the usual widths


def shapes(reading, known):
    """All that a PVT v2 is built of; the reduction of the linear form is a 1 x 1 convolution, in each stage."""
    found = pvt.stage_shapes(reading, known, HEADS)
    found["patch_size"] = (found["patch_size"] + 1) // 2                    # S of a kernel 2 S - 1
    last = f"stages.{len(found['dims']) - 1}.blocks.0.attention.reduction.conv.weight"
    if last in reading and reading.shape(last)[0] == 1:
        del found["reductions"]
        return found | dict(model=PVTv2Linear)
    return found | dict(model=PVTv2)


def linear_form(model):
    """Whether it is, with the 7 x 7 windows that the others always have."""
    if not isinstance(model, PVTv2Linear):
        return False
    pool = model.stages[0].blocks[0].attention.reduction.pool
    if pool != 7:
        raise ValueError(f"pool: a PVT v2 with {pool} x {pool} windows has no counterpart there, where they are 7 x 7")
    return True


def reductions(model):
    """R of each stage, which the linear form has not: there it may be any."""
    return [1] * len(model.stages) if isinstance(model, PVTv2Linear) else pvt.reductions(model)


def reductions_fit(value, model):
    """Whether they make the same model."""
    return isinstance(model, PVTv2Linear) or per_stage(value, model) == pvt.reductions(model)


def per_stage(value, model):
    """A value for each stage, or one for all, as a list."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * len(model.stages)


FAMILY = Family(
    name="pvt_v2",
    models={PVTv2: ("timm", "transformers"), PVTv2Linear: ("timm", "transformers")},
    tables={
        "timm": [TIMM],
        "transformers": [within("", "pvt_v2.", STAGES) + head("head", "classifier"), STAGES],  # with head; PvtV2Model
    },
    shapes=shapes,
    asked={"heads": "how many heads share the width of each stage, {dims}"},
    configs={
        "timm": Timm((
            Key("img_size", lambda model: list(model.image_size), "image_size", pair, written=False),
            Key("in_chans", pvt.channels),
            Key("embed_dims", pvt.widths),
            Key("depths", pvt.depths),
            Key("num_heads", pvt.heads, "heads", default=(1, 2, 5, 8)),
            Key("mlp_ratios", pvt.mlp_ratios, fits=lambda value, model: pvt.hidden_widths(
                per_stage(value, model), model)),
            Key("sr_ratios", reductions, fits=reductions_fit),
            Key("linear", linear_form, default=False),
            fixed("qkv_bias", True), fixed("global_pool", "avg"),
        ), always=(Always("eps", 1e-6, pvt.eps), Always("conv_eps", 1e-5, pvt.conv_eps),
                   Always("patch_size", 4, lambda model: model.stages[0].embed.conv.settings["stride"])),
            architectures={r"pvt_v2_b[0-5]": {}, "pvt_v2_b2_li": {"linear": True}},
            written=lambda model: "pvt_v2_b2_li" if linear_form(model) else "pvt_v2_b2"),
        "transformers": Transformers((
            *pvt.TRANSFORMERS_KEYS,
            Key("image_size", lambda model: number_or_list(model.image_size), "image_size", pair),
            Key("patch_sizes", lambda model: [len(stage.embed.conv.weight) for stage in model.stages]),
            Key("strides", lambda model: [stage.embed.conv.settings["stride"] for stage in model.stages]),
            Key("sr_ratios", reductions, fits=reductions_fit),
            Key("linear_attention", linear_form, default=False),
        ), model_type="pvt_v2", architecture="PvtV2ForImageClassification"),
    },
)
