"""What is known of PiT."""

from minivit.models.pit import DistilledPiT, PiT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=32, patch_size=4, stride=2, num_classes=5, dims=(16, 32, 64), depths=(1, 2, 1), heads=(2, 4, 8))
# grids of 11 x 8, 6 x 4 and 3 x 2
OTHERS = dict(image_size=(35, 26), patch_size=5, stride=3, channels=1, num_classes=7, mlp_ratio=2, heads=(1, 2, 4))

CASES = [
    Case("PiT", "32 pixels", "timm", PiT, SIZES, (32, 32)),
    Case("PiT", "grids that are not halved evenly", "timm", PiT, SIZES | OTHERS, (35, 26), golden=True),
    Case("PiT", "training", "timm", PiT, SIZES, (32, 32), training=True),
    Case("PiT, distilled", "32 pixels", "timm", DistilledPiT, SIZES, (32, 32)),
    Case("PiT, distilled", "training", "timm", DistilledPiT, SIZES, (32, 32), training=True, golden=True),
]
RUNS = [Run(CASES[2], "AdamW", dict(lr=1e-3, weight_decay=0.05))]

SMALL = dict(image_size=32, patch_size=4, stride=2, num_classes=3, dims=(8, 16), depths=(1, 2), heads=(1, 2))
MODELS = [Small(PiT, SMALL, ("timm",)), Small(DistilledPiT, SMALL | dict(image_size=(32, 24)), ("timm",))]
TIMM = [Saved(name, dict(base_dims=(8, 8, 8), depth=(1, 1, 1))) for name in ("pit_ti_224", "pit_b_224")]

FIGURES = [Table("PiT: Heo et al., arXiv:2103.16302, as its authors' repository lists it", [
    Line("PiT-Ti", "pit", "tiny", "4.9", "0.71", "0.70, of which its authors print 0.71", exact=4_847_272),
    Line("PiT-XS", "pit", "xs", "10.6", "1.4", exact=10_618_888),
    Line("PiT-S", "pit", "small", "23.5", "2.9", exact=23_461_912),
    Line("PiT-B", "pit", "base", "73.8", "12.5", exact=73_764_840)])]
