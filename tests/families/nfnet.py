"""What is known of NFNet."""

from minivit.models.nfnet import NFNet
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(num_classes=5, stem=(2, 4, 8, 16), dims=(32, 32, 64, 64), depths=(1, 2, 3, 1), group=8)

# ReLU, in squeeze and excite, has a kink: seeds as in tests/families/resnet.py
CASES = [
    Case("NFNet", "64 pixels", "timm", NFNet, SIZES, (64, 64), batch=3),
    Case("NFNet", "odd sizes", "timm", NFNet, SIZES | dict(alpha=0.5, channels=1), (53, 75), golden=True),
    Case("NFNet", "one group", "timm", NFNet, SIZES | dict(group=16, depths=(2, 1, 1, 2)), (40, 33), batch=1),
    Case("NFNet", "training", "timm", NFNet, SIZES, (64, 64), training=True, golden=True),
]
RUNS = [Run(case, "SGD", dict(lr=0.02, momentum=0.9, weight_decay=2e-5)) for case in CASES if case.training]

FEATURES = [(NFNet, [({}, dict(indices=[1, 2, 3, 4]))])]  # 0 is the stem

MODELS = [
    Small(NFNet, SIZES, ("timm",)),
    Small(NFNet, SIZES | dict(num_classes=0, channels=2, depths=(2, 1, 1, 1), group=16), ("timm",)),
]
TIMM = [Saved("dm_nfnet_f0", dict(stem_chs=16, channels=(32, 32, 64, 64), depths=(1, 2, 2, 1), group_size=8,
                                  num_features=128))]

FIGURES = [
    Table(f"NFNet: Brock et al., arXiv:2102.06171, table 1, tested at {pixels} pixels", [
        Line(f"NFNet-F{n}", "nfnet", f"f{n}", parameters, operations, exact=exact)], pixels=pixels)
    for n, (pixels, parameters, operations, exact) in enumerate([
        (256, "71.5", "12.38", 71_489_284), (320, "132.6", "35.54", 132_634_256), (352, "193.8", "62.59", 193_779_228),
        (416, "254.9", "114.76", 254_924_200), (512, "316.1", "215.24", 316_069_172),
        (544, "377.2", "289.76", 377_214_144), (576, "438.4", "377.28", 438_359_116)])
]
DIFFERENCES = [
    "NFNet: timm adds 1e-5 to the variance of a convolution's weights, where the authors take at least 1e-4 for N "
    "times the variance; its GELU is exact, theirs the tanh form. Ours has both. What stochastic depth keeps, timm "
    "divides by 1 - rate, and its rates grow from stage to stage; here it is as in the authors' code.",
]
