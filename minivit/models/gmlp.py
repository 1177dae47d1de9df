"""Pay Attention to MLPs (gMLP).  Liu et al., NeurIPS 2021, arXiv:2105.08050.

A block has no attention, one norm and one residual connection: channels are widened, halved, and one half is multiplied
with what a linear map across tokens makes of the other. This gate starts as a factor of 1, so that a block starts as an
MLP of each token by itself, and learns from there how far tokens look.

    B batch    N tokens    D width    F width of the feed-forward part, halved to F / 2    P patch size    L depth
    (B, 224, 224, 3) -> patches (B, 196, D) -> mixed (B, 196, D) -> mean (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 64, D) -> (B, 64, D) -> (B, D) -> (B, 10)
    a block: (B, N, D) -> (B, N, F) -> gated (B, N, F / 2) -> (B, N, D)

The weights that mix tokens belong to places: pictures of another size than `image_size` are refused.

Departures from the paper: none; there is no code of its authors. The gate's norm adds 1e-5 to the variance and the
others 1e-6, as in timm.
"""

from functools import partial

from ..nn import (Dropout, DropPath, LayerNorm, Linear, Module, Parameter, drop_path_rates, normal, ones,
                  truncated_normal)
from ..ops import gelu, linear, split
from .mlp_mixer import AllMlp


class SpatialGate(Module):
    """u (W LN(v) + b) for the halves u, v of the channels, with one matrix W across tokens (section 2.1).

    (B, N, F) -> (B, N, F / 2)
    """

    def __init__(self, tokens, dim, *, eps=1e-5):
        self.norm = LayerNorm(dim // 2, eps=eps)
        self.weight, self.bias = Parameter((tokens, tokens), normal(1e-6)), Parameter((tokens,), ones)

    def forward(self, x):
        """(B, N, F) -> (B, N, F / 2)"""
        u, v = split(x, 2, axis=-1)                                # 2 (B, N, F/2)
        columns = self.norm(v).transpose(0, 2, 1)                  # (B, F/2, N)
        return u * linear(columns, self.weight, self.bias).transpose(0, 2, 1)


class Block(Module):
    """x + V gate(GELU(U LN(x))) (section 2).    (B, N, D) -> (B, N, D)"""

    def __init__(self, tokens, dim, *, mlp_dim, eps=1e-6, gate_eps=1e-5, activation=gelu, dropout=0.0, drop_path=0.0):
        if mlp_dim % 2:
            raise ValueError(f"mlp_dim: expected an even number, which the gate halves, got {mlp_dim}")
        self.norm, self.linear1 = LayerNorm(dim, eps=eps), Linear(dim, mlp_dim)
        self.gate, self.linear2 = SpatialGate(tokens, mlp_dim, eps=gate_eps), Linear(mlp_dim // 2, dim)
        self.activation, self.dropout, self.drop_path = activation, Dropout(dropout), DropPath(drop_path)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        y = self.dropout(self.activation(self.linear1(self.norm(x))))
        return x + self.drop_path(self.dropout(self.linear2(self.gate(y))))


class GMLP(AllMlp):
    """Blocks with a spatial gate (fig. 1).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0

    Parameters
    ----------
    dim, depth, mlp_dim : int
        D, L, and F, by default 6 D.
    eps, gate_eps : float
        What LayerNorm adds to the variance: in front of a block, and within the gate.
    activation : callable
        In front of the gate.
    dropout, drop_path : float
        Rate of dropout behind the activation and behind a block; rate of stochastic depth in the last block (it grows
        linearly from 0 in the first).
    **picture
        image_size, patch_size, channels and num_classes, as for ViT.
    """

    def __init__(self, *, dim, depth, mlp_dim=None, eps=1e-6, gate_eps=1e-5, activation=gelu, dropout=0.0,
                 drop_path=0.0, **picture):
        block = partial(Block, dim=dim, mlp_dim=mlp_dim or 6 * dim, eps=eps, gate_eps=gate_eps, activation=activation,
                        dropout=dropout)
        blocks = [partial(block, drop_path=rate) for rate in drop_path_rates(drop_path, [depth])[0]]
        super().__init__(dim, blocks, LayerNorm(dim, eps=eps), head=truncated_normal(0.02), **picture)


# table 1; "cifar" is our own size
VARIANTS = {
    "tiny": partial(GMLP, dim=128, depth=30),
    "small": partial(GMLP, dim=256, depth=30),
    "base": partial(GMLP, dim=512, depth=30),
    "cifar": partial(GMLP, image_size=32, patch_size=4, num_classes=10, dim=96, depth=6),
}
