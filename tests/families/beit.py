"""What is known of BEiT."""

from minivit.models.beit import BEiT
from tests.families.vit import ADAMW, NARROW, SIZES, SMALL, WIDE
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

CASES = [
    Case("BEiT", "32 pixels", "timm", BEiT, SIZES, (32, 32), golden=True),
    Case("BEiT", "not square, other MLP", "timm", BEiT, WIDE, (12, 20), batch=3),
    Case("BEiT", "training", "timm", BEiT, SIZES, (32, 32), training=True),
    Case("BEiT", "without head", "timm", BEiT, SIZES | dict(num_classes=0, channels=1), (32, 32)),
    Case("BEiT", "32 pixels", "transformers", BEiT, SIZES | dict(eps=1e-12), (32, 32)),
    Case("BEiT", "larger picture", "transformers", BEiT, SIZES, (48, 72), golden=True),
    Case("BEiT", "smaller picture", "transformers", BEiT, SIZES, (16, 24), batch=1),
    Case("BEiT", "training", "transformers", BEiT, SIZES, (32, 32), training=True, official=dict(drop_path_rate=0.0)),
]
RUNS = [Run(case, "AdamW", ADAMW) for case in CASES if case.training]

MODELS = [
    Small(BEiT, SMALL, ("timm", "transformers", "transformers4")),
    Small(BEiT, SMALL | dict(num_classes=0, image_size=(8, 24), channels=1, mlp_dim=20), (
        "timm", "transformers", "transformers4"), unread=("transformers", "transformers4")),  # see DIFFERENCES
]
TIMM = [Saved(name, NARROW) for name in ("beit_base_patch16_224", "beitv2_large_patch16_224")]
TRANSFORMERS = [Saved("BeitForImageClassification", dict(
    hidden_size=24, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48, use_relative_position_bias=True),
    "BeitImageProcessorPil")]

FEATURES = [(BEiT, [({}, dict(indices=1)), (dict(layers=(0, 1)), dict(indices=[0, 1]))])]  # its norm is of the mean

FIGURES = [Table("BEiT: timm's model cards of the authors' checkpoints", [
    Line("BEiT-B", "beit", "base", "86.5", "17.6", exact=86_530_984),
    Line("BEiT-L", "beit", "large", "304.4", "61.6", exact=304_430_568)])]
DIFFERENCES = [
    "transformers stretches BEiT's table of biases for pictures of another size, as here; a table for a grid that is "
    "not square it reads with rows and columns exchanged, so that only square ones are compared. timm's BEiT takes "
    "pictures of one size.",
    "BEiT's LayerNorm has an epsilon of 1e-12 in transformers and of 1e-6 elsewhere; `load` takes it from config.json.",
]
