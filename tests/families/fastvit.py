"""What is known of FastViT."""

from minivit.models.fastvit import FastViT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(num_classes=5, dims=(8, 16, 16, 32), depths=(1, 2, 1, 2), mlp_ratio=3, attention_stages=1)
CONVOLUTIONS = dict(num_classes=5, dims=(8, 16, 32), depths=(2, 1, 2), mlp_ratio=2, channels=1)

CASES = [
    Case("FastViT", "64 pixels", "timm", FastViT, SIZES, (64, 64)),
    # grids of 20 x 15, 10 x 8, 5 x 4 and 3 x 2
    Case("FastViT", "grids that are not halved evenly", "timm", FastViT, SIZES, (77, 58), golden=True),
    Case("FastViT", "without attention", "timm", FastViT, CONVOLUTIONS, (45, 64)),
    Case("FastViT", "training", "timm", FastViT, SIZES, (96, 64), training=True, batch=4, golden=True),
]
RUNS = [Run(CASES[3], "AdamW", dict(lr=1e-3, weight_decay=0.05))]

SMALL = dict(image_size=32, num_classes=3, dims=(4, 8, 8, 32), depths=(1, 2, 1, 1))
MODELS = [Small(FastViT, SMALL | dict(attention_stages=1), ("timm",)),
          Small(FastViT, dict(image_size=(32, 48), num_classes=0, dims=(6, 12), depths=(1, 2), channels=2), ("timm",))]
TIMM = [Saved(name, dict(embed_dims=(8, 16, 16, 32), layers=(1, 1, 2, 1))) for name in ("fastvit_t8", "fastvit_sa12")]

# In training: the norms behind the map that follows take away what is added to all places of a channel, and the norm
# behind a depthwise convolution of 1 x 1 its one factor, but for eps
WITHOUT_GRADIENT = [
    *(("fastvit", f"stages.{stage}.shrink.layers.0.convs.{branch}.norm.bias") for stage in (1, 2, 3)
      for branch in (0, 1)),
    ("fastvit", "stem.layers.1.layers.0.convs.1.conv.weight"), ("fastvit", "final.layers.0.convs.1.conv.weight"),
    *(("fastvit", f"stages.{stage}.blocks.{block}.mixer.mixer.convs.1.conv.weight") for stage in range(3)
      for block in range(4))]

COUNT = ("the paper's parameters are those without the convolutions that are merged for inference, but for the 7 x 7 "
         "between stages (tests/models/test_fastvit.py): the authors' code switches gradients of the merged ones off")
FIGURES = [Table("FastViT, 256 x 256 pixels: Vasu et al., arXiv:2303.14189", [
    Line("FastViT-T8", "fastvit", "T8", "3.6", "0.7", COUNT, exact=4_026_232),
    Line("FastViT-T12", "fastvit", "T12", "6.8", "1.4", COUNT, exact=7_553_704),
    Line("FastViT-S12", "fastvit", "S12", "8.8", "1.8", COUNT, exact=9_473_576),
    Line("FastViT-SA12", "fastvit", "SA12", "10.9", "1.9", COUNT, exact=11_580_968),
    Line("FastViT-SA24", "fastvit", "SA24", "20.6", "3.8", COUNT, exact=21_554_216),
    Line("FastViT-SA36", "fastvit", "SA36", "30.4", "5.6", COUNT, exact=31_527_464),
    Line("FastViT-MA36", "fastvit", "MA36", "42.7", "7.9", COUNT, exact=44_068_004)], pixels=256)]
