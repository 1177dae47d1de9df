"""What is known of Swin."""

from minivit.models.swin import Swin
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=64, patch_size=4, num_classes=5, dim=16, depths=(2, 2), heads=(2, 4), window=4)
NO_DROP = dict(drop_path_rate=0.0)  # timm's has another default
UNEVEN = "windows that do not divide the grid"

CASES = [
    Case("Swin", "64 pixels", "timm", Swin, SIZES, (64, 64)),
    Case("Swin", "not square", "timm", Swin, SIZES | dict(image_size=(64, 96), num_classes=9), (64, 96), batch=1,
         golden=True),
    Case("Swin", "window as large as the grid", "timm", Swin, SIZES | dict(image_size=32), (32, 32)),
    # where windows move, timm differs on such a grid (see minivit/models/swin.py): here every stage is a single block
    Case("Swin", UNEVEN, "timm", Swin, SIZES | dict(image_size=(68, 84), depths=(1, 1), window=3), (68, 84), batch=3),
    Case("Swin", "training", "timm", Swin, SIZES, (64, 64), training=True, official=NO_DROP),
    Case("Swin", "64 pixels", "transformers", Swin, SIZES | dict(num_classes=7), (64, 64), batch=3),
    Case("Swin", UNEVEN, "transformers", Swin, SIZES | dict(window=3), (68, 84), golden=True),
    Case("Swin", "patches that do not divide the picture", "transformers", Swin, SIZES, (63, 70), batch=1),
    Case("Swin", "training", "transformers", Swin, SIZES, (64, 64), training=True, official=NO_DROP),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

MODELS = [
    Small(Swin, dict(image_size=32, num_classes=3, dim=8, depths=(2, 2), heads=(2, 4), window=4), (
        "timm", "transformers", "transformers4")),
    Small(Swin, dict(image_size=16, num_classes=3, dim=8, depths=(1, 2), heads=(2, 4), window=4), ("timm",)),
]
TIMM = [Saved("swin_tiny_patch4_window7_224", dict(depths=(1, 1, 2, 1), embed_dim=12, num_heads=(1, 2, 2, 4)))]
TRANSFORMERS = [Saved("SwinForImageClassification", dict(embed_dim=12, depths=[1, 2], num_heads=[2, 3]),
                      "ViTImageProcessorPil")]

FIGURES = [Table("Swin: Liu et al., arXiv:2103.14030, table 1", [
    Line("Swin-T", "swin", "tiny", "29", "4.5", "the authors' repository says 28 M"),
    Line("Swin-S", "swin", "small", "50", "8.7"),
    Line("Swin-B", "swin", "base", "88", "15.4")])]
DIFFERENCES = [
    "Swin on a grid that windows do not divide: the authors' detection code and transformers add zeros and then move "
    "the windows, as here; timm moves the windows first. The results differ, and only blocks that do not move are "
    "compared.",
    "Swin's attention between regions that were no neighbours is forbidden by adding -100 there, by -inf here. What "
    "they let through, e^-100 = 4e-44, vanishes beside 1 in float64 too.",
]
