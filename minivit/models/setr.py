"""Segmentation Transformer (SETR).  Zheng et al., CVPR 2021, arXiv:2012.15840.

Every pixel gets a class. A Transformer that has only ever seen patches, all of them in every layer, is the encoder; the
paper asks how little has to follow. `Naive` classifies each patch and stretches the answer, `Progressive` (PUP) doubles
the grid again and again with a convolution between, `MultiLevel` (MLA) puts four layers of the encoder together.

    B batch    P patch size    H x W grid, height / P x width / P    D width of the encoder    K classes
    (B, 768, 768, 3) -> grids of some layers, each (B, 48, 48, D) -> decoder -> logits (B, 768, 768, K)

What the encoder's blocks make is read before its last norm, and without its class token; the decoders have norms of
their own. Any model with `features` can be the encoder: of one that has stages, a "layer" is a stage.

Departures from the paper: the decoders and their auxiliary heads are those of the authors' code, which are richer than
the paper's words; an auxiliary head has 3 x 3 convolutions where the main one has them.
"""

import inspect
import math
from functools import partial

from ..counting import feature_shapes
from ..nn import Conv2d, ConvNorm, LayerNorm, Module, Sequential
from ..ops import concatenate, relu, resize
from .vit import VARIANTS as VIT

TASK = "segment"  # what its models are made for


class Naive(Module):
    """Classify each patch, then stretch (section 3.2).    (B, H, W, D) -> (B, height, width, K)"""

    def __init__(self, dim, width, num_classes, scale, *, kernel=1):
        self.norm = LayerNorm(dim)
        self.mix = ConvNorm(dim, width, kernel, bias=True, activation=relu)
        self.head = Conv2d(width, num_classes, 1)

    def forward(self, x, size):
        """Logits for pictures of a size (height, width).    (B, H, W, D) -> (B, height, width, K)"""
        return resize(self.head(self.mix(self.norm(x))), size)


class Progressive(Module):
    """Progressive upsampling: a convolution, twice the grid, and again (figure 1, b).

    (B, H, W, D) -> (B, height, width, K). A grid that is `scale` times coarser than the picture is doubled
    log2(scale) times, the last time after the classes are found.
    """

    def __init__(self, dim, width, num_classes, scale):
        steps = max(1, math.ceil(math.log2(scale)))
        self.norm = LayerNorm(dim)
        self.mixes = [ConvNorm(dim if step == 0 else width, width, 3, bias=True, activation=relu)
                      for step in range(steps)]
        self.head = Conv2d(width, num_classes, 1)

    def forward(self, x, size):
        """(B, H, W, D) -> (B, height, width, K)"""
        x = self.mixes[0](self.norm(x))
        for mix in self.mixes[1:]:
            x = mix(doubled(x))
        return resize(self.head(x), size)


class EarlyProgressive(Naive):
    """What watches the layers before, for `Progressive`: one step of four times the grid.

    (B, H, W, D) -> (B, height, width, K)
    """

    def __init__(self, dim, width, num_classes, scale):
        super().__init__(dim, width, num_classes, scale, kernel=3)

    def forward(self, x, size):
        """(B, H, W, D) -> (B, height, width, K)"""
        x = self.mix(self.norm(x))
        return resize(self.head(resize(x, (4 * x.shape[1], 4 * x.shape[2]))), size)


