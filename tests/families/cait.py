"""What is known of CaiT."""

from minivit.models.cait import CaiT
from tests.families.vit import ADAMW, SIZES, SMALL, WIDE
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

THREE = dict(class_depth=3)
CASES = [
    Case("CaiT", "32 pixels", "timm", CaiT, SIZES, (32, 32)),
    Case("CaiT", "not square, other MLP", "timm", CaiT, WIDE | THREE, (12, 20), batch=3, golden=True),
    Case("CaiT", "a single class-attention", "timm", CaiT, SIZES | dict(class_depth=1, channels=1), (32, 32)),
    Case("CaiT", "training", "timm", CaiT, SIZES, (32, 32), training=True),
    Case("CaiT", "without head", "timm", CaiT, SIZES | dict(num_classes=0), (32, 32)),
]
RUNS = [Run(case, "AdamW", ADAMW) for case in CASES if case.training]

MODELS = [Small(CaiT, SMALL, ("timm",)),
          Small(CaiT, SMALL | THREE | dict(num_classes=0, image_size=(8, 24), channels=1, mlp_dim=20), ("timm",))]
TIMM = [Saved("cait_xxs24_224", dict(depth=2, embed_dim=24, num_heads=3))]

FEATURES = [(CaiT, [({}, dict(indices=1)), (dict(layers=(0, 1)), dict(indices=[0, 1]))])]  # its norm is the token's

# a number that is added to all scores of a head changes no probability
WITHOUT_GRADIENT = [("cait", f"blocks.{block}.attention.mix_scores.bias") for block in range(4)]

REPOSITORY = "CaiT: the authors' repository (README_cait.md), pictures of {0} x {0}"
FIGURES = [
    Table(REPOSITORY.format(224), [Line("S24", "cait", "S-24", "47", "9.4", exact=46_916_200)]),
    Table(REPOSITORY.format(384), [
        Line("XS24", "cait", "XS-24", "27", "19.3", exact=26_670_088),
        Line("S24", "cait", "S-24", "47", "32.2", exact=47_062_120),
        Line("S36", "cait", "S-36", "68", "48.0", exact=68_366_632),
        Line("M36", "cait", "M-36", "271", "173.3", exact=271_221_352)],
        settings=dict(image_size=384), pixels=384),
    Table(REPOSITORY.format(448), [Line("M48", "cait", "M-48", "356", "329.6", exact=356_460_520)],
          settings=dict(image_size=448), pixels=448),
]
DIFFERENCES = [
    "timm's CaiT takes pictures of one size only. Here the positions of others are interpolated, as for ViT; that is "
    "compared for ViT and DeiT III.",
]
