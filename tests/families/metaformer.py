"""What is known of the MetaFormer baselines: IdentityFormer, RandFormer and PoolFormerV2."""

from minivit.models.metaformer import IdentityFormer, PoolFormerV2, RandFormer
from tests.golden.case import Case
from tests.known import Line, Run, Small, Table

SIZES = dict(image_size=(36, 52), num_classes=5, dims=(8, 12, 16, 20), depths=(1, 1, 2, 1))
SQUARE = SIZES | dict(image_size=64)
SOURCE = "sail-sg/metaformer@64c534a metaformer_baselines.py, seed 0"


def pooling(timm):
    """timm's MetaFormer with the parts of PoolFormerV2; its factories have no such small one."""
    return timm.models.metaformer.MetaFormer(
        num_classes=SIZES["num_classes"], dims=SIZES["dims"], depths=SIZES["depths"], use_mlp_head=False,
        norm_layers=timm.models.metaformer.GroupNorm1NoBias)


def baseline(mixers):
    """reference(None) -> the authors' MetaFormer with mixers(repository) for its stages.

    It runs with timm 1.0.31, two of whose modules have other names there than when it was written.
    """
    def make(_):
        import sys
        import types
        from functools import partial

        from tests.counterpart import import_official
        timm = import_official("timm")
        sys.modules["timm.models.registry"] = types.SimpleNamespace(register_model=lambda function: function)
        sys.modules["timm.models.layers"] = timm.layers
        sys.modules["timm.models.layers.helpers"] = timm.layers
        import metaformer_baselines as authors
        return authors.MetaFormer(
            num_classes=SIZES["num_classes"], dims=list(SIZES["dims"]), depths=list(SIZES["depths"]),
            token_mixers=mixers(authors),
            norm_layers=partial(authors.LayerNormGeneral, normalized_dim=(1, 2, 3), eps=1e-6, bias=False))
    return make


def nothing(authors):
    """IdentityFormer's."""
    from torch.nn import Identity
    return Identity


def matrices(authors):
    """RandFormer's, for maps of 3 x 4 and 2 x 2 tokens."""
    from functools import partial

    from torch.nn import Identity
    mixing = [partial(authors.RandomMixing, num_tokens=tokens) for tokens in (12, 4)]
    return [Identity, Identity, *mixing]


CASES = [
    Case("IdentityFormer", "36 x 52 pixels", "authors", IdentityFormer, SIZES, (36, 52), golden=True, source=SOURCE,
         reference=baseline(nothing)),
    Case("RandFormer", "36 x 52 pixels, training", "authors", RandFormer, SIZES, (36, 52), training=True, golden=True,
         source=SOURCE, reference=baseline(matrices)),
    # The gradient of a StarReLU's number is one sum over all places, of both signs. The seeds are such that it is not
    # so near to 0 that single precision has no digits left of it, and that no number comes near the kink of ReLU.
    Case("PoolFormerV2", "64 pixels", "timm", PoolFormerV2, SQUARE, (64, 64), reference=pooling, seed=2),
    Case("PoolFormerV2", "uneven grids", "timm", PoolFormerV2, SQUARE, (53, 77), batch=3, reference=pooling, seed=1,
         golden=True),
    Case("PoolFormerV2", "training", "timm", PoolFormerV2, SQUARE, (64, 64), training=True, reference=pooling, seed=2),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES[2:] if case.training]

SMALL = dict(image_size=32, num_classes=3, dims=(4, 6, 8, 10), depths=(1, 1, 2, 1))
MODELS = [Small(PoolFormerV2, SMALL, ("timm",), unread=("timm",)),
          Small(PoolFormerV2, SMALL | dict(num_classes=0, channels=2), ("timm",), unread=("timm",)),
          Small(RandFormer, SMALL | dict(image_size=224), ("authors",))]

FIGURES = [Table("MetaFormer baselines: Yu et al., arXiv:2210.13452, as their authors' repository lists them", [
    Line(f"{name}-{size}", "metaformer", f"{variant}_{size}", parameters, operations)
    for name, variant in [("IdentityFormer", "identity"), ("PoolFormerV2", "pool")]
    for size, parameters, operations in [("S12", "11.9", "1.8"), ("S24", "21.3", "3.4"), ("S36", "30.8", "5.0"),
                                         ("M36", "56.1", "8.8"), ("M48", "73.3", "11.5")]]
    + [Line("RandFormer-S12", "metaformer", "random_S12", "11.9", "1.9")])]
