"""DINOv2's Vision Transformer.  Oquab et al., TMLR 2024, arXiv:2304.07193; with registers Darcet et al., ICLR 2024,
arXiv:2309.16588.

The Transformer of "DINOv2: Learning Robust Visual Features without Supervision" is ViT with LayerScale, made to be
trained without labels (`minivit/tasks/dinov2.py`): a learned mask token can stand in the place of patches, which the
model then has to guess. The largest has gated MLPs, SwiGLU (arXiv:2002.05202). Large ones kept notes of the whole
picture in patches of plain background, which spoils maps of attention; registers are empty tokens to keep them in.

    B batch    N patches    R registers    D width    H heads    P patch size    L depth    h width inside a gated MLP
    (B, 224, 224, 3) -> patches (B, 256, D), some of them hidden -> with class token (B, 257, D), told where they were
                     -> with registers behind the class token (B, 1 + R + 256, D) -> class token (B, D)
                     -> with the mean of the patches beside it (B, 2 D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 64, D) -> (B, 65, D) -> (B, D)

Departures from the paper: none. Positions are stretched to other grids without the 0.1 that the authors' code adds to
the new grid's sides, as in timm and transformers.
"""

from functools import partial

from ..names import expect
from ..nn import (Identity, Linear, Module, Parameter, interpolate_positions, normal, repeat_batch, sincos,
                  truncated_normal, zeros)
from ..ops import concatenate, silu, split, where
from .cait import ScaledBlock
from .vit import SIZES, ViT


class SwiGLU(Module):
    """silu(x W + b) * (x V + c), then a linear map: gates open and close what is passed on (2002.05202, eq. 6).

    (B, N, D) -> 2 (B, N, h) -> (B, N, D). W and V are one matrix, (D, 2 h).
    """

    def __init__(self, dim, hidden):
        self.linear1, self.linear2 = Linear(dim, 2 * hidden), Linear(hidden, dim)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        gate, value = split(self.linear1(x), 2, axis=-1)       # 2 (B, N, h)
        return self.linear2(silu(gate) * value)


class GatedBlock(ScaledBlock):
    """A block whose MLP is SwiGLU; `mlp_dim` is h.    (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, mlp_dim, **settings):
        super().__init__(dim, heads, mlp_dim=mlp_dim, **settings)
        self.mlp = SwiGLU(dim, mlp_dim)


BLOCKS = {"mlp": ScaledBlock, "swiglu": GatedBlock}


class DINOv2(ViT):
    """ViT with LayerScale, a mask token, and a head that reads the patches too.

    (B, height, width, C) -> (B, num_classes), or the class token (B, D) with num_classes=0. The settings are those of
    ViT, and:

    Parameters
    ----------
    layer_scale : float
        Where the factors of residual branches begin.
    mlp : "mlp" or "swiglu"
        What follows the attention of a block. With "swiglu", `mlp_dim` is h; about 8/3 D makes it as large as an MLP.
    mask_token : bool
        Whether there is one: timm keeps none, since only pretraining needs it.
    head_reads_patches : bool
        Whether the head reads the class token and beside it the mean of the patches, as the authors' classifiers and
        transformers', or the class token alone, as timm's.
    drop_path : float
        Rate of stochastic depth, the same in every block.
    """

    def __init__(self, *, num_classes=1000, layer_scale=1e-5, mlp="mlp", mask_token=True, head_reads_patches=True,
                 **settings):
        expect("mlp", mlp, BLOCKS)
        self.layer_scale, self.mlp = layer_scale, mlp
        super().__init__(num_classes=num_classes, **settings)
        D = self.norm.weight.size
        self.mask_token = Parameter((1, D), zeros) if mask_token else None
        self.head_reads_patches = head_reads_patches
        if num_classes and head_reads_patches:
            self.head = Linear(2 * D, num_classes, initialiser=truncated_normal(0.02))

    def make_blocks(self, depth, dim, heads, **block):
        """The encoder's layers."""
        return [BLOCKS[self.mlp](dim, heads, layer_scale=self.layer_scale, **block) for _ in range(depth)]

    def make_pooling(self, dim, heads, **block):
        """The class token."""
        self.class_token = Parameter((1, 1, dim), normal(1e-6))

    def forward(self, images, mask=None):
        """(B, height, width, C), and optionally the mask (B, N), True where hidden -> (B, num_classes)"""
        return self.head(self.pool(self.encode(self.embed(images, mask))))

    def embed(self, images, mask=None):
        """The class token and the patches, told where they were; those where a mask (B, N) is True are hidden.

        (B, height, width, C) -> (B, prefix + N, D)
        """
        x = self.patches(images)                                                           # (B, H, W, D)
        B, H, W, _ = x.shape
        if mask is not None:
            if self.mask_token is None:
                raise ValueError("mask: this model has no token to hide patches behind; build it with mask_token=True")
            if mask.shape != (B, H * W):
                raise ValueError(f"mask: expected shape {(B, H * W)}, pictures by patches, got {mask.shape}")
            x = where(mask.reshape(B, H, W, 1), self.mask_token, x)
        return self.place(x)

    def pool(self, x):
        """What the head reads; without a head, the class token.    (B, prefix + N, D) -> (B, 2 D) or (B, D)"""
        if isinstance(self.head, Identity) or not self.head_reads_patches:
            return x[:, 0]
        return concatenate([x[:, 0], x[:, self.prefix:].mean(axis=1)], axis=-1)


