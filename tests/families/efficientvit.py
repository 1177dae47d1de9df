"""What is known of EfficientViT."""

from minivit.models.efficientvit import EfficientViT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

TRAINED = dict(image_size=96, num_classes=5, dims=(16, 24, 32), depths=(1, 2, 1), heads=(2, 3, 4), key_dim=4, window=4,
               kernels=(5, 3, 3, 7))
# Outside training nothing keeps numbers small: in a third stage of random weights queries look at one key alone
SIZES = dict(image_size=96, num_classes=5, dims=(16, 24), depths=(1, 1), heads=(2, 3), key_dim=4, window=4,
             kernels=(5, 3, 7))
OTHERS = dict(image_size=(56, 64), num_classes=3, dims=(16, 32), depths=(1, 1), heads=(1, 4), key_dim=8, window=7,
              channels=1)

CASES = [
    Case("EfficientViT", "windows that do not divide the grid", "timm", EfficientViT, SIZES, (96, 96)),
    # grids of 9 x 6 and 5 x 3 in windows of 4 and 3
    Case("EfficientViT", "grids that are not halved evenly", "timm", EfficientViT, SIZES, (135, 95), golden=True),
    Case("EfficientViT", "windows as small as the grid", "timm", EfficientViT, OTHERS, (56, 64), batch=3),
    Case("EfficientViT", "training", "timm", EfficientViT, TRAINED, (96, 128), training=True, batch=4, golden=True),
]
RUNS = [Run(CASES[3], "AdamW", dict(lr=1e-3, weight_decay=0.025))]

SMALL = dict(image_size=64, num_classes=3, dims=(16, 24), depths=(1, 2), heads=(1, 3), key_dim=4, window=3)
MODELS = [Small(EfficientViT, SMALL, ("timm",)),
          Small(EfficientViT, SMALL | dict(image_size=(32, 48), num_classes=0, channels=2, window=7), ("timm",))]
TIMM = [Saved(name, dict(embed_dim=(16, 24, 32), depth=(1, 2, 1), num_heads=(2, 3, 4), key_dim=(4, 4, 4)))
        for name in ("efficientvit_m0", "efficientvit_m4")]
# In training: the norms behind the next map, or before the head, take away what is added to all places of a channel
WITHOUT_GRADIENT = [("efficientvit", f"stages.{stage}.{name}.norm.bias") for stage, names in [
    (1, ("embed.layers.0.branch", "embed.layers.1.branch.linear2")),
    (2, ("embed.layers.0.branch", "embed.layers.1.branch.linear2", "blocks.0.layers.3.branch",
         "blocks.0.layers.4.branch.linear2"))] for name in names]

FIGURES = [Table("EfficientViT: Liu et al., arXiv:2305.07027, as its authors' repository lists it", [
    Line("EfficientViT-M0", "efficientvit", "M0", "2.3", "0.079", exact=2_349_436),
    Line("EfficientViT-M1", "efficientvit", "M1", "3.0", "0.167", exact=2_980_560),
    Line("EfficientViT-M2", "efficientvit", "M2", "4.2", "0.201", exact=4_187_554),
    Line("EfficientViT-M3", "efficientvit", "M3", "6.9", "0.263", exact=6_900_722),
    Line("EfficientViT-M4", "efficientvit", "M4", "8.8", "0.299", exact=8_804_228),
    Line("EfficientViT-M5", "efficientvit", "M5", "12.4", "0.522", exact=12_473_772)])]
