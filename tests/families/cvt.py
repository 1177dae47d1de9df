"""What is known of CvT."""

from minivit.models.cvt import CvT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(num_classes=5, dims=(8, 16, 24), depths=(1, 2, 3), heads=(1, 2, 3))
NO_DROP = dict(drop_path_rate=[0.0, 0.0, 0.0])
OTHERS = dict(embeds=((5, 3, 1), (3, 1, 0), (3, 2, 1)), channels=1, num_classes=7, heads=(2, 4, 1))

CASES = [
    Case("CvT", "64 pixels", "transformers", CvT, SIZES, (64, 64)),
    # grids of 19 x 14, 10 x 7 and 5 x 4, and of the keys 10 x 7, 5 x 4 and 3 x 2
    Case("CvT", "grids that are not halved evenly", "transformers", CvT, SIZES, (77, 58), golden=True),
    Case("CvT", "other convolutions", "transformers", CvT, SIZES | OTHERS, (41, 50)),
    Case("CvT", "training", "transformers", CvT, SIZES, (64, 48), training=True, golden=True, official=NO_DROP),
]
RUNS = [Run(CASES[3], "AdamW", dict(lr=1e-3, weight_decay=0.05))]

MODELS = [Small(CvT, dict(num_classes=3, dims=(8, 12, 16), depths=(1, 2, 3), heads=(2, 3, 4)), ("transformers",))]
TRANSFORMERS = [Saved("CvtForImageClassification", dict(embed_dim=[8, 16, 24], num_heads=[1, 2, 3], depth=[1, 2, 3]),
                      "ConvNextImageProcessorPil")]
# Softmax does not see what is added to all keys, which in the last stage do not all come from the convolution. Of its
# last block only the class token is read, whose query does not.
WITHOUT_GRADIENT = [
    *(("cvt", f"stages.{stage}.blocks.{block}.attention.key.linear.bias") for stage in range(3) for block in range(3)),
    *(("cvt", f"stages.{stage}.blocks.{block}.attention.key.depthwise.norm.bias") for stage in range(2)
      for block in range(2)),
    *(("cvt", f"stages.2.blocks.2.attention.query.depthwise.{name}") for name in (
        "conv.weight", "norm.weight", "norm.bias"))]

FIGURES = [
    Table("CvT: Wu et al., arXiv:2103.15808, table 3", [
        Line("CvT-13", "cvt", "13", "20", "4.5", "4.57, of which the paper prints 4.5", exact=19_997_480),
        Line("CvT-21", "cvt", "21", "32", "7.1", "7.18, of which the paper prints 7.1", exact=31_622_696)]),
    Table("CvT, 384 x 384 pixels: Wu et al., arXiv:2103.15808, table 3", [
        Line("CvT-13, 384", "cvt", "13", "20", "16.3"), Line("CvT-21, 384", "cvt", "21", "32", "24.9"),
        Line("CvT-W24, 384", "cvt", "w24", "277", "193.2")], pixels=384),
]
DIFFERENCES = [
    "CvT's authors take x sigmoid(1.702 x) for GELU, transformers the exact GELU: here it is an argument. "
    "Both add 1e-5 in LayerNorm: transformers has a setting layer_norm_eps which its code does not read.",
]