class DINOv2Registers(DINOv2):
    """The same with R registers behind the class token (2309.16588, section 2.2).

    Parameters
    ----------
    registers : int
        R. They have no positions, and nothing reads them at the end.
    class_position : bool
        Whether the class token has a position, as with the authors and transformers. timm adds the two once for all.
    """

    def __init__(self, *, registers=4, class_position=True, **settings):
        if not registers >= 1:
            raise ValueError(f"registers: expected 1 or more, got {registers}; without any, take DINOv2")
        super().__init__(**settings)
        (_, N, D), initialiser = self.positions.shape, self.positions.initialiser
        self.prefix, self.class_position = 1 + registers, class_position
        self.registers = Parameter((1, registers, D), normal(1e-6))
        if not class_position:
            self.positions = Parameter((1, N - 1, D), initialiser)

    def place(self, x):
        """Tell each patch where it is, behind class token and registers.    (B, H, W, D) -> (B, 1 + R + N, D)"""
        B, H, W, D = x.shape
        x, placed = x.reshape(B, H * W, D), int(self.class_position)                       # (B, N, D)
        positions = interpolate_positions(self.positions, self.grid, (H, W), prefix=placed, antialias=self.antialias)
        x = self.prepend(x) + positions if placed else self.prepend(x + positions)         # (B, 1 + N, D)
        return self.dropout(concatenate([x[:, :1], repeat_batch(self.registers, B), x[:, 1:]], axis=1))


# 2304.07193, table 17 (g) and section 5; S, B and L are ViT's
SHAPES = {"small": SIZES["S"], "base": SIZES["B"], "large": SIZES["L"],
          "giant": dict(dim=1536, depth=40, heads=24, mlp_dim=4096, mlp="swiglu")}
VARIANTS = {size: partial(DINOv2, patch_size=14, **shape) for size, shape in SHAPES.items()}
VARIANTS |= {f"{size}_registers": partial(DINOv2Registers, patch_size=14, **shape) for size, shape in SHAPES.items()}
CIFAR = dict(image_size=32, patch_size=4, num_classes=10, dim=96, depth=6, heads=3, positions=sincos, layer_scale=0.1)
VARIANTS["cifar"] = partial(DINOv2, **CIFAR)
VARIANTS["cifar_registers"] = partial(DINOv2Registers, **CIFAR)
