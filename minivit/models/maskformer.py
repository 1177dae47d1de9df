"""Per-Pixel Classification is Not All You Need for Semantic Segmentation (MaskFormer).  Cheng et al., NeurIPS 2021,
arXiv:2107.06278.

A picture is taken apart into regions, and each region has one class: instead of a class for every pixel, the model
returns Q pairs of a class and a mask. Learned queries look at the picture as in DETR; each turns into a class and into
a direction in the space of the pixels' features, and its mask is where the features point that way. The same model,
with the same loss, learns classes of pixels or single objects: only what a region is changes
(`minivit.tasks.maskformer`).

    B batch    D width of the queries    E channels of the pixels' features    Q queries    K classes
    (B, 512, 512, 3) -> backbone (B, 128, 128, C) ... (B, 16, 16, 8 C) -> pixel decoder (B, 128, 128, E)
                     -> queries, which look at the last grid (B, Q, D) -> logits (B, Q, K + 1), masks (B, Q, 128, 128)

The masks are logits too, on the finest grid of the backbone; the last class is "no region".

Departures from the paper: none.
"""

from functools import partial

from ..backend import array_module
from ..counting import feature_shapes
from ..nn import Conv2d, GroupNorm, Identity, LayerNorm, Linear, Module
from ..ops import relu, resize, sigmoid, softmax
from ..ops.checks import whole
from .detr import Decoder, sine_positions, three_layers
from .resnet import VARIANTS as RESNET
from .swin import VARIANTS as SWIN

TASK = "maskformer"  # what its models are made for


