"""What is known of DeiT III."""

from minivit.models.deit3 import DeiT3
from tests.families.vit import ADAMW, ANY_SIZE, NARROW, SIZES, SMALL, WIDE
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

NAME = "DeiT III"
CASES = [
    Case(NAME, "32 pixels", "timm", DeiT3, SIZES, (32, 32)),
    Case(NAME, "not square, other MLP", "timm", DeiT3, WIDE, (12, 20), batch=3),
    Case(NAME, "larger picture", "timm", DeiT3, SIZES, (48, 72), official=ANY_SIZE, golden=True),
    Case(NAME, "smaller picture", "timm", DeiT3, SIZES, (16, 24), batch=1, official=ANY_SIZE),
    Case(NAME, "training", "timm", DeiT3, SIZES, (32, 32), training=True),
    Case(NAME, "without head", "timm", DeiT3, SIZES | dict(num_classes=0, channels=1), (32, 32)),
]
RUNS = [Run(case, "AdamW", ADAMW) for case in CASES if case.training]

MODELS = [Small(DeiT3, SMALL, ("timm",)),
          Small(DeiT3, SMALL | dict(num_classes=0, image_size=(8, 24), channels=1, mlp_dim=20), ("timm",))]
TIMM = [Saved("deit3_small_patch16_224", NARROW)]

REPOSITORY = "DeiT III: the authors' repository (README_revenge.md), pictures of {0} x {0}"
FIGURES = [
    Table(REPOSITORY.format(224), [
        Line("ViT-S", "deit3", "small", "22.0", "4.6", exact=22_059_496),
        Line("ViT-B", "deit3", "base", "86.6", "17.5", exact=86_585_320),
        Line("ViT-L", "deit3", "large", "304.4", "61.6", exact=304_374_760),
        Line("ViT-H/14", "deit3", "huge", "632.1", "167.4", exact=632_126_440)]),
    Table(REPOSITORY.format(384), [
        Line("ViT-S", "deit3", "small", "22.0", "15.5"), Line("ViT-B", "deit3", "base", "86.9", "55.5"),
        Line("ViT-L", "deit3", "large", "304.8", "191.2")], settings=dict(image_size=384), pixels=384),
]
