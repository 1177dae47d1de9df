"""Attention of one sequence to another (Vaswani et al., 2017, arXiv:1706.03762, section 3.2.3)."""

from ..engine import no_grad
from ..ops import attention, attention_weights
from ..ops.checks import whole
from .dropout import Dropout
from .linear import Linear
from .module import Module


class CrossAttention(Module):
    """Queries from x, keys and values from a context, in each of H heads of width d = D / H, joined by a linear map.

    (B, N, D), (B, M, C) -> (B, N, D), with C = `context_dim`, D if it is not given. The columns of `key_value` are all
    keys, then all values, each head by head. The bias is that of `ops.attention`, for scores (B, H, N, M).
    """

    def __init__(self, dim, heads, *, context_dim=None, qkv_bias=True, dropout=0.0):
        if dim % whole("CrossAttention", "heads", heads):
            raise ValueError(f"CrossAttention: width {dim} is not divisible by {heads} heads")
        self.heads = heads
        self.query = Linear(dim, dim, bias=qkv_bias)
        self.key_value = Linear(context_dim or dim, 2 * dim, bias=qkv_bias)
        self.proj, self.dropout = Linear(dim, dim), Dropout(dropout)

    def forward(self, x, context, bias=None):
        """(B, N, D), (B, M, C) -> (B, N, D)"""
        return self.attend(x, *self.keys_values(context), bias)

    def attend(self, x, keys, values, bias=None):
        """The same with `keys_values` of the context, for many x one after the other.    (B, N, D) -> (B, N, D)"""
        out = attention(self._queries(x), keys, values, bias).transpose(0, 2, 1, 3)            # (B, N, H, d)
        return self.dropout(self.proj(out.reshape(x.shape)))

    def weights(self, x, context, bias=None):
        """What each token looks at, for pictures: the attention probabilities.    -> (B, H, N, M)"""
        with no_grad():
            return attention_weights(self._queries(x), self.keys_values(context)[0], bias)

    def keys_values(self, context):
        """What is attended to.    (B, M, C) -> two of (B, H, M, d)"""
        both, H = self.key_value(context), self.heads                                          # (B, M, 2 D)
        B, M, D2 = both.shape
        return both.reshape(B, M, 2, H, D2 // (2 * H)).transpose(2, 0, 3, 1, 4)                # 2 (B, H, M, d)

    def _queries(self, x):
        (B, N, D), H = x.shape, self.heads
        return self.query(x).reshape(B, N, H, D // H).transpose(0, 2, 1, 3)                    # (B, H, N, d)

    def describe(self):
        """The number of heads."""
        return f"{self.heads} heads"
