"""What is known of Swin V2."""

from minivit.models.swin_v2 import SwinV2
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=64, patch_size=4, num_classes=5, dim=16, depths=(2, 2), heads=(2, 4), window=4)
NO_DROP = dict(drop_path_rate=0.0)  # timm's has another default
UNEVEN = "windows that do not divide the grid"
MOVED = dict(window=4, pretrained_windows=(3, 2))

# The network of the positions has ReLUs, which have a kink: seeds as for ResNet.
CASES = [
    Case("Swin V2", "64 pixels", "timm", SwinV2, SIZES, (64, 64)),
    Case("Swin V2", "not square", "timm", SwinV2, SIZES | dict(image_size=(64, 96), num_classes=9), (64, 96), batch=1),
    Case("Swin V2", "windows of the pretraining", "timm", SwinV2, SIZES | MOVED, (64, 64), seed=1,
         golden=True),
    Case("Swin V2", "window larger than the last grid", "timm", SwinV2, SIZES | dict(image_size=24), (24, 24),
         seed=2),
    # where windows move, timm differs on such a grid (see minivit/models/swin.py): here every stage is a single block
    Case("Swin V2", UNEVEN, "timm", SwinV2, SIZES | dict(image_size=(68, 84), depths=(1, 1), window=3), (68, 84),
         seed=2),
    Case("Swin V2", "training", "timm", SwinV2, SIZES, (64, 64), training=True, official=NO_DROP),
    Case("Swin V2", "64 pixels", "transformers", SwinV2, SIZES | dict(num_classes=7), (64, 64), batch=3),
    Case("Swin V2", UNEVEN, "transformers", SwinV2, SIZES | dict(window=3, image_size=(68, 84)), (68, 84),
         seed=2, golden=True),
    Case("Swin V2", "windows of the pretraining", "transformers", SwinV2, SIZES | MOVED, (64, 64), seed=2),
    Case("Swin V2", "training", "transformers", SwinV2, SIZES, (64, 64), training=True, official=NO_DROP),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

MODELS = [
    Small(SwinV2, dict(image_size=32, num_classes=3, dim=8, depths=(2, 2), heads=(2, 4), window=4), (
        "timm", "transformers")),
    Small(SwinV2, dict(image_size=16, num_classes=3, dim=8, depths=(1, 2), heads=(2, 4), window=4,
                       pretrained_windows=(3, 2)), ("timm", "transformers")),
]
TIMM = [Saved("swinv2_tiny_window8_256", dict(depths=(1, 1, 2, 1), embed_dim=12, num_heads=(1, 2, 2, 4)))]
TRANSFORMERS = [Saved("Swinv2ForImageClassification", dict(embed_dim=12, depths=[1, 2], num_heads=[2, 3]),
                      "ViTImageProcessorPil")]

POSITIONS = "the authors' count leaves the network of the positions out, which costs {} G here"
FIGURES = [
    Table("Swin V2: the authors' repository, pictures of 256 pixels", [
        Line("SwinV2-T, window 8", "swin_v2", "tiny", "28", "5.9", exact=28_347_154),
        Line("SwinV2-T, window 16", "swin_v2", "tiny_w16", "28", "6.6"),
        Line("SwinV2-S, window 8", "swin_v2", "small", "50", "11.5", exact=49_728_418),
        Line("SwinV2-S, window 16", "swin_v2", "small_w16", "50", "12.6", POSITIONS.format("0.14")),
        Line("SwinV2-B, window 8", "swin_v2", "base", "88", "20.3", exact=87_918_816),
        Line("SwinV2-B, window 16", "swin_v2", "base_w16", "88", "21.8")], pixels=256),
    Table("Swin V2: the authors' repository, pictures of 384 pixels", [
        Line("SwinV2-L, window 24", "swin_v2", "large_w24", "197", "115.4", exact=196_739_932)], pixels=384),
    Table("Swin V2: Liu et al., arXiv:2111.09883, section 4; parameters of the backbones", [
        Line("SwinV2-H", "swin_v2", "huge", "658"),
        Line("SwinV2-G", "swin_v2", "giant", "3000")], pixels=192),
]
DIFFERENCES = [
    "Swin V2's coordinates are computed in single precision by the authors, timm and transformers, and here; results "
    "agree in double precision because the same numbers are rounded.",
    "transformers adds the mask of Swin V2's moved windows twice, -200 in place of -100: without effect, as for Swin.",
]
