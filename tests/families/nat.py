"""What is known of NAT; tests/families/dinat.py compares it with transformers, as a DiNAT without dilation."""

import sys

from minivit.models.nat import NAT
from tests.families.dinat import SMALL
from tests.golden.case import Case
from tests.known import Line, Small, Table

SIZES = dict(num_classes=5, dim=16, depths=(2, 2), heads=(2, 4), kernel=3, mlp_ratio=2, layer_scale=1e-5)
SOURCE = ("SHI-Labs/Neighborhood-Attention-Transformer@d334f5b classification/nat.py, with tests/neighbours.py in the "
          "place of natten, seed 0")


def reference(_):
    """The authors' model. It imports timm and natten."""
    import torch

    from tests.counterpart import import_official
    from tests.neighbours import natten
    import_official("timm")
    sys.modules["natten"] = natten(torch)
    from nat import NAT as Official
    return Official(embed_dim=16, mlp_ratio=2, depths=[2, 2], num_heads=[2, 4], kernel_size=3, num_classes=5,
                    layer_scale=1e-5, drop_path_rate=0.0)


CASES = [
    Case("NAT", "odd sides", "authors", NAT, SIZES, (51, 62), golden=True, reference=reference, source=SOURCE),
    # grids of 4 x 10 and 2 x 5, the second smaller than the window
    Case("NAT", "a grid smaller than the window", "authors", NAT, SIZES, (16, 40), training=True, golden=True,
         reference=reference, source=SOURCE),
]

MODELS = [Small(NAT, SMALL | dict(layer_scale=scale), ("transformers4", "authors"), unread=("transformers4",))
          for scale in (None, 1e-5)]

FIGURES = [Table("NAT: Hassani et al., arXiv:2204.07143, as its authors' repository lists it", [
    Line("NAT-Mini", "nat", "mini", "20", "2.7", exact=19_984_174),
    Line("NAT-Tiny", "nat", "tiny", "28", "4.3", exact=27_901_582),
    Line("NAT-Small", "nat", "small", "51", "7.8", exact=50_743_297),
    Line("NAT-Base", "nat", "base", "90", "13.7", exact=89_769_652)])]
DIFFERENCES = ["NAT is in transformers until version 4; files of it are read and written under its names."]
