"""What is known of PVT."""

from minivit.models.pvt import PVT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=64, num_classes=5, dims=(8, 16, 20, 24), depths=(1, 2, 1, 1), heads=(1, 2, 5, 3))
SOURCE = "whai362/PVT@57e2dfa classification/pvt.py, seed 0"
EQUAL_EPS = dict(conv_eps=1e-6)  # as transformers always has it
OTHERS = dict(reductions=(5, 1, 2, 1), mlp_ratios=(2, 3, 4, 1), channels=1, num_classes=7)


def reference(_):
    """The authors' model, for 64 x 64 pixels; it imports timm. FOLDER is their repository's folder classification."""
    from functools import partial

    from tests.counterpart import import_official
    import_official("timm")
    from pvt import PyramidVisionTransformer
    from torch.nn import LayerNorm
    return PyramidVisionTransformer(
        img_size=64, patch_size=4, num_classes=5, embed_dims=[8, 16, 20, 24], depths=[1, 2, 1, 1],
        num_heads=[1, 2, 5, 3], mlp_ratios=[8, 8, 4, 4], sr_ratios=[8, 4, 2, 1], qkv_bias=True,
        norm_layer=partial(LayerNorm, eps=1e-6))


CASES = [
    Case("PVT", "64 pixels", "transformers", PVT, SIZES | EQUAL_EPS, (64, 64), batch=3),
    # grids of 25, 12, 6 and 3: neither patches nor tiles divide them
    Case("PVT", "tiles that do not divide the grid", "transformers", PVT, SIZES | EQUAL_EPS | dict(image_size=100),
         (100, 100), golden=True),
    Case("PVT", "other reductions", "transformers", PVT, SIZES | EQUAL_EPS | OTHERS, (64, 64)),
    Case("PVT", "training", "transformers", PVT, SIZES | EQUAL_EPS, (64, 64), training=True),
    Case("PVT", "as its authors have it", "authors", PVT, SIZES, (64, 64), golden=True, reference=reference,
         source=SOURCE),
    Case("PVT", "larger picture", "authors", PVT, SIZES, (76, 108), training=True, golden=True, reference=reference,
         source=SOURCE),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES
        if case.training and case.library == "transformers"]

SMALL = dict(image_size=32, num_classes=3, dims=(8, 8, 16, 16), depths=(1, 1, 2, 1), heads=(1, 2, 2, 4))
MODELS = [
    Small(PVT, SMALL, ("authors",)),
    Small(PVT, SMALL | EQUAL_EPS, ("transformers", "authors")),
    Small(PVT, SMALL | dict(image_size=(32, 64), channels=2), ("authors",)),
]
TRANSFORMERS = [Saved("PvtForImageClassification", dict(
    hidden_sizes=[8, 16, 20, 24], num_attention_heads=[1, 2, 5, 3], depths=[1, 1, 1, 1], num_labels=3),
    "PvtImageProcessorPil")]

FIGURES = [Table("PVT: Wang et al., arXiv:2102.12122, table 2", [
    Line("PVT-Tiny", "pvt", "tiny", "13.2", "1.9", exact=13_229_288),
    Line("PVT-Small", "pvt", "small", "24.5", "3.8", exact=24_485_864),
    Line("PVT-Medium", "pvt", "medium", "44.2", "6.7", exact=44_208_104),
    Line("PVT-Large", "pvt", "large", "61.4", "9.8", exact=61_369_320)])]
DIFFERENCES = [
    "The norms of PVT and PVT v2 add 1e-6, and behind convolutions 1e-5 (their authors, timm); transformers adds 1e-6 "
    "everywhere. Both are arguments here, `eps` and `conv_eps`, and follow from config.json.",
    "PVT in transformers takes pictures of one size alone; for others, the authors' code stretches the positions "
    "bilinearly, as here.",
]
