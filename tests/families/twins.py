"""What is known of Twins."""

from minivit.models.twins import TwinsPCPVT, TwinsSVT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

PCPVT = dict(image_size=64, num_classes=5, dims=(8, 16, 20, 24), depths=(1, 2, 1, 1), heads=(1, 2, 5, 3))
SVT = dict(image_size=64, num_classes=5, dims=(8, 16, 20, 24), depths=(2, 1, 3, 2), heads=(1, 2, 5, 3), window=4)
OTHERS = dict(reductions=(3, 1, 2, 1), mlp_ratios=(2, 3, 4, 1), channels=1, patch_size=2)

CASES = [
    Case("Twins-PCPVT", "64 pixels", "timm", TwinsPCPVT, PCPVT, (64, 64), batch=3),
    # grids of 19 x 25, 9 x 12, 4 x 6 and 2 x 3
    Case("Twins-PCPVT", "tiles that do not divide the grid", "timm", TwinsPCPVT, PCPVT, (76, 102), golden=True),
    Case("Twins-PCPVT", "other reductions", "timm", TwinsPCPVT, PCPVT | OTHERS, (40, 56)),
    Case("Twins-PCPVT", "training", "timm", TwinsPCPVT, PCPVT, (64, 64), training=True),
    Case("Twins-SVT", "64 pixels", "timm", TwinsSVT, SVT, (64, 64), batch=3),
    Case("Twins-SVT", "windows that do not divide the grid", "timm", TwinsSVT, SVT, (76, 102), golden=True),
    Case("Twins-SVT", "other reductions", "timm", TwinsSVT, SVT | OTHERS | dict(window=3), (40, 56)),
    Case("Twins-SVT", "training", "timm", TwinsSVT, SVT, (64, 64), training=True),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

SMALL = dict(image_size=32, num_classes=3, dims=(8, 8, 16, 16), depths=(1, 2, 2, 1), heads=(1, 2, 2, 4))
MODELS = [Small(TwinsPCPVT, SMALL, ("timm",)), Small(TwinsSVT, SMALL | dict(window=3), ("timm",))]
TIMM = [Saved(name, dict(embed_dims=(8, 16, 20, 24), num_heads=(1, 2, 5, 3), depths=(1, 2, 1, 2)))
        for name in ("twins_pcpvt_small", "twins_svt_small")]

WHY = "the products of attention are not in the figure; without them, ours are {}"
FIGURES = [Table("Twins: Chu et al., arXiv:2104.13840, as its authors' repository lists it", [
    Line("Twins-PCPVT-S", "twins", "pcpvt_small", "24.1", "3.7", WHY.format("3.67"), exact=24_106_216),
    Line("Twins-PCPVT-B", "twins", "pcpvt_base", "43.8", "6.4", WHY.format("6.44"), exact=43_828_456),
    Line("Twins-PCPVT-L", "twins", "pcpvt_large", "60.9", "9.5", WHY.format("9.50"), exact=60_989_672),
    Line("Twins-SVT-S", "twins", "svt_small", "24", "2.8", WHY.format("2.81"), exact=24_060_776),
    Line("Twins-SVT-B", "twins", "svt_base", "56", "8.3", WHY.format("8.33"), exact=56_070_952),
    Line("Twins-SVT-L", "twins", "svt_large", "99.2", "14.8", WHY.format("14.81"), exact=99_271_400)])]
DIFFERENCES = [
    "Twins-SVT on a grid that windows do not divide: its authors' code for classification refuses it, timm adds zeros "
    "that tokens attend to, as here.",
]
