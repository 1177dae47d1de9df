"""CPVT: Conditional Positional Encodings for Vision Transformers.  Chu et al., ICLR 2023, arXiv:2102.10882.

Learned position embeddings belong to one size of picture, and say the same whatever the picture shows. Here a depthwise
convolution behind the first block, the positional encoding generator (PEG), makes positions of what is around each
token. The zeros around the picture tell it where the borders are; any picture will do, and none needs interpolation.

    B batch    N tokens    D width    P patch size    H x W grid of patches
    (B, 224, 224, 3) -> patches (B, 196, D) -> with class token (B, 197, D) -> blocks -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 64, 96) -> blocks -> mean of the tokens (B, 96) -> logits (B, 10)
    PEG: patches of (B, 197, D) -> (B, 14, 14, D) -> x + convolution of x -> (B, 196, D), behind the class token

The class token has no place on the grid and goes round the PEG. CPVT-GAP reads the mean of all tokens instead, which
does not depend on their places either.

Departures from the paper: none, as far as it tells; its code was never published. Blocks are ViT's, as in DeiT.
"""

from functools import partial

from ..nn import (ConvPositions, Dropout, Identity, LayerNorm, Linear, Module, Parameter, PatchEmbed, drop_path_rates,
                  repeat_batch, to_grid, truncated_normal)
from ..ops import concatenate
from .vit import SIZES, Block


class CPVT(Module):
    """ViT with a PEG behind the first block instead of position embeddings; the head reads the class token.

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures of any size are accepted that
    divide into patches.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    dim, depth, heads, mlp_dim : int
        As for ViT.
    pegs : int
        How many blocks, from the first, have a PEG behind them; 1 in the paper's models, 0 leaves out all positions.
    dropout, drop_path : float
        As for ViT.
    """

    prefix = 1  # tokens in front of the patches

    def __init__(self, *, image_size=224, patch_size=16, channels=3, num_classes=1000, dim, depth, heads, mlp_dim=None,
                 pegs=1, dropout=0.0, drop_path=0.0):
        if not 0 <= pegs <= depth:
            raise ValueError(f"pegs: expected 0 to {depth}, as many as there are blocks, got {pegs}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.patch_embed, self.dropout = PatchEmbed(patch_size, channels, dim), Dropout(dropout)
        if self.prefix:
            self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.blocks = [Block(dim, heads, mlp_dim=mlp_dim or 4 * dim, dropout=dropout, drop_path=rate)
                       for rate in drop_path_rates(drop_path, [depth])[0]]
        self.positions = [ConvPositions(dim) for _ in range(pegs)]
        self.norm = LayerNorm(dim)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = self.encode(images)
        return self.head(self.pool(self.norm(x)))

    def encode(self, images):
        """What each block makes, and the PEG behind it if there is one, one after the other.

        (B, height, width, C) -> generator of (B, prefix + N, D)
        """
        x, grid = self.dropout(self.prepend(self.patch_embed(images))), self.grid_of(images)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index < len(self.positions):
                x = self.add_positions(x, grid, self.positions[index])
            yield x

    def add_positions(self, x, grid, peg):
        """The PEG for the patches, nothing for the class token (section 3.2).    (B, 1 + N, D) -> (B, 1 + N, D)"""
        token, patches = x[:, :1], peg(to_grid(x, grid, prefix=1))                      # (B, 1, D), (B, H, W, D)
        return concatenate([token, patches.reshape(x[:, 1:].shape)], axis=1)            # (B, 1 + N, D)

    def grid_of(self, images):
        """Rows and columns of the patches of these pictures."""
        return tuple(pixels // self.patch_embed.patch_size for pixels in images.shape[1:3])

    def features(self, images, layers=None):
        """The patches' tokens on their grid: what the blocks `layers` make, by default the last, behind the norm.

        (B, height, width, C) -> [(B, height / P, width / P, D) for each layer]
        """
        made = list(self.encode(images))
        chosen = [self.norm(made[-1])] if layers is None else [made[layer] for layer in layers]
        return [to_grid(x, self.grid_of(images), prefix=self.prefix) for x in chosen]

    def prepend(self, x):
        """The class token in front of the patches.    (B, N, D) -> (B, 1 + N, D)"""
        return concatenate([repeat_batch(self.class_token, len(x)), x], axis=1)

    def pool(self, x):
        """The encoded class token.    (B, 1 + N, D) -> (B, D)"""
        return x[:, 0]


class CPVTGAP(CPVT):
    """Without a class token: the head reads the mean of all tokens (section 3.3). The settings are those of CPVT.

    (B, height, width, C) -> (B, num_classes)
    """

    prefix = 0

    def prepend(self, x):
        """(B, N, D) -> (B, N, D)"""
        return x

    def add_positions(self, x, grid, peg):
        """(B, N, D) -> (B, N, D)"""
        return peg(to_grid(x, grid)).reshape(x.shape)

    def pool(self, x):
        """(B, N, D) -> (B, D)"""
        return x.mean(axis=1)


# the sizes of DeiT (section 4); "cifar" is our own
VARIANTS = {name: partial(CPVT, **SIZES[size]) for name, size in {"tiny": "Ti", "small": "S", "base": "B"}.items()}
VARIANTS |= {f"{name}_gap": partial(CPVTGAP, **SIZES[size])
             for name, size in {"tiny": "Ti", "small": "S", "base": "B"}.items()}
VARIANTS["cifar"] = partial(CPVTGAP, image_size=32, patch_size=4, num_classes=10, dim=96, depth=5, heads=3)
