"""What is known of MaxViT."""

from minivit.models.maxvit import MaxViT
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=32, num_classes=5, stem=8, dims=(16, 24), depths=(1, 2), head_dim=8, window=4, grid=4)
APART = dict(window=2, grid=4, image_size=(32, 64))

CASES = [
    Case("MaxViT", "32 pixels", "timm", MaxViT, SIZES, (32, 32)),
    Case("MaxViT", "windows and groups of different sizes, not square", "timm", MaxViT, SIZES | APART, (32, 64),
         golden=True),
    Case("MaxViT", "larger picture, odd sides", "timm", MaxViT, SIZES | dict(window=2, grid=3, num_classes=3), (95, 47),
         batch=1),
    Case("MaxViT", "training", "timm", MaxViT, SIZES, (32, 32), training=True, golden=True),
]
FEATURES = [(MaxViT, [({}, dict(indices=[1, 2]))])]  # 0 is the stem
# In training, batch norm takes away what the convolution, or the norm and the convolution, before it add. In eval these
# do have gradients, which the stored results hold.
WITHOUT_GRADIENT = [("maxvit", "stem.layers.0.conv.bias"), *(
    ("maxvit", f"stages.{stage}.layers.{block}.layers.0.norm.bias") for stage in range(2) for block in range(2))]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

MODELS = [
    Small(MaxViT, dict(image_size=32, num_classes=3, stem=8, dims=(8, 8), depths=(2, 1), head_dim=4, window=4, grid=4),
          ("timm",)),
    Small(MaxViT, dict(image_size=16, num_classes=0, stem=4, dims=(8,), depths=(1,), head_dim=8, window=2, grid=4,
                       channels=2), ("timm",)),
]
TIMM = [Saved("maxvit_tiny_tf_224", dict(
    embed_dim=(16, 24), depths=(1, 2), block_type=("M", "M"), stem_width=8, head_hidden_size=24, transformer_dim_head=8,
    transformer_window_size=(2, 2)))]

COUNT = ("the layers are the same, as the parameters show; what the authors count beside them grows with the width, "
         "not with its square, as the work of norms and activations does")
FIGURES = [Table("MaxViT: the authors' repository, pictures of 224 pixels", [
    Line("MaxViT-T", "maxvit", "tiny", "31", "5.6", exact=30_916_528),
    Line("MaxViT-S", "maxvit", "small", "69", "11.7", COUNT, exact=68_927_956),
    Line("MaxViT-B", "maxvit", "base", "119", "24.2", COUNT, exact=119_467_708),
    Line("MaxViT-L", "maxvit", "large", "212", "43.9", exact=211_785_560),
    Line("MaxViT-XL", "maxvit", "xlarge", "475", "97.8", exact=474_951_952)])]
DIFFERENCES = [
    "MaxViT on a grid with an odd side: where the shortcut takes the mean of 2 x 2 pixels, those beyond the edge count "
    "as zeros in timm, and do not count in the authors' TensorFlow, nor here.",
]
