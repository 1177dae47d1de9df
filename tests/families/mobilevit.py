"""What is known of MobileViT."""

from minivit.models.mobilevit import VARIANTS, MobileViT
from minivit.ops import gelu
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(num_classes=5, stem=(8, 2), convs=((8, 1, 1), (12, 2, 3)), expansion=2, final=40,
             blocks=((16, 2, 16, 2), (16, 2, 20, 4), (24, 2, 24, 3)))
OTHERS = dict(channels=1, num_classes=7, heads=2, patch_size=3, mlp_ratio=1.5, expansion=2.5, eps=1e-3, activation=gelu)
XXS = VARIANTS["xxs"].keywords | dict(num_classes=5)
NO_DROP = dict(classifier_dropout_prob=0.0, hidden_dropout_prob=0.0)

CASES = [
    Case("MobileViT", "64 pixels", "timm", MobileViT, XXS, (64, 64)),
    # grids of 39 x 26, 20 x 13, 10 x 7, 5 x 4 and 3 x 2
    Case("MobileViT", "grids that are stretched", "timm", MobileViT, XXS | dict(channels=1), (77, 52), batch=1),
    Case("MobileViT", "training", "timm", MobileViT, XXS, (64, 64), batch=3, training=True),
    Case("MobileViT", "64 pixels", "transformers", MobileViT, SIZES, (64, 64)),
    Case("MobileViT", "grids that are stretched", "transformers", MobileViT, SIZES, (77, 52), golden=True),
    Case("MobileViT", "patches of 3 and other settings", "transformers", MobileViT, SIZES | OTHERS, (70, 97), batch=1),
    Case("MobileViT", "training", "transformers", MobileViT, SIZES, (96, 64), batch=3, training=True, golden=True,
         official=NO_DROP),
    Case("MobileViT", "without head", "transformers", MobileViT, SIZES | dict(num_classes=0), (64, 64)),
]
RUNS = [Run(CASES[6], "AdamW", dict(lr=1e-3, weight_decay=0.05))]
FEATURES = [(MobileViT, [({}, dict(indices=None, exclude_final_conv=True))])]

SMALL = SIZES | dict(image_size=64, num_classes=3)
MODELS = [Small(MobileViT, SMALL, ("transformers",)),
          Small(MobileViT, SMALL | OTHERS | dict(num_classes=4, image_size=(64, 96)), ("transformers",)),
          Small(MobileViT, XXS | dict(image_size=64, channels=2), ("timm", "transformers"))]
TIMM = [Saved("mobilevit_xxs", {})]
TRANSFORMERS = [Saved("MobileViTForImageClassification", dict(
    image_size=64, hidden_sizes=[16, 20, 24], neck_hidden_sizes=[8, 8, 12, 16, 16, 24, 40], initializer_range=0.4),
    "MobileViTImageProcessorPil")]
# In training, what a norm adds to all places of a channel is taken away by the next norm, if only 1 x 1 convolutions
# lie between them, as behind a Transformer and between the first blocks.
WITHOUT_GRADIENT = [
    *(("mobilevit", f"stages.{stage}.layers.1.norm.bias") for stage in (2, 3, 4)),
    *(("mobilevit", f"stages.{stage}.layers.{block}.project.norm.bias")
      for stage, block in ((0, 0), (1, 0), (1, 1), (1, 2)))]

FIGURES = [Table("MobileViT, 256 x 256 pixels: Mehta and Rastegari, arXiv:2110.02178", [
    Line("MobileViT-XXS", "mobilevit", "xxs", "1.3", "0.4", exact=1_272_024),
    Line("MobileViT-XS", "mobilevit", "xs", "2.3", "1.0", exact=2_317_848),
    Line("MobileViT-S", "mobilevit", "s", "5.6", "2.0", exact=5_578_632)], pixels=256)]
