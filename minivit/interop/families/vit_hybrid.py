"""Hybrid ViT: timm's VisionTransformer whose patch_embed has a ResNetV2 in it, one that is not pre-activated."""

from dataclasses import dataclass

from ...models.vit_hybrid import Stem, ViTHybrid
from ..blocks import TIMM_BLOCK, head, patches
from ..config import Key, Timm
from ..family import Family
from ..table import conv, norm, optional, tensor, within
from . import vit

BOTTLENECK = [rule for index in (1, 2, 3)
              for rule in conv(f"conv{index}", f"conv{index}") + norm(f"norm{index}", f"norm{index}")] + optional(
    conv("shortcut.layers.0", "downsample.conv") + norm("shortcut.layers.1", "downsample.norm"))
STEM = conv("conv", "conv") + norm("norm", "norm")
RESNET = within("stem.", "stem.", STEM) + within("body.stages.*.layers.*.", "stages.*.blocks.*.", BOTTLENECK)
TIMM = [
    *tensor("class_token", "cls_token"),
    *tensor("positions", "pos_embed"),
    *optional(within("patch_embed.backbone.", "patch_embed.backbone.", STEM)),  # all that a hybrid without stages has
    *optional(within("patch_embed.backbone.", "patch_embed.backbone.", RESNET)),
    *patches("patch_embed.proj", "patch_embed.proj"),
    *within("blocks.*.", "blocks.*.", TIMM_BLOCK),
    *norm("norm", "norm"),
    *head("head", "head"),
]


def shapes(reading, known):
    """What the tensors tell."""
    backbone = reading.part("patch_embed.backbone.")
    *_, channels, width = backbone.shape("stem.conv.weight" if "stem.conv.weight" in backbone else "conv.weight")
    P, dim = reading.axis("patch_embed.proj.weight", "P"), reading.shape("norm.weight")[0]
    depths = [backbone.modules(f"body.stages.{stage}.layers") for stage in range(backbone.modules("body.stages"))]
    stride = P * Stem.stride * 2 ** max(len(depths) - 1, 0)
    size = vit.pair(known.get("image_size") or (0, 0))
    places, grid = reading.shape("positions")[1] - 1, [-(-pixels // stride) for pixels in size]
    if grid[0] * grid[1] != places:
        size = [side * stride for side in vit.grid_of(places, stride, None)]
    return dict(image_size=size, patch_size=P, channels=channels, num_classes=reading.outputs(), dim=dim,
                depth=reading.modules("blocks"), heads=known.get("heads") or vit.HEADS.get(dim),
                mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0], depths=depths, width=width)


def depths(hybrid):
    """Blocks in each stage of the ResNet."""
    backbone = hybrid.patch_embed.backbone
    return [len(stage) for stage in backbone.body.stages] if hasattr(backbone, "body") else []


def width(hybrid):
    """Channels of the stem."""
    stem = getattr(hybrid.patch_embed.backbone, "stem", hybrid.patch_embed.backbone)
    if not isinstance(stem, Stem):
        raise ValueError(f"stem: {type(stem).__name__} has no counterpart in timm, whose stem has 7 x 7 pixels")
    return stem.conv.weight.shape[-1]


RESNETS = {  # what timm's factories make
    "vit_small_r26_s32_224": {"layers": [2, 2, 2, 2]},
    "vit_base_r50_s16_224": {"layers": [3, 4, 9]},
    "vit_large_r50_s32_224": {"layers": [3, 4, 6, 3]},
    "vit_tiny_r_s16_p8_224": {"layers": [], "patch_size": 8},
}


@dataclass(frozen=True)
class TimmHybrid(Timm):
    """In timm the name of an architecture says which ResNet is in it.

    Other ones are written with the keys "layers" and "stem_chs", which timm refuses by name and minivit reads.
    """

    def content(self, model):
        """{their key: value} of what the name of the architecture does not say."""
        content = super().content(model)
        usual = self.values({"architecture": self.written(model)})
        return {name: value for name, value in content.items() if usual.get(name, ...) != value}


FAMILY = Family(
    name="vit_hybrid",
    models={ViTHybrid: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    sizes=lambda hybrid: {"P": hybrid.patch_embed.proj.patch_size, "Q": hybrid.patch_embed.proj.patch_size},
    asked=vit.FAMILY.asked,
    configs={
        "timm": TimmHybrid((
            *(key for key in vit.TIMM_KEYS if key.name != "patch_size"),
            Key("patch_size", lambda hybrid: hybrid.patch_embed.proj.patch_size),
            Key("layers", depths), Key("stem_chs", width),
        ), always=vit.TIMM_ALWAYS, written=lambda hybrid: next(
            (name for name, resnet in RESNETS.items() if resnet["layers"] == depths(hybrid)), "vit_small_r26_s32_224"),
            architectures={name.replace("224", r"\d+"): {"patch_size": 1, "stem_chs": 64, **resnet}
                           for name, resnet in RESNETS.items()} | {
                r"vit_base_r26_s32_\d+": {"patch_size": 1, "stem_chs": 64, "layers": [2, 2, 2, 2]}}),
    },
)
