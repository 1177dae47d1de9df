"""What is known of XCiT."""

from minivit.models.xcit import NanoClassBlock, XCiT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=32, patch_size=8, num_classes=5, dim=24, depth=2, heads=3)
# grids of 5 x 3
NANO = dict(image_size=(40, 24), channels=1, num_classes=7, mlp_dim=36, class_depth=3, heads=4,
            class_block=NanoClassBlock)

CASES = [
    Case("XCiT", "32 pixels", "timm", XCiT, SIZES, (32, 32)),
    Case("XCiT", "patches of 16", "timm", XCiT, SIZES | dict(patch_size=16, image_size=64), (64, 64)),
    Case("XCiT", "sides that are no multiple of the patch", "timm", XCiT, SIZES, (45, 30), golden=True),
    Case("XCiT", "class attention of nano, not square", "timm", XCiT, SIZES | NANO, (40, 24), batch=3),
    Case("XCiT", "class attention of nano, training", "timm", XCiT, SIZES | NANO, (32, 56), training=True, golden=True),
    Case("XCiT", "training", "timm", XCiT, SIZES, (32, 32), batch=3, training=True),
    Case("XCiT", "without head", "timm", XCiT, SIZES | dict(num_classes=0), (32, 32)),
]
RUNS = [Run(CASES[5], "AdamW", dict(lr=1e-3, weight_decay=0.05))]

SMALL = dict(image_size=32, patch_size=8, num_classes=3, dim=16, depth=2, heads=2)
MODELS = [Small(XCiT, SMALL, ("timm",)),
          Small(XCiT, SMALL | dict(patch_size=16, image_size=(32, 48), num_classes=0, channels=1,
                                   class_block=NanoClassBlock, mlp_dim=24, class_depth=1), ("timm",))]
TIMM = [Saved(name, dict(patch_size=patch, embed_dim=24, depth=2, num_heads=3))
        for name, patch in (("xcit_nano_12_p8_224", 8), ("xcit_tiny_24_p16_224", 16))]
FEATURES = [(XCiT, [({}, dict(indices=1)), (dict(layers=(0, 1)), dict(indices=[0, 1]))])]  # its norm is the token's

FIGURES = [
    Table("XCiT, patches of 16: El-Nouby et al., arXiv:2106.09681, table 1", [
        Line("XCiT-N12/16", "xcit", "N12/16", "3", "0.5", "0.551, of which the paper prints 0.5", exact=3_053_224),
        Line("XCiT-T12/16", "xcit", "T12/16", "7", "1.2", exact=6_716_272),
        Line("XCiT-T24/16", "xcit", "T24/16", "12", "2.3", exact=12_116_896),
        Line("XCiT-S12/16", "xcit", "S12/16", "26", "4.8", exact=26_253_304),
        Line("XCiT-S24/16", "xcit", "S24/16", "48", "9.1", exact=47_671_384),
        Line("XCiT-M24/16", "xcit", "M24/16", "84", "16.2", exact=84_395_752),
        Line("XCiT-L24/16", "xcit", "L24/16", "189", "36.1", exact=189_096_136)]),
    Table("XCiT, patches of 8: the authors' repository", [
        Line("XCiT-N12/8", "xcit", "N12/8", "3", exact=3_049_016),
        Line("XCiT-T12/8", "xcit", "T12/8", "7", exact=6_706_504),
        Line("XCiT-T24/8", "xcit", "T24/8", "12", exact=12_107_128),
        Line("XCiT-S12/8", "xcit", "S12/8", "26", exact=26_213_032),
        Line("XCiT-S24/8", "xcit", "S24/8", "48", exact=47_631_112),
        Line("XCiT-M24/8", "xcit", "M24/8", "84", exact=84_323_624),
        Line("XCiT-L24/8", "xcit", "L24/8", "189", exact=188_932_648)]),
]
DIFFERENCES = [
    "XCiT's positions are computed in single precision by timm and by the authors; here in that of the model.",
]
