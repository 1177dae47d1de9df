"""What is known of T2T-ViT."""

from minivit.models.t2t import T2TViT, T2TViTPerformer
from tests.golden.case import Case
from tests.known import Line, Small, Table

SIZES = dict(image_size=48, num_classes=5, dim=24, depth=2, heads=3, mlp_dim=48, token_dim=8)
# the last row and the last column are in no window; grids of 16, 8 and 4
UNEVEN = SIZES | dict(image_size=66, channels=1, heads=2, mlp_dim=72, token_dim=10)


def reference(kind, sizes):
    """reference(None) -> the authors' model with "transformer" or "performer" between the splits, nothing dropped.

    It runs with timm 1.0.31, two of whose modules have other names there than when it was written.
    """
    def make(_):
        import sys
        import types

        from tests.counterpart import import_official
        timm = import_official("timm")
        sys.modules["timm.models.registry"] = types.SimpleNamespace(register_model=lambda function: function)
        sys.modules["timm.models.helpers"] = types.SimpleNamespace(load_pretrained=None)
        sys.modules["timm.models.layers"] = timm.layers
        from models.t2t_vit import T2T_ViT
        from torch.nn import Dropout
        official = T2T_ViT(img_size=sizes["image_size"], tokens_type=kind, in_chans=sizes.get("channels", 3),
                           num_classes=sizes["num_classes"], embed_dim=sizes["dim"], depth=sizes["depth"],
                           num_heads=sizes["heads"], mlp_ratio=sizes["mlp_dim"] / sizes["dim"],
                           token_dim=sizes["token_dim"])
        for module in official.modules():
            if isinstance(module, Dropout):  # 0.1 in performers, whatever is asked for
                module.p = 0.0
        return official
    return make


def case(kind, make, note, sizes, **settings):
    """A case whose results are those of the authors' code."""
    model = {"transformer": "T2T-ViT, transformer", "performer": "T2T-ViT, performer"}[kind]
    return Case(model, note, "authors", make, sizes, (sizes["image_size"],) * 2, golden=True,
                reference=reference(kind, sizes), source="yitu-opensource/T2T-ViT@0f63dc9 models/t2t_vit.py, seed 0",
                **settings)


CASES = [
    case("transformer", T2TViT, "48 pixels, training", SIZES, training=True),
    case("transformer", T2TViT, "66 pixels", UNEVEN, batch=3),
    case("performer", T2TViTPerformer, "48 pixels, training", SIZES, training=True),
    case("performer", T2TViTPerformer, "66 pixels", UNEVEN, batch=3),
]
SMALL = dict(image_size=32, num_classes=3, dim=12, depth=2, heads=3, mlp_dim=20, token_dim=4)
MODELS = [Small(make, SMALL | change, ("authors",)) for make in (T2TViT, T2TViTPerformer)
          for change in ({}, dict(image_size=(16, 32), channels=1, num_classes=0))]

FIGURES = [Table("T2T-ViT: Yuan et al., arXiv:2101.11986, as its authors' repository lists them", [
    Line("T2T-ViT-7", "t2t", "7", "4.3", "1.1"),
    Line("T2T-ViT-10", "t2t", "10", "5.9", "1.5", "counted there too is what is fixed: positions, directions (5.89)"),
    Line("T2T-ViT-12", "t2t", "12", "6.9", "1.8"),
    Line("T2T-ViT-14", "t2t", "14", "21.5", "4.8"),
    Line("T2T-ViT-19", "t2t", "19", "39.2", "8.5"),
    Line("T2T-ViT-24", "t2t", "24", "64.1", "13.8", "T2T-ViT_t costs 1.31 more in every size, here by its figures 1.2"),
    Line("T2T-ViT_t-14", "t2t", "t-14", "21.5", "6.1"),
    Line("T2T-ViT_t-19", "t2t", "t-19", "39.2", "9.8"),
    Line("T2T-ViT_t-24", "t2t", "t-24", "64.1", "15.0")])]
DIFFERENCES = [
    "T2T-ViT's authors compute performers in single precision; the comparison in float64 does without. They drop a "
    "tenth of a performer's numbers in training, here nothing unless `dropout` says so.",
]
