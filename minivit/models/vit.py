"""Vision Transformer.  Dosovitskiy et al., ICLR 2021, arXiv:2010.11929; Zhai et al., CVPR 2022, arXiv:2106.04560;
Alabdulmohsin et al., NeurIPS 2023, arXiv:2305.13035 (the shapes "So").

A picture is cut into P x P patches, each becomes a token by one linear map, and a plain Transformer encoder reads the
tokens. What the encoder says about the whole picture is read from a class token, from the mean of all tokens, or by
attention with a learned query: three classes below.

    B batch    N tokens    D width    H heads    P patch size    L depth
    (B, 32, 32, 3) -> patches (B, 64, 48) -> tokens (B, 64, D) -> with class token (B, 65, D) -> (B, D) -> (B, 10)

Departures from the paper: none. GELU is exact, as in timm and transformers; the authors' JAX code takes the tanh form.
"""

from functools import partial
from itertools import islice

from ..nn import (Attention, Dropout, DropPath, Identity, LayerNorm, Linear, Mlp, Module, Parameter, PatchEmbed,
                  drop_path_rates, in_turn, interpolate_positions, normal, repeat_batch, sincos, to_grid,
                  truncated_normal, zeros)
from ..ops import attention, concatenate, gelu


class Block(Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)) (eq. 2, 3).    (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, mlp_dim, qkv_bias=True, eps=1e-6, activation=gelu, dropout=0.0, drop_path=0.0):
        self.norm1 = LayerNorm(dim, eps=eps)
        self.attention = Attention(dim, heads, qkv_bias=qkv_bias, dropout=dropout)
        self.norm2, self.mlp = LayerNorm(dim, eps=eps), Mlp(dim, mlp_dim, activation=activation, dropout=dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class ViT(Module):
    """A class token is put in front of the patches; the head reads what the encoder made of it (eq. 1-4).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures of another size than `image_size`
    are accepted if they divide into patches: the position embeddings are interpolated.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the position embeddings are learned for.
    dim, depth, heads, mlp_dim : int
        D, L, H, and the width between the two layers of the MLP, by default 4 D.
    positions : callable
        Initialiser of the position embeddings, by default normal with standard deviation 0.02.
    antialias : bool
        Whether a filter smooths the positions where they are interpolated to a smaller grid: timm does so,
        transformers does not.
    eps : float
        What LayerNorm adds to the variance.
    activation : callable
        Of the MLPs.
    dropout, drop_path : float
        Rate of dropout after embedding, attention and MLP layers; rate of stochastic depth in the last block (it grows
        linearly from 0 in the first).
    """

    prefix = 1  # tokens in front of the patches

    def __init__(self, *, image_size=224, patch_size=16, channels=3, num_classes=1000, dim, depth, heads, mlp_dim=None,
                 positions=None, antialias=True, eps=1e-6, activation=gelu, dropout=0.0, drop_path=0.0):
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if height % patch_size or width % patch_size:
            raise ValueError(f"image_size: {height} x {width} pixels do not divide into patches of "
                             f"{patch_size} x {patch_size}")
        self.image_size, self.grid = (height, width), (height // patch_size, width // patch_size)
        self.patch_embed = PatchEmbed(patch_size, channels, dim)
        self.positions = Parameter((1, self.prefix + self.grid[0] * self.grid[1], dim), positions or normal(0.02))
        self.antialias, self.dropout = antialias, Dropout(dropout)
        block = dict(mlp_dim=mlp_dim or 4 * dim, eps=eps, activation=activation)
        self.blocks = self.make_blocks(depth, dim, heads, dropout=dropout, drop_path=drop_path, **block)
        self.norm = LayerNorm(dim, eps=eps)
        self.make_pooling(dim, heads, **block)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def make_blocks(self, depth, dim, heads, *, drop_path, **block):
        """The encoder's layers; the rate of stochastic depth grows linearly from 0 in the first to `drop_path`."""
        return [Block(dim, heads, drop_path=rate, **block) for rate in drop_path_rates(drop_path, [depth])[0]]

    def make_pooling(self, dim, heads, **block):
        """What this way of pooling has to learn."""
        self.class_token = Parameter((1, 1, dim), zeros)

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.pool(self.encode(self.embed(images))))

    def embed(self, images):
        """The patches as tokens, each told where it was (eq. 1).    (B, height, width, C) -> (B, prefix + N, D)"""
        return self.place(self.patches(images))

    def patches(self, images):
        """The patches as tokens that do not know yet where they are.    (B, height, width, C) -> (B, H, W, D)"""
        return to_grid(self.patch_embed(images), self.grid_of(images))

    def place(self, x):
        """Tell each patch where it is, behind the tokens in front (eq. 1).    (B, H, W, D) -> (B, prefix + N, D)"""
        B, H, W, D = x.shape
        x = self.prepend(x.reshape(B, H * W, D))                                            # (B, prefix + N, D)
        return self.dropout(x + interpolate_positions(self.positions, self.grid, (H, W), prefix=self.prefix,
                                                      antialias=self.antialias))

    def grid_of(self, images):
        """Rows and columns of the patches of these pictures."""
        return tuple(pixels // self.patch_embed.patch_size for pixels in images.shape[1:3])

    def encode(self, x):
        """The Transformer encoder (eq. 2-4).    (B, N, D) -> (B, N, D)"""
        for made in in_turn(self.blocks, x):
            x = made
        return self.norm(x)

    def encoded(self, patches):
        """What the head reads of the patches, of which some may have been changed.    (B, H, W, D) -> (B, H, W, D)"""
        return to_grid(self.encode(self.place(patches)), patches.shape[1:3], prefix=self.prefix)

    def features(self, images, layers=None):
        """The patches' tokens on their grid, without the tokens in front of them.

        Parameters
        ----------
        images : (B, height, width, C)
        layers : sequence of int, optional
            Blocks, the first is 0 and the last also -1: what each makes, before any norm behind it, as timm's
            `forward_intermediates` gives it. By default what the last makes, behind the encoder's norm.

        Returns
        -------
        list of (B, height / P, width / P, D)
            One for each layer, in the order of `layers`.

        Raises
        ------
        IndexError
            For a block that the model does not have.
        """
        x = self.embed(images)
        if layers is None:
            chosen = [self.encode(x)]
        else:
            layers = [range(len(self.blocks))[layer] for layer in layers]
            needed = islice(in_turn(self.blocks, x), max(layers, default=-1) + 1)
            made = {layer: x for layer, x in enumerate(needed) if layer in layers}
            chosen = [made[layer] for layer in layers]
        return [to_grid(x, self.grid_of(images), prefix=self.prefix) for x in chosen]

    def prepend(self, x):
        """x_class in front of the patches (eq. 1).    (B, N, D) -> (B, 1 + N, D)"""
        return concatenate([repeat_batch(self.class_token, len(x)), x], axis=1)

    def pool(self, x):
        """The encoded class token (eq. 4).    (B, 1 + N, D) -> (B, D)"""
        return x[:, 0]


class ViTGAP(ViT):
    """No class token: the head reads the mean of all encoded tokens (2010.11929, appendix D.3)."""

    prefix = 0

    def make_pooling(self, dim, heads, **block):
        """Nothing: a mean has no parameters."""

    def prepend(self, x):
        """(B, N, D) -> (B, N, D)"""
        return x

    def pool(self, x):
        """(B, N, D) -> (B, D)"""
        return x.mean(axis=1)


class ViTMAP(ViTGAP):
    """No class token: a learned query attends to all encoded tokens (2106.04560, section 3.2; 1810.00825)."""

    def make_pooling(self, dim, heads, **block):
        """The attention pooling head."""
        self.attention_pool = AttentionPool(dim, heads, **block)

    def pool(self, x):
        """(B, N, D) -> (B, D)"""
        return self.attention_pool(x)


class AttentionPool(Module):
    """Multi-head attention pooling (MAP): a learned query reads all tokens, then an MLP.    (B, N, D) -> (B, D)"""

    def __init__(self, dim, heads, *, mlp_dim, eps=1e-6, activation=gelu):
        self.heads = heads
        self.probe = Parameter((1, 1, dim), normal(dim ** -0.5))
        self.query, self.key_value, self.proj = Linear(dim, dim), Linear(dim, 2 * dim), Linear(dim, dim)
        self.norm, self.mlp = LayerNorm(dim, eps=eps), Mlp(dim, mlp_dim, activation=activation)

    def forward(self, x):
        """(B, N, D) -> (B, D)"""
        (B, N, D), H = x.shape, self.heads
        q = self.query(repeat_batch(self.probe, B)).reshape(B, 1, H, D // H).transpose(0, 2, 1, 3)       # (B, H, 1, d)
        k, v = self.key_value(x).reshape(B, N, 2, H, D // H).transpose(2, 0, 3, 1, 4)                # 2 (B, H, N, d)
        x = self.proj(attention(q, k, v).reshape(B, D))                                                  # (B, D)
        return x + self.mlp(self.norm(x))


# D, L, H and the MLP's width: 2010.11929, table 1 (B, L, H); DeiT, table 1 (Ti, S); 2106.04560, table 2 (s, g, G);
# 2305.13035, section 4.1 (So: optimal for their compute, and read by attention), whose heads are not printed there: 16
# in the authors' code of So400m, and here of So150m too
SIZES = {name: dict(zip(("dim", "depth", "heads", "mlp_dim"), sizes, strict=True)) for name, sizes in {
    "s": (256, 6, 8, 1024), "Ti": (192, 12, 3, 768), "S": (384, 12, 6, 1536), "B": (768, 12, 12, 3072),
    "L": (1024, 24, 16, 4096), "H": (1280, 32, 16, 5120), "g": (1408, 40, 16, 6144), "G": (1664, 48, 16, 8192),
    "So150m": (880, 18, 16, 2320), "So400m": (1152, 27, 16, 4304)}.items()}

VARIANTS = {f"{size}/{patch}": partial(ViT, patch_size=patch, **SIZES[size]) for size, patch in [
    ("s", 28), ("s", 16), ("Ti", 16), ("S", 32), ("S", 16), ("B", 32), ("B", 28), ("B", 16), ("L", 32), ("L", 16),
    ("H", 14), ("g", 14), ("G", 14)]}
VARIANTS |= {f"{size}/14": partial(ViTMAP, patch_size=14, **SIZES[size]) for size in ("So150m", "So400m")}
VARIANTS |= {"tiny": VARIANTS["Ti/16"], "small": VARIANTS["S/16"], "base": VARIANTS["B/16"], "large": VARIANTS["L/16"],
             "huge": VARIANTS["H/14"]}
VARIANTS["cifar"] = partial(ViTGAP, image_size=32, patch_size=4, num_classes=10, dim=128, depth=6, heads=4,
                            positions=sincos)
