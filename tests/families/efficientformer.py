"""What is known of EfficientFormer."""

from minivit.models.efficientformer import DistilledEfficientFormer
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

NAME = "EfficientFormer, distilled"
SIZES = dict(num_classes=5, dims=(8, 16, 24, 32), depths=(1, 2, 1, 3), attention_blocks=2)
ONLY_TOKENS = dict(image_size=(56, 50), num_classes=3, dims=(8, 12), depths=(2, 1), attention_blocks=1, mlp_ratio=2,
                   channels=1)
TRAINED = dict(image_size=56, num_classes=5, dims=(8, 12), depths=(2, 3), attention_blocks=2)

CASES = [
    Case(NAME, "224 pixels", "timm", DistilledEfficientFormer, SIZES, (224, 224)),
    # grids of 53 x 55, 27 x 28, 14 x 14 and 7 x 7
    Case(NAME, "grids that are not halved evenly", "timm", DistilledEfficientFormer,
         SIZES | dict(image_size=(209, 219)), (209, 219), golden=True),
    Case(NAME, "a last stage of attention alone", "timm", DistilledEfficientFormer, ONLY_TOKENS, (56, 53), batch=3),
    Case(NAME, "training", "timm", DistilledEfficientFormer, TRAINED, (56, 56), training=True, batch=4, golden=True),
]
RUNS = [Run(CASES[3], "AdamW", dict(lr=1e-3, weight_decay=0.025))]

SMALL = dict(image_size=56, num_classes=3, dims=(8, 12), depths=(1, 3), attention_blocks=1)
MODELS = [Small(DistilledEfficientFormer, SMALL, ("timm",)),
          Small(DistilledEfficientFormer, SMALL | dict(depths=(2, 2), attention_blocks=2, channels=1), ("timm",))]
TIMM = [Saved("efficientformer_l1", dict(embed_dims=(8, 16, 24, 32), depths=(1, 1, 1, 2)), pixels=224)]

# In training: BatchNorm takes away what the convolution before it adds
WITHOUT_GRADIENT = [("efficientformer", f"stages.{stage}.{name}.bias") for stage in range(4) for name in (
    "embed.conv", "embed.layers.0.conv", "embed.layers.1.conv",
    *(f"blocks.{block}.mlp.linear{part}" for block in range(2) for part in (1, 2)))]

FIGURES = [Table("EfficientFormer: Li et al., arXiv:2206.01191, as its authors' repository lists it", [
    Line("EfficientFormer-L1", "efficientformer", "L1", "12.3", "1.3", exact=12_289_928),
    Line("EfficientFormer-L3", "efficientformer", "L3", "31.3", "3.9", exact=31_406_000),
    Line("EfficientFormer-L7", "efficientformer", "L7", "82.1", "10.2", exact=82_229_328)])]
