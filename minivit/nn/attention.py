"""Multi-head self-attention (Vaswani et al., 2017, arXiv:1706.03762, section 3.2)."""

from ..engine import no_grad
from ..ops import attention_weights, self_attention
from ..ops.checks import whole
from ..tensor import Tensor
from ..types import Array
from .dropout import Dropout
from .linear import Linear
from .module import Module


class Attention(Module):
    """softmax(q k^T / sqrt(d)) v in each of H heads of width d = D / H, joined by a linear map.

    (B, N, D) -> (B, N, D). The columns of `qkv` are all queries, then all keys, then all values, each head by head.
    A bias (N, N), (H, N, N) or (B, H, N, N) is added to the scores q k^T / sqrt(d), or says with True who may look at
    whom; with `is_causal` nobody looks at later tokens.
    """

    def __init__(self, dim: int, heads: int, *, qkv_bias: bool = True, dropout: float = 0.0,
                 is_causal: bool = False) -> None:
        if dim % whole("Attention", "heads", heads):
            raise ValueError(f"Attention: width {dim} is not divisible by {heads} heads")
        self.heads, self.is_causal = heads, is_causal
        self.qkv, self.proj = Linear(dim, 3 * dim, bias=qkv_bias), Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor | Array | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D)"""
        return self.dropout(self.proj(self_attention(self.qkv(x), bias, heads=self.heads, is_causal=self.is_causal)))

    def weights(self, x: Tensor, bias: Tensor | Array | None = None) -> Tensor:
        """What each token looks at, for pictures: the attention probabilities.    (B, N, D) -> (B, H, N, N)"""
        B, N, D = x.shape
        with no_grad():
            q, k, _ = self.qkv(x).reshape(B, N, 3, self.heads, D // self.heads).transpose(2, 0, 3, 1, 4)  # 3 (B,H,N,d)
            return attention_weights(q, k, bias, is_causal=self.is_causal)

    def describe(self) -> str:
        """The number of heads."""
        return f"{self.heads} heads"


def by_head(x: Tensor, heads: int) -> Tensor:
    """The channels of each head apart.    (B, N, D) -> (B, H, N, D/H)"""
    B, N, D = x.shape
    return x.reshape(B, N, heads, D // heads).transpose(0, 2, 1, 3)  # (B, H, N, D/H)


def joined_heads(x: Tensor) -> Tensor:
    """And side by side again.    (B, H, N, d) -> (B, N, H d)"""
    B, H, N, d = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, N, H * d)              # (B, N, H d)
