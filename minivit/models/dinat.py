"""Dilated Neighborhood Attention Transformer (DiNAT).  Hassani and Shi, 2022, arXiv:2209.15001.

NAT, in which every second block looks at neighbours that lie far apart: as far as the grid allows. The near ones keep
the details, the far ones carry what is known across the whole picture; at the same cost, what a token can know of grows
with each pair of blocks as a power, not as a sum.

    B batch    H x W grid    C width    K kernel    D dilation
    D of the blocks for 224 x 224 pixels: 1 8 1 on the grid of 56 x 56, 1 4 1 4 on 28 x 28, 1 2 1 2 ... on 14 x 14,
    1 1 1 1 1 on 7 x 7; the shapes are those of NAT.
    cifar: (B, 32, 32, 3) -> (B, 16, 16, 48) with 1 5, (B, 8, 8, 96) with 1 2, (B, 4, 4, 192) with 1 1 -> logits (B, 10)

Departures from the paper: none.
"""

from functools import partial

from .nat import CIFAR, NAT, SIZES


class DiNAT(NAT):
    """NAT with dilations (section 3). The settings are those of NAT, and:

    (B, height, width, C) -> (B, num_classes)

    Parameters
    ----------
    dilations : sequence of sequences of int, optional
        D of each block of each stage. By default 1 and the largest that fits the stage's grid for `image_size`, side /
        K rounded down, take turns.
    """

    def __init__(self, *, dilations=None, **settings):
        self.dilations = dilations
        super().__init__(**settings)

    def make_dilations(self, stage, depth, grid, kernel):
        """How far apart the neighbours are in each block of a stage, whose grid has so many rows and columns."""
        if self.dilations is None:
            return [1 if block % 2 == 0 else max(grid // kernel, 1) for block in range(depth)]
        given = self.dilations[stage] if stage < len(self.dilations) else ()
        if len(given) != depth:
            raise ValueError(f"dilations: expected one for each of the {depth} blocks of stage {stage}, got {given}")
        return list(given)


# as in the authors' repository; "cifar" is our own size
VARIANTS = {name: partial(DiNAT, **sizes) for name, sizes in SIZES.items()}
VARIANTS["base"] = partial(VARIANTS["base"], layer_scale=1e-5)
VARIANTS["large"] = partial(DiNAT, dim=192, depths=(3, 4, 18, 5), heads=(6, 12, 24, 48), mlp_ratio=2)
VARIANTS["cifar"] = partial(DiNAT, **CIFAR)
