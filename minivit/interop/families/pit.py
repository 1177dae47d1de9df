"""PiT: timm's PoolingVisionTransformer."""

from ...models.pit import DistilledPiT, PiT
from ...ops import gelu
from ..blocks import TIMM_BLOCK, head
from ..config import Always, Key, Timm, fixed, mlp_ratio, pair
from ..family import Family
from ..table import CONV, linear, norm, optional, tensor, within

TIMM = [
    *linear("embed", "patch_embed.conv", CONV),
    *tensor("positions", "pos_embed", "b d h w -> b h w d"),
    *tensor("class_token", "cls_token"),
    *within("stages.*.blocks.*.", "transformers.*.blocks.*.", TIMM_BLOCK),
    *linear("stages.*.pool.conv", "transformers.*.pool.conv", CONV),
    *linear("stages.*.pool.linear", "transformers.*.pool.fc"),
    *norm("norm", "norm"),
    *head("head", "head"),
    *optional(head("distillation_head", "head_dist")),
]


def shapes(reading, known):
    """All but the distance of the patches, by which the picture's size is told, and the heads."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    dims = [reading.shape(f"{stage}.blocks.0.norm1.weight")[0] for stage in stages]
    patch_size, _, channels, _ = reading.shape("embed.weight")
    stride = known.get("stride") or patch_size // 2
    return dict(model=DistilledPiT if reading.shape("class_token")[1] == 2 else PiT, patch_size=patch_size,
                stride=stride, channels=channels, num_classes=reading.outputs(), dims=dims,
                depths=[reading.modules(f"{stage}.blocks") for stage in stages], heads=known.get("heads"),
                mlp_ratio=reading.shape("stages.0.blocks.0.mlp.linear1.bias")[0] / dims[0],
                image_size=known.get("image_size") or tuple(
                    (places - 1) * stride + patch_size for places in reading.shape("positions")[1:3]))


def dims(pit):
    """D of each stage."""
    return [stage.blocks[0].norm1.weight.size for stage in pit.stages]


def heads(pit):
    """h of each stage."""
    return [stage.blocks[0].attention.heads for stage in pit.stages]


def base_dims(pit):
    """The width of a head in each stage."""
    return [dim // h for dim, h in zip(dims(pit), heads(pit), strict=True)]


FAMILY = Family(
    name="pit",
    models={PiT: ("timm",), DistilledPiT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    asked={"heads": "how many heads share the width of each stage, {dims}"},
    configs={"timm": Timm((
        Key("img_size", lambda pit: list(pit.image_size), "image_size", pair),
        Key("patch_size", lambda pit: len(pit.embed.weight)),
        Key("stride", lambda pit: pit.embed.settings["stride"], "stride", default=8),
        Key("in_chans", lambda pit: pit.embed.weight.shape[2]),
        Key("base_dims", base_dims),
        Key("depth", lambda pit: [len(stage.blocks) for stage in pit.stages]),
        Key("heads", heads, "heads"),
        mlp_ratio(lambda pit: dims(pit)[0], lambda pit: pit.stages[0].blocks[0].mlp.linear1.bias.size),
        Key("distilled", lambda pit: isinstance(pit, DistilledPiT), written=False, default=False),
        fixed("global_pool", "token"),
    ), always=(Always("eps", 1e-6, lambda pit: pit.norm.eps),
               Always("activation", gelu, lambda pit: pit.stages[0].blocks[0].mlp.activation)),
        ignored=("stem_type",),  # read by nobody there
        architectures={
            r"pit_ti_224": {"heads": [2, 4, 8]}, r"pit_xs_224": {"heads": [2, 4, 8]},
            r"pit_s_224": {"heads": [3, 6, 12]}, r"pit_b_224": {"heads": [4, 8, 16], "stride": 7},
            r"pit_ti_distilled_224": {"heads": [2, 4, 8], "distilled": True},
            r"pit_xs_distilled_224": {"heads": [2, 4, 8], "distilled": True},
            r"pit_s_distilled_224": {"heads": [3, 6, 12], "distilled": True},
            r"pit_b_distilled_224": {"heads": [4, 8, 16], "stride": 7, "distilled": True}},
        written=lambda pit: "pit_s_distilled_224" if isinstance(pit, DistilledPiT) else "pit_s_224")},
)
