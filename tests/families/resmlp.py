"""What is known of ResMLP."""

from minivit.models.resmlp import ResMLP
from tests.families.mlp_mixer import OTHER, SIZES, SMALL, WIDE, reference
from tests.golden.case import Case
from tests.known import Line, Run, Small, Table


def res_block(sizes, **settings):
    """reference(timm) -> its MlpMixer with the blocks of ResMLP."""
    return lambda timm: reference(sizes, block_layer=timm.models.mlp_mixer.ResBlock,
                                  norm_layer=timm.models.mlp_mixer.Affine, **{"mlp_ratio": 4, **settings})(timm)


CASES = [
    Case("ResMLP", "32 pixels", "timm", ResMLP, SIZES, (32, 32), reference=res_block(SIZES), golden=True),
    Case("ResMLP", "not square, other MLP", "timm", ResMLP, WIDE | dict(mlp_dim=24), (12, 20), batch=3,
         reference=res_block(WIDE, mlp_ratio=1.5)),
    Case("ResMLP", "training", "timm", ResMLP, SIZES, (32, 32), training=True, reference=res_block(SIZES)),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]
MODELS = [Small(ResMLP, SMALL, ("timm",), unread=("timm",)),
          Small(ResMLP, SMALL | OTHER | dict(mlp_dim=20), ("timm",), unread=("timm",))]

FIGURES = [Table("ResMLP: Touvron et al., arXiv:2105.03404, as its authors' repository lists them, where B24/16 "
                 "stands in the line of S36", [
    Line("ResMLP-S12", "resmlp", "S12", "15", "3", exact=15_350_872),
    Line("ResMLP-S24", "resmlp", "S24", "30", "6", exact=30_020_680),
    Line("ResMLP-S36", "resmlp", "S36", "", "", exact=44_690_488),
    Line("ResMLP-B24/16", "resmlp", "B24/16", "116", "23", exact=115_736_776),
    Line("ResMLP-B24/8", "resmlp", "B24/8", "129", "100", exact=129_138_280)])]
DIFFERENCES = [
    "The factors of ResMLP-S12's branches begin at 0.1 in its authors' code, as here, and at 1e-4 in timm.",
]
