"""What is known of gMLP."""

from minivit.models.gmlp import GMLP
from tests.families.mlp_mixer import OTHER, SIZES, SMALL, WIDE, reference
from tests.golden.case import Case
from tests.known import Line, Run, Small, Table


def gating_block(sizes, **settings):
    """reference(timm) -> its MlpMixer with the blocks of gMLP."""
    return lambda timm: reference(sizes, block_layer=timm.models.mlp_mixer.SpatialGatingBlock,
                                  mlp_layer=timm.layers.GatedMlp, **{"mlp_ratio": 6, **settings})(timm)


CASES = [
    Case("gMLP", "32 pixels", "timm", GMLP, SIZES, (32, 32), reference=gating_block(SIZES), golden=True),
    Case("gMLP", "not square, other width", "timm", GMLP, WIDE | dict(mlp_dim=24), (12, 20), batch=3,
         reference=gating_block(WIDE, mlp_ratio=1.5)),
    Case("gMLP", "training", "timm", GMLP, SIZES, (32, 32), training=True, reference=gating_block(SIZES)),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]
MODELS = [Small(GMLP, SMALL, ("timm",), unread=("timm",)),
          Small(GMLP, SMALL | OTHER | dict(mlp_dim=20), ("timm",), unread=("timm",))]

FIGURES = [Table("gMLP: Liu et al., arXiv:2105.08050, tables 1 and 2", [
    Line("gMLP-Ti", "gmlp", "tiny", "5.9", "2.7"),
    Line("gMLP-S", "gmlp", "small", "19.5", "8.9", "norms, activations and gates, which are not counted here, have "
         "0.12 if each takes a few operations"),
    Line("gMLP-B", "gmlp", "base", "73.4", "31.6")], "multiplications and additions", factor=2)]
