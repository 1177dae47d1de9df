"""What is known of DiNAT."""

from minivit.models.dinat import DiNAT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(num_classes=5, dim=16, depths=(2, 2), heads=(2, 4), kernel=3, mlp_ratio=2, dilations=((1, 3), (1, 2)))
NEAR = SIZES | dict(dilations=((1, 1), (1, 1)))  # NAT
NO_DROP = dict(drop_path_rate=0.0)  # transformers' has another default

CASES = [
    Case("DiNAT", "48 pixels", "transformers", DiNAT, SIZES, (48, 48)),
    # grids of 13 x 16 and 7 x 8, odd sides, on which the classes of a dilation are of unequal sizes
    Case("DiNAT", "odd sides", "transformers", DiNAT, SIZES | dict(channels=1, layer_scale=1e-5), (51, 62),
         golden=True),
    # grids of 8 x 10 and 4 x 5, where windows of 3, 3 apart and 2 apart, need 9 and 6
    Case("DiNAT", "grids smaller than the window", "transformers", DiNAT, SIZES, (30, 40), golden=True),
    Case("DiNAT", "larger kernel", "transformers", DiNAT, SIZES | dict(kernel=5, dilations=((2, 1), (1, 1))),
         (44, 48), batch=1),
    Case("DiNAT", "training", "transformers", DiNAT, SIZES, (44, 48), training=True, official=NO_DROP),
    Case("NAT, as DiNAT without dilation", "48 pixels", "transformers", DiNAT, NEAR, (48, 48)),
    Case("NAT, as DiNAT without dilation", "odd sides", "transformers", DiNAT, NEAR | dict(layer_scale=1e-5), (51, 62)),
    Case("NAT, as DiNAT without dilation", "training", "transformers", DiNAT, NEAR, (44, 48), training=True,
         official=NO_DROP),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

SMALL = dict(num_classes=3, dim=8, depths=(2, 1), heads=(2, 2), kernel=3, image_size=32)
MODELS = [
    Small(DiNAT, SMALL, ("transformers", "authors")),
    Small(DiNAT, SMALL | dict(channels=1, layer_scale=1e-5, num_classes=0, dilations=((3, 1), (1,))), (
        "transformers", "authors")),
]
TRANSFORMERS = [Saved("DinatForImageClassification", dict(
    embed_dim=8, depths=[2, 1], num_heads=[2, 4], dilations=[[1, 2], [1]], kernel_size=3, mlp_ratio=2.0),
    "ViTImageProcessorPil")]

FIGURES = [Table("DiNAT: Hassani and Shi, arXiv:2209.15001, as its authors' repository lists it", [
    Line("DiNAT-Mini", "dinat", "mini", "20", "2.7"),
    Line("DiNAT-Tiny", "dinat", "tiny", "28", "4.3"),
    Line("DiNAT-Small", "dinat", "small", "51", "7.8"),
    Line("DiNAT-Base", "dinat", "base", "90", "13.7"),
    Line("DiNAT-Large", "dinat", "large", "200", "30.6")])]
DIFFERENCES = [
    "DiNAT in transformers 5 calls a version of the package natten that is gone, and hands over heads and columns in "
    "each other's place. It is compared with that order put right, and with neighbourhood attention written out in "
    "PyTorch (tests/neighbours.py).",
]
