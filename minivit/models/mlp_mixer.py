"""MLP-Mixer: An all-MLP Architecture for Vision.  Tolstikhin et al., NeurIPS 2021, arXiv:2105.01601.

Neither convolution nor attention: a picture is a table of N tokens with D channels, and two MLPs take turns. One mixes
tokens: it reads a column, one channel at all places, and is the same for all channels. The other mixes channels: it
reads a row, all channels of one token, and is the same for all tokens.

    B batch    N = H x W tokens    D width    S, T widths within the MLPs of tokens and of channels    P patch size
    (B, 224, 224, 3) -> patches (B, 196, D) -> mixed (B, 196, D) -> mean (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 64, D) -> (B, 64, D) -> (B, D) -> (B, 10)
    mixing tokens: (B, N, D) -> columns (B, D, N) -> (B, D, S) -> (B, D, N) -> (B, N, D)

The weights that mix tokens belong to places: pictures of another size than `image_size` are refused.

Departures from the paper: none. GELU is exact, as in timm; the authors' JAX code takes the tanh form.
"""

from functools import partial

from ..nn import (DropPath, Identity, LayerNorm, Linear, Mlp, Module, PatchEmbed, drop_path_rates, in_turn, to_grid,
                  zeros)
from ..ops import gelu


class Block(Module):
    """x + tokens mixed, then x + channels mixed, each behind a norm (section 2, the two equations).

    (B, N, D) -> (B, N, D)
    """

    def __init__(self, tokens, dim, *, tokens_dim, channels_dim, eps=1e-6, activation=gelu, dropout=0.0, drop_path=0.0):
        self.norm1, self.norm2 = LayerNorm(dim, eps=eps), LayerNorm(dim, eps=eps)
        self.mlp_tokens = Mlp(tokens, tokens_dim, activation=activation, dropout=dropout)
        self.mlp_channels = Mlp(dim, channels_dim, activation=activation, dropout=dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        x = x + self.drop_path(self.mix_tokens(self.norm1(x)))
        return x + self.drop_path(self.mlp_channels(self.norm2(x)))

    def mix_tokens(self, x):
        """The MLP reads columns.    (B, N, D) -> (B, N, D)"""
        columns = x.transpose(0, 2, 1)                             # (B, D, N)
        return self.mlp_tokens(columns).transpose(0, 2, 1)         # (B, N, D)


class AllMlp(Module):
    """Patches, blocks, a norm, the mean of all tokens, a linear head (fig. 1): also of ResMLP and of gMLP.

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0

    Parameters
    ----------
    dim : int
        D
    blocks : sequence of callables
        Each makes a block, (B, N, D) -> (B, N, D), for a number of tokens: block(N).
    norm : Module
        Behind the last block.
    image_size : int or (int, int)
        Height and width in pixels of all pictures.
    head : callable
        Initialiser of the head's weight.
    """

    def __init__(self, dim, blocks, norm, *, image_size=224, patch_size=16, channels=3, num_classes=1000, head=zeros):
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if height % patch_size or width % patch_size:
            raise ValueError(f"image_size: {height} x {width} pixels do not divide into patches of "
                             f"{patch_size} x {patch_size}")
        self.image_size, self.grid = (height, width), (height // patch_size, width // patch_size)
        self.patch_embed = PatchEmbed(patch_size, channels, dim)
        self.blocks = [block(self.grid[0] * self.grid[1]) for block in blocks]
        self.norm = norm
        self.head = Linear(dim, num_classes, initialiser=head) if num_classes else Identity()

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = self.encode(images)
        return self.head(self.norm(x).mean(axis=1))

    def encode(self, images):
        """What each block makes, one after the other.    (B, height, width, C) -> generator of (B, N, D)"""
        if tuple(images.shape[1:3]) != self.image_size:
            raise ValueError("images: expected {} x {} pixels, as the weights that mix tokens are made for, got shape "
                             "{}".format(*self.image_size, images.shape))
        return in_turn(self.blocks, self.patch_embed(images))

    def features(self, images, layers=None):
        """The tokens on their grid: what the blocks `layers` make, by default the last, behind the norm.

        (B, height, width, C) -> [(B, H, W, D) for each layer]
        """
        made = list(self.encode(images))
        chosen = [self.norm(made[-1])] if layers is None else [made[layer] for layer in layers]
        return [to_grid(x, self.grid) for x in chosen]


class MlpMixer(AllMlp):
    """Layers that mix tokens, then channels (fig. 1).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0

    Parameters
    ----------
    dim, depth : int
        D, and the number of blocks.
    tokens_dim, channels_dim : int
        S and T, by default D / 2 and 4 D.
    eps : float
        What LayerNorm adds to the variance.
    activation : callable
        Of the MLPs.
    dropout, drop_path : float
        Rate of dropout within the MLPs and behind them; rate of stochastic depth in the last block (it grows linearly
        from 0 in the first).
    **picture
        image_size, patch_size, channels and num_classes, as for ViT.
    """

    def __init__(self, *, dim, depth, tokens_dim=None, channels_dim=None, eps=1e-6, activation=gelu, dropout=0.0,
                 drop_path=0.0, **picture):
        block = partial(Block, dim=dim, tokens_dim=tokens_dim or dim // 2, channels_dim=channels_dim or 4 * dim,
                        eps=eps, activation=activation, dropout=dropout)
        blocks = [partial(block, drop_path=rate) for rate in drop_path_rates(drop_path, [depth])[0]]
        super().__init__(dim, blocks, LayerNorm(dim, eps=eps), **picture)


# table 1; "cifar" is our own size
SIZES = {"S": dict(dim=512, depth=8), "B": dict(dim=768, depth=12), "L": dict(dim=1024, depth=24),
         "H": dict(dim=1280, depth=32)}
VARIANTS = {f"{size}/{patch}": partial(MlpMixer, patch_size=patch, **SIZES[size]) for size, patch in [
    ("S", 32), ("S", 16), ("B", 32), ("B", 16), ("L", 32), ("L", 16), ("H", 14)]}
VARIANTS["cifar"] = partial(MlpMixer, image_size=32, patch_size=4, num_classes=10, dim=128, depth=4)
