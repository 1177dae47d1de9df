"""DeiT III: Revenge of the ViT.  Touvron, Cord and Jegou, ECCV 2022, arXiv:2204.07118.

A Vision Transformer as it is, trained with a simple recipe, reaches what cleverer networks reach: three augmentations
of which each picture gets one, binary cross-entropy for each class by itself, and stochastic depth. In the network two
things change: LayerScale, with which deep ones train, and the class token, which has no position.

    B batch    N patches    D width    H heads    P patch size    L depth
    (B, 32, 32, 3) -> patches (B, 64, 48) -> tokens (B, 64, D), told where they were -> with class token (B, 65, D)
                   -> (B, D) -> logits (B, 10)

Departures from the paper: none. LayerScale begins at 1e-4, as in the authors' code.
"""

from functools import partial

from ..nn import Parameter, interpolate_positions, sincos, truncated_normal
from .cait import ScaledBlock
from .vit import SIZES, ViT


class DeiT3(ViT):
    """ViT with LayerScale, and a class token without a position.

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. The settings are those of ViT, and:

    Parameters
    ----------
    layer_scale : float
        Where the factors of residual branches begin.
    drop_path : float
        Rate of stochastic depth, the same in every block.
    """

    def __init__(self, *, layer_scale=1e-4, **settings):
        self.layer_scale = layer_scale
        super().__init__(**settings)
        initialiser, (_, N, D) = self.positions.initialiser, self.positions.shape
        self.positions = Parameter((1, N - self.prefix, D), initialiser)

    def make_blocks(self, depth, dim, heads, **block):
        """The encoder's layers."""
        return [ScaledBlock(dim, heads, layer_scale=self.layer_scale, **block) for _ in range(depth)]

    def make_pooling(self, dim, heads, **block):
        """The class token."""
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))

    def place(self, x):
        """Tell each patch where it is, behind a class token that is nowhere.    (B, H, W, D) -> (B, 1 + N, D)"""
        B, H, W, D = x.shape
        x = x.reshape(B, H * W, D) + interpolate_positions(self.positions, self.grid, (H, W),
                                                           antialias=self.antialias)                # (B, N, D)
        return self.dropout(self.prepend(x))


# sizes as in ViT and DeiT; M is from the authors' repository
VARIANTS = {name: partial(DeiT3, patch_size=16, **SIZES[size])
            for name, size in {"small": "S", "base": "B", "large": "L"}.items()}
VARIANTS["medium"] = partial(DeiT3, patch_size=16, dim=512, depth=12, heads=8)
VARIANTS["huge"] = partial(DeiT3, patch_size=14, **SIZES["H"])
VARIANTS["cifar"] = partial(DeiT3, image_size=32, patch_size=4, num_classes=10, dim=96, depth=5, heads=3,
                            positions=sincos, layer_scale=0.1)
