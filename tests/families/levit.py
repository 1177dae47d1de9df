"""What is known of LeViT."""

from minivit.models.levit import DistilledLeViT, LeViT
from minivit.ops import silu
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=96, num_classes=5, dims=(16, 32, 48), depths=(1, 2, 1), heads=(2, 2, 3), key_dim=8)
# Outside training nothing keeps the tokens of random weights apart: after two shrinkings they are alike up to rounding,
# and gradients of biases vanish. Grids of 5 x 3 and 3 x 2
UNEVEN = dict(image_size=(80, 48), num_classes=5, dims=(16, 32), depths=(1, 2), heads=(2, 3), key_dim=8)
OTHERS = UNEVEN | dict(image_size=64, halvings=3, activation=silu, channels=1, num_classes=7, heads=(3, 1))

CASES = [
    Case("LeViT", "grids that are not halved evenly", "timm", LeViT, UNEVEN, (80, 48), batch=3),
    Case("LeViT", "finer stem, SiLU", "timm", LeViT, OTHERS, (64, 64), batch=3, seed=1),
    Case("LeViT", "training", "timm", LeViT, SIZES, (96, 96), training=True, batch=4),
    Case("LeViT, distilled", "grids that are not halved evenly", "timm", DistilledLeViT, UNEVEN, (80, 48), batch=3,
         seed=1, golden=True),
    Case("LeViT, distilled", "training", "timm", DistilledLeViT, SIZES, (96, 96), training=True, batch=4, golden=True),
    # pictures and seed that keep BatchNorm's variances from 0, so that single precision is compared too
    Case("LeViT", "training", "transformers", LeViT, SIZES, (96, 96), training=True, batch=8, seed=1),
    Case("LeViT, distilled", "training", "transformers", DistilledLeViT, SIZES | dict(depths=(2, 1, 2)), (96, 96),
         training=True, batch=8, seed=1, outputs=lambda output: [output.cls_logits, output.distillation_logits]),
]
RUNS = [Run(CASES[2], "AdamW", dict(lr=3e-4, weight_decay=0.025))]

SMALL = dict(image_size=32, num_classes=3, dims=(16, 24), depths=(1, 2), heads=(1, 2), key_dim=4)
THREE = SMALL | dict(dims=(16, 24, 32), depths=(2, 1, 2), heads=(1, 2, 3))
MODELS = [Small(LeViT, SMALL, ("timm",)), Small(DistilledLeViT, SMALL | dict(image_size=(64, 48)), ("timm",)),
          Small(LeViT, THREE, ("timm", "transformers")), Small(DistilledLeViT, THREE, ("timm", "transformers"))]
TIMM = [Saved(name, dict(embed_dim=(64, 80), depth=(1, 2), num_heads=(2, 3))) for name in (
    "levit_128s", "levit_512_s8", "levit_conv_128s", "levit_conv_512_s8")]
TRANSFORMERS = [Saved(name, dict(image_size=64, hidden_sizes=(16, 24, 32), num_attention_heads=(1, 2, 3),
                                 depths=(2, 1, 2), key_dim=(8, 8, 8), patch_size=16), "LevitImageProcessorPil",
                      run_official=lambda official, images: official(images, return_dict=True).logits)
                for name in ("LevitForImageClassification", "LevitForImageClassificationWithTeacher")]
# In training: a number added to all tokens of a channel is taken away by the BatchNorms that read the sum of branches
WITHOUT_GRADIENT = [("levit", f"{name}.norm.bias") for name in (
    "stem.layers.1", "stem.layers.2", "stem.layers.3",
    *(f"stages.{stage}.{block}.{last}" for stage in range(3) for block in ("shrink", "blocks.0", "blocks.1")
      for last in ("attention.proj", "mlp.linear2")))]

FIGURES = [Table("LeViT: Graham et al., arXiv:2104.01136, as its authors' repository lists it", [
    Line("LeViT-128S", "levit", "128s", "7.8", "0.305", exact=7_777_058),
    Line("LeViT-128", "levit", "128", "9.2", "0.406", exact=9_213_936),
    Line("LeViT-192", "levit", "192", "11", "0.658", exact=10_947_069),
    Line("LeViT-256", "levit", "256", "19", "1.120", exact=18_893_876),
    Line("LeViT-384", "levit", "384", "39", "2.353", exact=39_128_836)])]
