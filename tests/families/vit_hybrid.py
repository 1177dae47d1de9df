"""What is known of the hybrid ViT."""

from functools import partial

from minivit.models.vit_hybrid import ViTHybrid
from tests.families.vit import ADAMW, NARROW, SIZES, SMALL
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

RESNET = dict(width=32, depths=(1, 2, 1))
HYBRID = {name: SIZES[name] for name in SIZES if name != "patch_size"} | RESNET | dict(image_size=64)


def reference(timm, depths=RESNET["depths"], image_size=64, patch_size=1, channels=3):
    """timm's model with so small a ResNet, which no factory makes."""
    convolution = partial(timm.layers.StdConv2dSame, eps=1e-8)
    shared = dict(stem_type="same", preact=False, conv_layer=convolution)
    if depths:
        resnet = timm.models.resnetv2.ResNetV2(depths, (128, 256, 512), 0, channels, global_pool="", stem_chs=32,
                                               **shared)
    else:
        resnet = timm.models.resnetv2.create_resnetv2_stem(channels, 32, **shared)
    return timm.models.vision_transformer.VisionTransformer(
        img_size=image_size, patch_size=patch_size, in_chans=channels, num_classes=HYBRID["num_classes"],
        embed_dim=HYBRID["dim"], depth=HYBRID["depth"], num_heads=HYBRID["heads"], dynamic_img_size=True,
        embed_layer=partial(timm.layers.HybridEmbed, backbone=resnet))


def case(note, pixels, batch=2, training=False, golden=False, seed=0, **settings):
    """A comparison; `settings` are those that both sides have."""
    return Case("ViT-hybrid", note, "timm", ViTHybrid, HYBRID | settings, pixels, batch, training=training, seed=seed,
                golden=golden, reference=partial(reference, **settings))


# seeds as for ResNet, whose ReLU has a kink
CASES = [
    case("64 pixels", (64, 64), batch=1, seed=1),
    case("odd sizes", (52, 77), batch=1, image_size=(52, 77), golden=True, seed=1),
    case("larger picture", (72, 96), depths=(1, 1), batch=1, seed=1),
    case("stem alone", (64, 64), depths=(), patch_size=4, seed=2),
    case("training", (64, 64), training=True, seed=21),
]
RUNS = [Run(case, "AdamW", ADAMW) for case in CASES if case.training]

TINY = {name: SMALL[name] for name in SMALL if name != "patch_size"} | dict(width=32)
MODELS = [
    Small(ViTHybrid, TINY | dict(depths=(1, 1)), ("timm",), unread=("timm",)),
    Small(ViTHybrid, TINY | dict(depths=(2, 2, 2, 2), width=64, image_size=(32, 45), num_classes=0), ("timm",)),
    Small(ViTHybrid, TINY | dict(depths=(), width=64, patch_size=2), ("timm",)),
]
TIMM = [Saved("vit_small_r26_s32_224", NARROW | dict(patch_size=1)),
        Saved("vit_tiny_r_s16_p8_224", NARROW)]

FIGURES = [Table("ViT-hybrid: Steiner et al., arXiv:2106.10270, table 2", [
    Line("R+Ti/16", "vit_hybrid", "R+Ti/16", "6.4", exact=6_337_704),
    Line("R26+S/32", "vit_hybrid", "R26+S/32", "36.6", exact=36_431_912),
    Line("R50+L/32", "vit_hybrid", "R50+L/32", "330.0", exact=328_994_856)])]
DIFFERENCES = [
    "The hybrid ViT's authors divide a convolution's weights by std + 1e-5, timm and minivit by sqrt(var + 1e-8); "
    "GroupNorm's epsilon is 1e-6 there, 1e-5 here. Read in their source, not measured.",
]
