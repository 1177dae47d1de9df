"""What is known of ConViT."""

from minivit.models.convit import ConViT
from tests.families.vit import ADAMW
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=32, patch_size=4, num_classes=5, dim=24, depth=3, heads=4, local_depth=2)
# the last head's neighbour is none of its own: 5 heads, of which 4 make a square
FIVE = dict(image_size=24, patch_size=4, num_classes=7, dim=20, depth=4, heads=5, local_depth=1, mlp_dim=50, channels=1)
ALL = dict(image_size=20, patch_size=4, num_classes=5, dim=18, depth=2, heads=9, local_depth=1)

CASES = [
    Case("ConViT", "32 pixels", "timm", ConViT, SIZES, (32, 32), golden=True),
    Case("ConViT", "five heads, other MLP", "timm", ConViT, FIVE, (24, 24), batch=3),
    Case("ConViT", "an odd grid", "timm", ConViT, ALL, (20, 20)),
    Case("ConViT", "no local block", "timm", ConViT, SIZES | dict(local_depth=0), (32, 32)),
    Case("ConViT", "training", "timm", ConViT, SIZES, (32, 32), training=True),
    Case("ConViT", "without head", "timm", ConViT, SIZES | dict(num_classes=0), (32, 32)),
]
RUNS = [Run(case, "AdamW", ADAMW) for case in CASES if case.training]

SMALL = dict(image_size=16, patch_size=4, num_classes=3, dim=12, depth=3, heads=4, local_depth=2, mlp_dim=20)
MODELS = [Small(ConViT, SMALL, ("timm",)),
          Small(ConViT, SMALL | dict(num_classes=0, channels=1, local_depth=1, heads=3), ("timm",))]
TIMM = [Saved(name, dict(depth=2, embed_dim=6, local_up_to_layer=1)) for name in (
    "convit_tiny", "convit_small", "convit_base")]
WITHOUT_GRADIENT = [("convit", f"blocks.{block}.attention.place.bias") for block in range(3)]
FEATURES = [(ConViT, [(dict(layers=(0, -1)), dict(indices=[0, -1]))])]

CUT = "the parameters are printed without what follows the point"
PRODUCTS = "without the products of attention it is {} G"
FIGURES = [Table("ConViT: d'Ascoli et al., arXiv:2103.10697, table 1", [
    Line("ConViT-Ti", "convit", "tiny", "6", "1", exact=5_710_512),
    Line("ConViT-Ti+", "convit", "tiny+", "10", "2"),
    Line("ConViT-S", "convit", "small", "27", "5.4", f"{CUT}; {PRODUCTS.format(5.35)}", exact=27_777_322),
    Line("ConViT-S+", "convit", "small+", "48", "10", CUT),
    Line("ConViT-B", "convit", "base", "86", "17", PRODUCTS.format(16.8), exact=86_540_040),
    Line("ConViT-B+", "convit", "base+", "152", "30", PRODUCTS.format(29.8))])]
DIFFERENCES = [
    "ConViT's authors, and timm, gate two softmaxes to one row and divide by its sum, which is 1: left out here. They "
    "read square pictures only.",
]
