"""What is known of TNT."""

from minivit.models.tnt import TNT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=32, patch_size=8, num_classes=5, dim=24, depth=2, heads=3, word_dim=8, word_heads=2)

CASES = [
    Case("TNT", "32 pixels", "timm", TNT, SIZES, (32, 32)),
    Case("TNT", "not square, other MLP", "timm", TNT, SIZES | dict(image_size=(24, 40), mlp_dim=36, channels=1),
         (24, 40), batch=3, golden=True),
    Case("TNT", "words that do not divide the patch", "timm", TNT, SIZES | dict(
        image_size=(27, 36), patch_size=9, word_heads=4), (27, 36), golden=True),
    Case("TNT", "a word for each pixel", "timm", TNT, SIZES | dict(image_size=16, patch_size=4, stride=1, depth=1),
         (16, 16)),
    Case("TNT", "training", "timm", TNT, SIZES, (32, 32), training=True),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]
FEATURES = [(TNT, [({}, dict(indices=1, norm=True)), (dict(layers=(-1,)), dict(indices=1))])]

SMALL = dict(image_size=16, patch_size=8, num_classes=3, dim=12, depth=2, heads=3, word_dim=8, word_heads=2)
MODELS = [
    Small(TNT, SMALL, ("timm",)),
    Small(TNT, SMALL | dict(num_classes=0, image_size=(14, 28), patch_size=7, stride=2, channels=1, mlp_dim=20), (
        "timm",)),
]
TIMM = [Saved("tnt_s_patch16_224", dict(depth=1, embed_dim=24, num_heads_outer=3, inner_dim=8))]

FIGURES = [Table("TNT: Han et al., arXiv:2103.00112, table 1", [
    Line("TNT-Ti", "tnt", "tiny", "6.1", "1.4"),
    Line("TNT-S", "tnt", "small", "23.8", "5.2", exact=23_768_584),
    Line("TNT-B", "tnt", "base", "65.6", "14.1", exact=65_428_680)])]
DIFFERENCES = [
    "timm's tnt_s_legacy_patch16_224 is another model than the authors' TNT: it convolves the whole picture before it "
    "is cut into patches. It is refused by name. The authors' files have a table of zeros beside, which nothing reads.",
]
