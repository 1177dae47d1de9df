"""Twins-PCPVT and Twins-SVT: timm's Twins, which has the authors' names."""

from ...models.twins import VARIANTS, TwinsPCPVT, TwinsSVT
from ..blocks import head
from ..config import Always, Key, Timm, fixed, pair
from ..family import Family
from ..table import CONV, linear, norm, optional, within
from . import pvt

BLOCK = [*(rule._replace(optional=True) if "attention" in rule.ours[0] else rule for rule in pvt.BLOCK),
         *optional(linear("attention.qkv", "attn.qkv"))]   # a block has the attention of windows or that of tiles
TIMM = [
    *pvt.conv_norm("stages.*.embed", "patch_embeds.*.proj", "patch_embeds.*.norm"),
    *within("stages.*.blocks.*.", "blocks.*.*.", BLOCK),
    *linear("stages.*.positions.conv", "pos_block.*.proj.0", CONV),
    *norm("norm", "norm"),
    *head("head", "head"),
]
HEADS = {model.keywords["dims"]: model.keywords["heads"] for model in VARIANTS.values()}  # of the usual widths


def shapes(reading, known):
    """All but the window."""
    found = pvt.stage_shapes(reading, known, HEADS)
    return found | dict(model=TwinsSVT if "stages.0.blocks.0.attention.qkv.weight" in reading else TwinsPCPVT)


def windows(model):
    """M of each stage; None where there are none."""
    if not isinstance(model, TwinsSVT):
        return None
    if model.window == 1:
        raise ValueError("window: windows of one token have no counterpart in timm, where 1 means attention to tiles")
    return [model.window] * len(model.stages)


def only_window(value):
    """The window of all stages."""
    if len(set(value)) > 1:
        raise ValueError(f"wss = {value!r} has no counterpart in minivit, where windows are of one size")
    return value[0]


def reductions_fit(value, model):
    """Whether they are those of the stages that have any attention to tiles; SVT has none in a stage of one block."""
    return len(value) == len(model.stages) and all(
        ours == theirs or len(stage.blocks) == 1 and isinstance(model, TwinsSVT)
        for ours, theirs, stage in zip(pvt.reductions(model), value, model.stages, strict=True))


FAMILY = Family(
    name="twins",
    models={TwinsPCPVT: ("timm",), TwinsSVT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    asked={"heads": "how many heads share the width of each stage, {dims}"},
    configs={"timm": Timm((
        Key("img_size", lambda model: list(model.image_size), "image_size", pair),
        Key("patch_size", pvt.patch_size),
        Key("in_chans", pvt.channels),
        Key("embed_dims", pvt.widths),
        Key("depths", pvt.depths),
        Key("num_heads", pvt.heads, "heads"),
        Key("mlp_ratios", pvt.mlp_ratios, fits=pvt.hidden_widths),
        Key("sr_ratios", pvt.reductions, fits=reductions_fit),
        Key("wss", windows, "window", only_window, fits=lambda value, model: value == windows(model)),
        fixed("global_pool", "avg"),
    ), always=(Always("eps", 1e-6, pvt.eps), Always("conv_eps", 1e-5, pvt.conv_eps)),
        architectures={
            r"twins_pcpvt_(small|base|large)": {"num_heads": [1, 2, 5, 8]},
            "twins_svt_small": {"num_heads": [2, 4, 8, 16], "wss": [7] * 4},
            "twins_svt_base": {"num_heads": [3, 6, 12, 24], "wss": [7] * 4},
            "twins_svt_large": {"num_heads": [4, 8, 16, 32], "wss": [7] * 4}},
        written=lambda model: "twins_svt_small" if isinstance(model, TwinsSVT) else "twins_pcpvt_small")},
)
