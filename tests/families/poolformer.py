"""What is known of PoolFormer."""

from minivit.models.poolformer import PoolFormer
from minivit.ops import gelu_tanh
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(num_classes=5, dims=(8, 12, 16, 20), depths=(1, 2, 1, 1))
OTHERS = dict(kernel=5, stride=3, padding=1, pool_size=5, mlp_ratio=2, channels=1, activation=gelu_tanh)


def reference(timm, pool_size=3, **settings):
    """timm's MetaFormer with the parts of PoolFormer; its factories have no such small one."""
    from torch import nn
    return timm.models.metaformer.MetaFormer(
        num_classes=SIZES["num_classes"], dims=SIZES["dims"], depths=SIZES["depths"], downsample_norm=None,
        mlp_act=nn.GELU, mlp_bias=True, norm_layers=timm.layers.GroupNorm1, layer_scale_init_values=1e-5,
        res_scale_init_values=None, use_mlp_head=False, pool_size=pool_size, **settings)


def larger_window(timm):
    """With a window of 5 x 5, for pictures of one channel."""
    return reference(timm, pool_size=5, in_chans=1)


CASES = [
    Case("PoolFormer", "64 pixels", "transformers", PoolFormer, SIZES, (64, 64), golden=True),
    # grids of 13 x 19, 7 x 10, 4 x 5 and 2 x 3
    Case("PoolFormer", "uneven grids", "transformers", PoolFormer, SIZES, (53, 77), batch=3),
    Case("PoolFormer", "other windows and MLPs", "transformers", PoolFormer, SIZES | OTHERS, (40, 31)),
    Case("PoolFormer", "training", "transformers", PoolFormer, SIZES, (64, 64), training=True),
    Case("PoolFormer", "64 pixels", "timm", PoolFormer, SIZES, (64, 64), reference=reference),
    Case("PoolFormer", "uneven grids", "timm", PoolFormer, SIZES, (53, 77), batch=3, reference=reference, golden=True),
    Case("PoolFormer", "larger window", "timm", PoolFormer, SIZES | dict(pool_size=5, channels=1), (40, 31),
         reference=larger_window),
    Case("PoolFormer", "training", "timm", PoolFormer, SIZES, (64, 64), training=True, reference=reference),
]
# what is added to all places of a channel is nothing behind pool(x) - x
WITHOUT_GRADIENT = [("poolformer", f"stages.{stage}.blocks.{block}.norm1.bias")
                    for stage in range(4) for block in range(2)]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

SMALL = dict(image_size=32, num_classes=3, dims=(4, 6, 8, 10), depths=(1, 1, 2, 1))
MODELS = [
    Small(PoolFormer, SMALL, ("timm", "transformers"), unread=("timm",)),
    Small(PoolFormer, SMALL | dict(num_classes=0, channels=2, dims=(4, 6), depths=(1, 2)), ("timm", "transformers"),
          unread=("timm",)),
    Small(PoolFormer, SMALL | OTHERS | dict(dims=(4, 6), depths=(2, 1)), ("transformers",)),
]
TRANSFORMERS = [Saved("PoolFormerForImageClassification", dict(hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1]))]

FIGURES = [Table("PoolFormer: Yu et al., arXiv:2111.11418, as its authors' repository lists them", [
    Line("PoolFormer-S12", "poolformer", "S12", "12", "1.8", exact=11_915_176),
    Line("PoolFormer-S24", "poolformer", "S24", "21", "3.4", exact=21_388_968),
    Line("PoolFormer-S36", "poolformer", "S36", "31", "5.0", exact=30_862_760),
    Line("PoolFormer-M36", "poolformer", "M36", "56", "8.8", exact=56_172_520),
    Line("PoolFormer-M48", "poolformer", "M48", "73", "11.6", exact=73_473_448)])]
DIFFERENCES = [
    "PoolFormer's head takes the mean of what was normed over places and channels (its authors, transformers); timm "
    "norms the mean over channels. Which it is follows from the names of the tensors: the argument `final`.",
]
