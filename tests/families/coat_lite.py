"""What is known of CoaT-Lite."""

from minivit.models.coat_lite import CoaTLite
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=64, num_classes=5, dims=(16, 24, 32, 40), depths=(1, 2, 1, 2), mlp_ratios=(2, 1, 3, 2))
# grids of 17 x 12, 8 x 6, 4 x 3 and 2 x 1
UNEVEN = dict(image_size=(70, 50), channels=1, num_classes=7, mlp_ratios=(4, 4, 4, 4))

CASES = [
    Case("CoaT-Lite", "64 pixels", "timm", CoaTLite, SIZES, (64, 64)),
    Case("CoaT-Lite", "patches that do not divide the grid", "timm", CoaTLite, SIZES | UNEVEN, (70, 50), batch=3,
         golden=True),
    Case("CoaT-Lite", "training", "timm", CoaTLite, SIZES, (64, 64), training=True),
    Case("CoaT-Lite", "without head", "timm", CoaTLite, SIZES | dict(num_classes=0), (64, 64)),
]
RUNS = [Run(CASES[2], "AdamW", dict(lr=1e-3, weight_decay=0.05))]

SMALL = dict(image_size=32, num_classes=3, dims=(8, 16, 16, 24), depths=(1, 1, 2, 2))
MODELS = [Small(CoaTLite, SMALL, ("timm",)),
          Small(CoaTLite, SMALL | dict(image_size=(64, 40), channels=1, mlp_ratios=(1, 2, 3, 1)), ("timm",))]
TIMM = [Saved(name, dict(embed_dims=(8, 16, 24, 32), serial_depths=(1, 1, 1, 2)))
        for name in ("coat_lite_tiny", "coat_lite_medium")]

FIGURES = [Table("CoaT-Lite: Xu et al., arXiv:2104.06399, table 2", [
    Line("CoaT-Lite Tiny", "coat_lite", "tiny", "5.7", "1.6", exact=5_721_960),
    Line("CoaT-Lite Mini", "coat_lite", "mini", "11", "2.0", exact=11_011_560),
    Line("CoaT-Lite Small", "coat_lite", "small", "20", "4.0", "3.94, where the paper prints 4.0", exact=19_838_504),
    Line("CoaT-Lite Medium", "coat_lite", "medium", "45", "9.8", exact=44_571_048)])]