class ConvGroupNorm(Module):
    """A convolution without bias, and GroupNorm.    (B, H, W, C_in) -> (B, H, W, C)"""

    def __init__(self, inputs, channels, kernel, groups):
        self.conv = Conv2d(inputs, channels, kernel, padding=kernel // 2, bias=False)
        self.norm = GroupNorm(groups, channels)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H, W, C)"""
        return self.norm(self.conv(x))


class PixelDecoder(Module):
    """From coarse to fine, each grid of the backbone joins in (section 3.4; a feature pyramid, Lin et al., 1612.03144).

    [(B, H, W, C), (B, H/2, W/2, 2 C), ...] -> (B, H, W, E)
    """

    def __init__(self, channels, dim, outputs, groups):
        *finer, coarsest = channels
        self.stem = ConvGroupNorm(coarsest, dim, 3, groups)
        self.laterals = [ConvGroupNorm(inputs, dim, 1, groups) for inputs in reversed(finer)]
        self.merges = [ConvGroupNorm(dim, dim, 3, groups) for _ in finer]
        self.outputs = Conv2d(dim, outputs, 3, padding=1)

    def forward(self, grids):
        """[(B, H, W, C), ...] -> (B, H, W, E)"""
        *finer, coarsest = grids
        x = relu(self.stem(coarsest))
        for grid, lateral, merge in zip(reversed(finer), self.laterals, self.merges, strict=True):
            x = resize(x, grid.shape[1:3], mode="nearest") + lateral(grid)  # (B, 2 H, 2 W, dim)
            x = relu(merge(x))
        return self.outputs(x)


class NormedGrids(Module):
    """A backbone with a norm behind each of its grids, as Swin has it here, in place of the one before its head."""

    def __init__(self, backbone, **settings):
        self.backbone = backbone(**settings)
        self.backbone.norm, self.image_size = Identity(), self.backbone.image_size
        shapes = feature_shapes(self.backbone, (1, *self.image_size, settings.get("channels", 3)))
        self.norms = [LayerNorm(shape[-1], eps=1e-5) for shape in shapes]

    def features(self, images):
        """(B, height, width, C) -> [(B, H, W, C), ...]"""
        return [norm(x) for norm, x in zip(self.norms, self.backbone.features(images), strict=True)]


class MaskFormer(Module):
    """Backbone, pixel decoder, transformer decoder, and two heads (fig. 2).

    (B, height, width, C) -> (B, Q, K + 1), (B, Q, H, W)

    Parameters
    ----------
    backbone : callable
        Makes a model with `features`, backbone(num_classes=0, **settings): all of its grids are read.
    num_classes, queries : int
        K, and Q: no picture may have more regions.
    dim, heads, depth, mlp_dim : int
        D, the heads, the number of layers of the transformer decoder, and the width between the layers of its MLPs.
    pixel_dim, mask_dim : int
        Channels inside the pixel decoder, and E.
    groups : int
        Of the pixel decoder's GroupNorm.
    dropout : float
        Rate of dropout in the transformer decoder.
    **settings
        Of the backbone: image_size, channels ...
    """

    def __init__(self, backbone, *, num_classes=150, queries=100, dim=256, heads=8, depth=6, mlp_dim=2048,
                 pixel_dim=256, mask_dim=256, groups=32, dropout=0.1, **settings):
        for name, number in (("queries", queries), ("depth", depth), ("num_classes", num_classes)):
            whole("MaskFormer", name, number)
        if dim % 4:
            raise ValueError(f"MaskFormer: dim: {dim} is not divisible by 4: sines and cosines, of rows and of columns")
        self.backbone = backbone(num_classes=0, **settings)
        self.image_size = self.backbone.image_size
        shapes = feature_shapes(self.backbone, (1, *self.image_size, settings.get("channels", 3)))
        channels = [shape[-1] for shape in shapes]
        self.pixel_decoder = PixelDecoder(channels, pixel_dim, mask_dim, groups)
        self.project = Identity() if channels[-1] == dim else Linear(channels[-1], dim)
        self.decoder = Decoder(dim, heads, queries=queries, depth=depth, mlp_dim=mlp_dim, dropout=dropout)
        self.head, self.mask_head = Linear(dim, num_classes + 1), three_layers(dim, mask_dim)

    def forward(self, images):
        """What the last layer says.    (B, height, width, C) -> (B, Q, K + 1), (B, Q, H, W)"""
        queries, pixels = self.decode(images)
        return self.answer(queries[-1], pixels)

    def answers(self, images):
        """What every layer of the decoder says, as `forward` returns it, for the auxiliary losses."""
        queries, pixels = self.decode(images)
        return [self.answer(x, pixels) for x in queries]

    def answer(self, queries, pixels):
        """Classes, and masks m = q . pixel (section 3.3).    (B, Q, D), (B, H, W, E) -> (B, Q, K + 1), (B, Q, H, W)"""
        (B, H, W, E), Q = pixels.shape, queries.shape[1]
        flat = pixels.reshape(B, H * W, E).transpose(0, 2, 1)                     # (B, E, H W)
        masks = (self.mask_head(queries) @ flat).reshape(B, Q, H, W)              # (B, Q, H W) -> (B, Q, H, W)
        return self.head(queries), masks

    def decode(self, images):
        """The queries of every layer, and the features of the pixels.    -> [(B, Q, D), ...], (B, H, W, E)"""
        grids = self.backbone.features(images)
        x = self.project(grids[-1])
        B, H, W, D = x.shape
        real = array_module(x.data).ones((1, H, W), bool)
        positions = sine_positions(real, D).astype(x.dtype)                       # (1, H W, D)
        return self.decoder(x.reshape(B, H * W, D), positions), self.pixel_decoder(grids)


def semantic(logits, masks, size):
    """Each pixel's weight for each class: queries vote where their masks are (section 3.4, "Semantic inference").

    "No region" has no vote, and is left out after the softmax: who is silent votes for nothing.

    (B, Q, K + 1), (B, Q, H, W) -> (B, height, width, K)
    """
    masks = sigmoid(resize(masks.transpose(0, 2, 3, 1), size))                    # (B, height, width, Q)
    (B, height, width, Q), votes = masks.shape, softmax(logits)[..., :-1]         # (B, Q, K)
    return (masks.reshape(B, height * width, Q) @ votes).reshape(B, height, width, -1)


VARIANTS = {
    "50": partial(MaskFormer, RESNET["50"]),
    "101": partial(MaskFormer, RESNET["101"]),
    **{f"swin-{size}": partial(MaskFormer, partial(NormedGrids, SWIN[size])) for size in ("tiny", "small", "base")},
    # for the built-in scenes
    "cifar": partial(MaskFormer, RESNET["scenes"], num_classes=6, queries=10, dim=64, heads=4, depth=3, mlp_dim=128,
                      pixel_dim=32, mask_dim=32, groups=8, dropout=0.0),
}
