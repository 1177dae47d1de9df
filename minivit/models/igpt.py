"""Image GPT: Generative Pretraining from Pixels.  Chen et al., ICML 2020 (openai.com/index/image-gpt, no arXiv id).

A picture is a text: pixel after pixel, row by row, each one of a few hundred colours. A Transformer that sees only what
came before says which colour comes next, and knows nothing of rows and columns but what it learns. What it learns so is
good for telling classes apart, best in the middle of the network: from there the head reads.

    B batch    N = h w pixels    K colours    D width    H heads    L depth
    (B, 32, 32, 3) -> colours of the pixels (B, N) -> start, and all but the last (B, N) -> tokens (B, N, D)
                   -> L blocks (B, N, D) -> next colours (B, N, K)
                   -> after L / 2 blocks, normalised, the mean (B, D) -> logits (B, 10)
    cifar: pixels are means of 2 x 2, so that N = 16 x 16; K = 64

The palette is not learned by gradients: the task (minivit/tasks/igpt.py) takes it from the training pictures. Until
then it is a cube of colours from -1 to 1. For pictures of another size the positions are stretched, as in ViT.

Departures from the paper: linear maps have biases, as in transformers, where the authors' have none; the weights of the
heads begin as ViT's here, not at 0.
"""

from functools import partial

import numpy as np

from ..backend import array_module
from ..engine import Tensor
from ..nn import (Attention, Buffer, Embedding, Identity, Linear, Mlp, Module, Parameter, RMSNorm, in_turn,
                  interpolate_positions, normal, to_grid, truncated_normal)
from ..ops import quick_gelu


def colour_cube(rng, shape):
    """Colours from -1 to 1, as many levels of each channel as there must be.    -> (K, C)"""
    colours, channels = shape
    levels = next(n for n in range(1, colours + 1) if n ** channels >= colours)
    places = np.indices((levels,) * channels).reshape(channels, -1).T[:colours]         # (K, C)
    return np.float32(2 * places / max(levels - 1, 1) - 1)


def nearest_colours(images, palette):
    """Which colour of a palette is nearest to each pixel.    arrays (B, h, w, C), (K, C) -> int (B, h w)"""
    B, h, w, C = images.shape
    distance = (palette ** 2).sum(axis=1) - 2 * images.reshape(B, h * w, C) @ palette.T  # (B, N, K), less |pixel|^2
    return distance.argmin(axis=-1)


class Block(Module):
    """x + Attention(RMS(x)), where none looks ahead, then x + MLP(RMS(x)) (section 2.2).    (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, mlp_dim, eps, activation):
        self.norm1, self.attention = RMSNorm(dim, eps=eps), Attention(dim, heads, is_causal=True)
        self.norm2, self.mlp = RMSNorm(dim, eps=eps), Mlp(dim, mlp_dim, activation=activation)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class IGPT(Module):
    """The colours of pictures in, the next colour of each place out; or from the middle, what the picture shows.

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the positions are learned for.
    shrink : int
        So many pixels a side are one, their mean.
    colours : int
        K.
    dim, depth, heads, mlp_dim : int
        D, L, H, and the width between the two layers of the MLP, by default 4 D.
    eps : float
        What the norms add to the mean square.
    activation : callable
        Of the MLPs.
    """

    def __init__(self, *, image_size=32, shrink=1, channels=3, colours=512, num_classes=1000, dim, depth, heads,
                 mlp_dim=None, eps=1e-5, activation=quick_gelu):
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if height % shrink or width % shrink:
            raise ValueError(f"image_size: {height} x {width} pixels cannot be shrunk by {shrink}")
        if depth < 2:
            raise ValueError(f"depth: expected 2 blocks or more, the head reads from their middle; got {depth}")
        self.image_size, self.shrink, self.grid = (height, width), shrink, (height // shrink, width // shrink)
        self.palette = Buffer((colours, channels), colour_cube)
        self.tokens = Embedding(colours + 1, dim, initialiser=normal(0.02))             # the last one is the start
        self.positions = Parameter((1, self.grid[0] * self.grid[1], dim), normal(0.02))
        self.blocks = [Block(dim, heads, mlp_dim=mlp_dim or 4 * dim, eps=eps, activation=activation)
                       for _ in range(depth)]
        self.norm = RMSNorm(dim, eps=eps)
        self.to_colours = Linear(dim, colours, bias=False, initialiser=truncated_normal(0.02))
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        x, = self.features(images)                                                      # (B, h, w, D)
        return self.head(self.blocks[len(self.blocks) // 2].norm1(x).mean(axis=(1, 2)))

    def colours_of(self, images):
        """Which colour of the palette each pixel has, row by row.    (B, height, width, C) -> array, int (B, N)"""
        return nearest_colours(self.shrunk(images.data if isinstance(images, Tensor) else images), self.palette.data)

    def shrunk(self, images):
        """The pixels that are read.    array (B, height, width, C) -> array (B, h, w, C)"""
        (B, height, width, C), S = images.shape, self.shrink
        if height % S or width % S:
            raise ValueError(f"images: {height} x {width} pixels cannot be shrunk by {S}")
        return images.reshape(B, height // S, S, width // S, S, C).mean(axis=(2, 4))    # (B, h, w, C)

    def shifted(self, colours):
        """What the model reads to say these: the start, then all but the last.    int (B, N) -> int (B, N)"""
        start = array_module(colours).full((len(colours), 1), len(self.palette.data))
        return array_module(colours).concatenate([start, colours[:, :-1]], axis=1)

    def read(self, colours, grid):
        """What each block makes of some of a picture's colours in their order, the first of which is the start.

        int (B, n), for a grid (h, w) with n <= h w -> generator of (B, n, D)
        """
        positions = interpolate_positions(self.positions, self.grid, grid)[:, :colours.shape[1]]
        return in_turn(self.blocks, self.tokens(colours) + positions)

    def next_colours(self, colours, grid=None):
        """How likely each colour is to come next, as logits.    int (B, n), beginning with the start -> (B, n, K)"""
        *_, x = self.read(colours, grid or self.grid)
        return self.to_colours(self.norm(x))

    def features(self, images, layers=None):
        """What the blocks `layers` make of the pixels before each, on the grid; by default that in the middle.

        (B, height, width, C) -> [(B, h, w, D) for each layer]
        """
        grid = tuple(pixels // self.shrink for pixels in images.shape[1:3])
        made = list(self.read(self.shifted(self.colours_of(images)), grid))
        layers = (len(made) // 2 - 1,) if layers is None else layers
        return [to_grid(made[layer], grid) for layer in layers]


# section 3.3 and the authors' code, "cifar" is our own
VARIANTS = {
    "S": partial(IGPT, dim=512, depth=24, heads=8),
    "M": partial(IGPT, dim=1024, depth=36, heads=8),
    "L": partial(IGPT, dim=1536, depth=48, heads=16),
    "cifar": partial(IGPT, shrink=2, colours=64, num_classes=10, dim=96, depth=6, heads=4),
}