class MultiLevel(Module):
    """Multi-level feature aggregation of four layers (figure 1, c).    4 of (B, H, W, D) -> (B, height, width, K)

    Deep layers are added to those before them, so that each stream knows all that lies behind it.
    """

    def __init__(self, dim, width, num_classes, scale, *, layers=4):
        made = partial(ConvNorm, activation=relu)
        self.norms = [LayerNorm(dim) for _ in range(layers)]
        self.narrow = [made(dim, width, 1) for _ in range(layers)]
        self.mixes = [made(width, width, 3) for _ in range(layers)]
        self.streams = [Sequential(made(width, width // 2, 3), made(width // 2, width // 2, 3)) for _ in range(layers)]
        self.head = Conv2d(layers * (width // 2), num_classes, 3, padding=1)

    def forward(self, grids, size):
        """(B, H, W, D) each, the first layer first -> (B, height, width, K)"""
        return self.classes(self.aggregate(grids), size)

    def aggregate(self, grids):
        """What each layer says together with those behind it.    4 of (B, H, W, D) -> 4 of (B, H, W, width)"""
        sums = [narrow(norm(x)) for narrow, norm, x in zip(self.narrow, self.norms, grids, strict=True)]
        for level in range(len(sums) - 2, -1, -1):
            sums[level] = sums[level] + sums[level + 1]
        return [mix(x) for mix, x in zip(self.mixes, sums, strict=True)]

    def classes(self, levels, size):
        """4 of (B, H, W, width) -> (B, height, width, K)"""
        fine = (4 * levels[0].shape[1], 4 * levels[0].shape[2])
        streams = [resize(stream(x), fine, align_corners=True)
                   for stream, x in zip(self.streams, levels, strict=True)]                 # (B, 4 H, 4 W, width / 2)
        return resize(self.head(concatenate(streams, axis=-1)), size)


class EarlyMultiLevel(Module):
    """What watches a level of `MultiLevel`: one linear map.    (B, H, W, width) -> (B, height, width, K)"""

    def __init__(self, width, num_classes):
        self.head = Conv2d(width, num_classes, 1, bias=False)

    def forward(self, x, size):
        """(B, H, W, width) -> (B, height, width, K)"""
        return resize(self.head(x), size)


def doubled(x):
    """(B, H, W, C) -> (B, 2 H, 2 W, C)"""
    return resize(x, (2 * x.shape[1], 2 * x.shape[2]))


class SETR(Module):
    """An encoder, a decoder, and heads that watch some layers before the last, in training only.

    (B, height, width, C) -> logits (B, height, width, K)

    Parameters
    ----------
    backbone : callable
        Makes a model with `features`, backbone(num_classes=0, **settings).
    decoder : "naive", "pup" or "mla"
    num_classes : int
        K, the background included.
    width : int
        Of the decoder.
    layers : sequence of int
        What is read: one block for "naive" and "pup", by default the last; four for "mla", by default in equal steps.
        Of a model with stages, stages.
    auxiliary : sequence of int
        The layers that heads of their own watch; for "mla" these are always the four levels if it is not empty.
    **settings
        Of the backbone: image_size, channels ...
    """

    def __init__(self, backbone, *, decoder="pup", num_classes=150, width=256, layers=None, auxiliary=(), **settings):
        if decoder not in DECODERS:
            raise ValueError(f"SETR: decoder: expected one of {', '.join(DECODERS)}, got {decoder!r}")
        self.backbone = backbone(num_classes=0, **settings)
        self.image_size = self.backbone.image_size
        self.by_block = "layers" in inspect.signature(self.backbone.features).parameters
        shapes = feature_shapes(self.backbone, (1, *self.image_size, settings.get("channels", 3)))
        if self.by_block:
            shapes = shapes * len(self.backbone.blocks)
        needed = 4 if decoder == "mla" else 1
        self.layers = equal_steps(len(shapes), needed) if layers is None else tuple(layers)
        self.auxiliary = tuple(auxiliary)
        for layer in (*self.layers, *self.auxiliary):
            if not -len(shapes) <= layer < len(shapes):
                raise ValueError(f"SETR: layer {layer} is asked for, but this {type(self.backbone).__name__} has "
                                 f"{len(shapes)}")
        read = [shapes[layer] for layer in self.layers]
        if len(read) != needed or len(set(read)) != 1:
            raise ValueError(f"SETR: {decoder!r} reads {'four layers of one grid' if decoder == 'mla' else 'one layer'}"
                             f", but layers {self.layers} of this {type(self.backbone).__name__} have "
                             f"{', '.join(f'{H} x {W} x {D}' for _, H, W, D in read)}")
        self.scale = self.image_size[0] / read[0][1]
        make, early = DECODERS[decoder]
        self.decoder = make(read[0][3], width, num_classes, self.scale)
        if decoder == "mla":
            self.early = [EarlyMultiLevel(width, num_classes) for _ in self.layers if self.auxiliary]
        else:
            self.early = [early(shapes[layer][3], width, num_classes, self.image_size[0] / shapes[layer][1])
                          for layer in self.auxiliary]

    def grids(self, images, layers):
        """What some blocks, or stages, make.    (B, height, width, C) -> list of (B, H, W, D)"""
        if self.by_block:
            return self.backbone.features(images, layers)
        made = self.backbone.features(images)
        return [made[layer] for layer in layers]

    def forward(self, images):
        """(B, height, width, C) -> logits (B, height, width, K)"""
        grids, size = self.grids(images, self.layers), images.shape[1:3]
        return self.decoder(grids if isinstance(self.decoder, MultiLevel) else grids[0], size)

    def all_heads(self, images):
        """The logits of the decoder, and of every auxiliary head.    -> list of (B, height, width, K)"""
        size = images.shape[1:3]
        if isinstance(self.decoder, MultiLevel):
            levels = self.decoder.aggregate(self.grids(images, self.layers))
            return [self.decoder.classes(levels, size),
                    *(early(x, size) for early, x in zip(self.early, levels, strict=False))]  # of all levels, or none
        grid, *watched = self.grids(images, (*self.layers, *self.auxiliary))
        return [self.decoder(grid, size), *(early(x, size) for early, x in zip(self.early, watched, strict=True))]


def equal_steps(count, number):
    """Layers in equal steps, the last one last: of 24 layers four are 5, 11, 17 and 23."""
    return tuple(count * (step + 1) // number - 1 for step in range(number))


DECODERS = {"naive": (Naive, Naive), "pup": (Progressive, EarlyProgressive), "mla": (MultiLevel, EarlyMultiLevel)}

# section 4.1: T-Large with P = 16; the auxiliary heads are at layers 10, 15, 20 (and 24), counted from 1
LARGE = partial(SETR, partial(VIT["large"], image_size=768), num_classes=19)
VARIANTS = {"naive": partial(LARGE, decoder="naive", auxiliary=(9, 14, 19)),
            "pup": partial(LARGE, decoder="pup", auxiliary=(9, 14, 19, 23)),
            "mla": partial(LARGE, decoder="mla", auxiliary=(5, 11, 17, 23)),
            "cifar": partial(SETR, partial(VIT["cifar"], dim=96, depth=4), decoder="pup", num_classes=11, width=32,
                             auxiliary=(1,))}
