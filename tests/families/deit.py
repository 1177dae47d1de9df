"""What is known of DeiT."""

from minivit.models.deit import DeiT
from tests.families.vit import ANY_SIZE, EVERYWHERE, NARROW, SIZES, SMALL, STRETCHED, WIDE
from tests.families.vit import TRANSFORMERS as VIT
from tests.golden.case import Case
from tests.known import Line, Saved, Small, Table

NAME = "DeiT, distilled"
CASES = [
    Case(NAME, "32 pixels", "timm", DeiT, SIZES, (32, 32)),
    Case(NAME, "not square, other MLP", "timm", DeiT, WIDE, (12, 20), batch=3),
    Case(NAME, "larger picture", "timm", DeiT, SIZES, (48, 40), official=ANY_SIZE),
    Case(NAME, "training", "timm", DeiT, SIZES, (32, 32), training=True, golden=True),
    Case(NAME, "32 pixels", "transformers", DeiT, SIZES, (32, 32), golden=True),
    Case(NAME, "not square, other MLP", "transformers", DeiT, WIDE, (12, 20), batch=3),
    Case(NAME, "larger picture", "transformers", DeiT, SIZES, (48, 40), forward=STRETCHED),
]
MODELS = [Small(DeiT, SMALL, tuple(name for name in EVERYWHERE if name != "jax"))]
TIMM = [Saved("deit_tiny_distilled_patch16_224", NARROW)]
TRANSFORMERS = [Saved("DeiTForImageClassificationWithTeacher", VIT[0].settings, "DeiTImageProcessorPil")]
FIGURES = [Table("DeiT, distilled: Touvron et al., arXiv:2012.12877, table 5", [
    Line("DeiT-Ti", "deit", "tiny", "6"), Line("DeiT-S", "deit", "small", "22"), Line("DeiT-B", "deit", "base", "87")])]
