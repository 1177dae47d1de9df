"""What is known of Mobile-Former."""

from minivit.models.mobile_former import MobileFormer
from tests.golden.case import Case
from tests.known import Line, Small, Table

SIZES = dict(num_classes=5, stem=(8, 2), lite=(8, 1, 2), blocks=((12, 2, 3), (12, 1, 2), (16, 1, 2), (16, 2, 2)),
             tokens=3, dim=16, hidden=24)
# the first block has a stride, and makes other channels
GROUPED = SIZES | dict(groups=4, lite=(12, 2, 3), blocks=((12, 1, 3), (20, 2, 2), (24, 1, 2)), channels=1, tokens=2)


def reference(sizes):
    """reference(None) -> the model of the repository with these sizes.

    Two modules are missing or do not run with timm 1.0.31: only DropPath is taken from there.
    """
    def make(_):
        import importlib
        import sys
        import types

        from tests.counterpart import import_official
        timm = import_official("timm")
        package = types.ModuleType("mobile_former_authors")
        package.__path__ = [sys.path[0]]
        sys.modules["mobile_former_authors"] = package
        for name, content in {
                "layers": {"DropPath": timm.layers.DropPath}, "registry": {"register_model": lambda function: function},
                "helpers": {"build_model_with_cfg": None, "default_cfg_for_features": None}}.items():
            sys.modules[f"mobile_former_authors.{name}"] = types.SimpleNamespace(**content)
        official = importlib.import_module("mobile_former_authors.mobile_former")
        C, stride, expansion = sizes["lite"]
        rows = [["DnaBlock3", expansion, C, 1, stride, 0]] + [
            ["DnaBlock3" if stride == 2 else "DnaBlock", expansion, C, 1, stride, 4]
            for C, stride, expansion in sizes["blocks"]]
        return official.MobileFormer(
            rows, num_classes=sizes["num_classes"], in_chans=sizes.get("channels", 3), stem_chs=sizes["stem"][0],
            num_features=sizes["hidden"], group_num=sizes.get("groups", 1), token_dim=sizes["dim"],
            token_num=sizes["tokens"], gbr_type="attn", gbr_dynamic=[True, False, False], gbr_ffn=True)
    return make


def case(note, sizes, pixels, **settings):
    """A case whose results are those of the repository's code."""
    return Case("Mobile-Former", note, "authors", MobileFormer, sizes, pixels, golden=True, reference=reference(sizes),
                source="AAboys/MobileFormer@f447310 mobile_former.py, seed {}".format(settings.get("seed", 0)),
                **settings)


# Dynamic ReLU and its cousins have kinks, which no number of these seeds comes near to
CASES = [
    case("64 pixels", SIZES, (64, 64)),
    case("odd sides", SIZES, (45, 61), batch=1),
    case("training", SIZES, (64, 48), batch=3, training=True),
    case("groups, odd sides", GROUPED, (75, 50)),
    case("groups, training", GROUPED, (64, 64), batch=3, training=True),
]
SMALL = dict(num_classes=3, stem=(12, 2), lite=(12, 1, 2), blocks=((8, 2, 2), (8, 1, 3)), tokens=2, dim=8, hidden=12)
MODELS = [Small(MobileFormer, SMALL, ("authors",)),
          Small(MobileFormer, SMALL | dict(stem=(8, 2), lite=(8, 2, 3), groups=4, channels=1, num_classes=0),
                ("authors",))]
# what is added to the scores of a pixel for all tokens changes no probability, nor does anything that a norm takes away
WITHOUT_GRADIENT = [
    *(("mobile_former", f"blocks.{block}.to_pixels.key.bias") for block in range(1, 6)),
    ("mobile_former", "hidden.linear.bias")]

COUNT = "the parameters are the same; norms and dynamic ReLUs, one operation a number, come to most of what is missing"
FIGURES = [Table("Mobile-Former: Chen et al., arXiv:2108.05895, as the repository lists it", [
    Line("Mobile-Former-508M", "mobile_former", "508m", "14.0", "0.508", COUNT),
    Line("Mobile-Former-294M", "mobile_former", "294m", "11.4", "0.294", COUNT),
    Line("Mobile-Former-214M", "mobile_former", "214m", "9.4", "0.214", COUNT),
    Line("Mobile-Former-151M", "mobile_former", "151m", "7.6", "0.151", COUNT),
    Line("Mobile-Former-96M", "mobile_former", "96m", "4.6", "0.096", COUNT),
    Line("Mobile-Former-52M", "mobile_former", "52m", "3.5", "0.052", COUNT),
    Line("Mobile-Former-26M", "mobile_former", "26m", "3.2", "0.026", COUNT)])]
