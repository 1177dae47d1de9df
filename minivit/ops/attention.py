"""Scaled dot-product attention (Vaswani et al., arXiv:1706.03762, section 3.2.1) without the N x M matrix in memory.

For the queries Q (N, d), keys K (M, d) and values V (M, e) of one head,

    S = scale Q K^T + bias,    P_ij = exp(S_ij - L_i) with L_i = log sum_j exp(S_ij),    O = P V,

    dV = P^T dO,    dS_ij = P_ij (dO_i . V_j - dO_i . O_i),    dQ = scale dS K,    dK = scale dS^T Q,    dbias = dS.

The scores are computed in blocks that fit into the cache: many heads of short sequences, or some queries of a long one.
For short sequences P is kept for the backward pass; for long ones only L is, and P is computed once more, so that
memory grows with N + M instead of N M (FlashAttention: Dao et al., arXiv:2205.14135, section 3.1 and appendix B).
"""

import numpy as np

from ..backend import array_module, device_of, random_generator
from ..engine import Tensor, primitive
from ..fast_forms import has_fast_form
from .arithmetic import astype, where
from .checks import check_array, check_floating, check_rate, of_floats, whole
from .dropout import check_generator, keep_mask
from .linalg import matmul
from .products import multiply, transposed
from .softmax import softmax

SCORES_CPU, SCORES_GPU = 1 << 17, 1 << 26  # in a block
QUERIES = 128  # in a block, at least: with fewer, the products are slow


@primitive
@of_floats("q", "k", "v")
def attention(q, k, v, bias=None, *, scale=None, is_causal=False, dropout=0.0, rng=None):
    """softmax(scale q k^T + bias) v.    (B, H, N, d), (B, H, M, d), (B, H, M, e) -> (B, H, N, e)

    Parameters
    ----------
    q, k, v : queries (B, H, N, d), keys (B, H, M, d) and values (B, H, M, e) of H heads
    bias : broadcastable to (B, H, N, M)
        Numbers that are added to the scores, or bool: True where a query may attend to a key. A query that may attend
        to no key gets zeros.
    scale : float
        1 / sqrt(d) if it is None.
    is_causal : bool
        Whether query i may attend to the keys 0 to i only, of those that the bias allows.
    dropout : float
        The rate at which probabilities are set to 0; `rng` is the generator that chooses which.
    """
    xp = array_module(q)
    core = _Attention("attention", q, k, v, bias, scale, is_causal, dropout, rng)
    out = xp.empty((*q.shape[:-1], v.shape[-1]), dtype=q.dtype)
    core.forward(out)

    def backward(dout):
        dq, dk, dv = (xp.empty(x.shape, dtype=x.dtype) for x in (q, k, v))
        return dq, dk, dv, core.backward(out, dout, dq, dk, dv)
    return out, backward


@primitive
@of_floats("qkv")
def self_attention(qkv, bias=None, *, heads, scale=None, is_causal=False, dropout=0.0, rng=None):
    """The attention of tokens to each other.    (B, N, 3 H d) -> (B, N, H d)

    The last axis of qkv holds the queries of all heads, then their keys, then their values: one linear layer makes
    them. The bias and the settings are those of `attention`.
    """
    if qkv.ndim != 3:
        raise ValueError(f"self_attention: expected qkv (B, N, 3 H d), got {qkv.shape}")
    xp, (B, N, width) = array_module(qkv), qkv.shape
    if width % (3 * whole("self_attention", "heads", heads)):
        raise ValueError(f"self_attention: qkv {qkv.shape}: {width} is not divisible by 3 x {heads} heads")

    def heads_first(x, n):
        return x.reshape(B, N, n, heads, width // (3 * heads)).transpose(2, 0, 3, 1, 4)  # (n, B, H, N, d)
    core = _Attention("self_attention", *heads_first(qkv, 3), bias, scale, is_causal, dropout, rng)
    out = xp.empty((B, N, width // 3), dtype=qkv.dtype)
    core.forward(*heads_first(out, 1))

    def backward(dout):
        dqkv = xp.empty(qkv.shape, dtype=qkv.dtype)
        return dqkv, core.backward(*heads_first(out, 1), *heads_first(dout, 1), *heads_first(dqkv, 3))
    return out, backward


def attention_weights(q, k, bias=None, *, scale=None, is_causal=False):
    """The probabilities softmax(scale q k^T + bias), for pictures.    (B, H, N, d), (B, H, M, d) -> (B, H, N, M)

    The bias and the settings are those of `attention`.
    """
    for what, x in (("q", q), ("k", k)):
        check_floating("attention_weights", what, x.data if isinstance(x, Tensor) else x)
    if q.dtype == k.dtype == np.float16:  # scores may be larger than what float16 can hold
        q, k = astype(q, np.float32), astype(k, np.float32)
        bias = bias if bias is None or bias.dtype.kind == "b" else astype(bias, np.float32)
        return astype(attention_weights(q, k, bias, scale=scale, is_causal=is_causal), np.float16)
    scores = matmul(q, k.swapaxes(-1, -2)) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if bias is not None:
        scores = where(bias, scores, -np.inf) if bias.dtype.kind == "b" else scores + bias
    if is_causal:
        scores = where(_is_past(array_module(scores.data), *scores.shape[-2:]), scores, -np.inf)
    return softmax(scores)


class _Attention:
    """The blockwise computation behind both operations, on (B, H, N, d) views of whatever layout."""

    def __init__(self, name, q, k, v, bias, scale, is_causal, dropout, rng):
        if not q.ndim == k.ndim == v.ndim == 4:
            raise ValueError(f"{name}: expected queries, keys and values (B, H, N, d), got {q.shape}, {k.shape} and "
                             f"{v.shape}")
        xp, (B, H, N, d), M = array_module(q), q.shape, k.shape[-2]
        if k.shape != (B, H, M, d) or v.shape[:-1] != (B, H, M):
            raise ValueError(f"{name}: queries {q.shape} need keys (B, H, M, d) and values (B, H, M, e) with the same "
                             f"B, H, M and d; got {k.shape} and {v.shape}")
        self.q, self.k, self.v, self.scale = q, k, v, max(d, 1) ** -0.5 if scale is None else float(scale)
        self.is_causal = is_causal
        self.xp, self.bias, self.is_learned = xp, None, False
        if bias is not None:
            check_array(name, "bias", bias)
            if bias.ndim > 4 or any(n not in (1, m) for n, m in zip(bias.shape[::-1], (M, N, H, B), strict=False)):
                raise ValueError(f"{name}: a bias of shape {bias.shape} does not fit scores {(B, H, N, M)}")
            if bias.dtype.kind not in "bf":
                raise TypeError(f"{name}: expected a bias of floating-point numbers or of bool, got {bias.dtype}")
            self.is_learned = bias.dtype.kind == "f"
            self.bias = (bias if self.is_learned else _as_numbers(bias, q.dtype)).reshape(
                (1,) * (4 - bias.ndim) + bias.shape)  # (B or 1, H or 1, N or 1, M or 1)
        check_rate(name, "dropout", dropout)
        self.dropout = dropout
        if dropout:
            check_generator(name, rng, q)
            self.seed = int(rng.integers(1 << 62))  # the backward pass draws the same noise again
        rows = max(QUERIES, (SCORES_CPU if xp is np else SCORES_GPU) // max(M, 1))
        self.blocks = list(_blocks(B, H, N, rows)) if B * H * N * M else []
        is_short = (N + 2 * M) * d >= N * M  # then P is no larger than q, k and v
        self.kept = xp.empty((B, H, N, M), dtype=q.dtype) if is_short else None
        self.log_sum = xp.empty((B, H, N, 1), dtype=q.dtype)

    def forward(self, out):
        """Write O into `out`."""
        if not self.blocks:
            out[...] = 0  # no queries, or no keys to attend to
        for block in self.blocks:
            p = self.probabilities(block)
            if self.dropout:
                p = p * self.noise(block)
            multiply(p, self.v[block[:2]], out=out[block])

    def backward(self, out, dout, dq, dk, dv):
        """Write the gradients into dq, dk and dv, and return that of the bias."""
        dbias = self.xp.zeros_like(self.bias) if self.is_learned else None
        if not self.blocks:
            dq[...], dk[...], dv[...] = 0, 0, 0
        for block in self.blocks:
            heads = block[:2]
            p = dropped = self.probabilities_again(block)
            ds = multiply(dout[block], transposed(self.v[heads], p.shape[-2]))
            if self.dropout:
                noise = self.noise(block)
                ds *= noise
                dropped = p * noise
            _scores_gradient(ds, p, dout[block], out[block])
            if self.is_learned:
                _add_sum(dbias, block, ds)
            multiply(ds, self.k[heads], out=dq[block])
            dq[block] *= self.scale
            for target, left, right in ((dv[heads], dropped, dout[block]), (dk[heads], ds, self.scaled_q(block))):
                if block[2].start == 0:
                    multiply(left.swapaxes(-1, -2), right, out=target)
                else:
                    target += multiply(left.swapaxes(-1, -2), right)
        return dbias

    def scaled_q(self, block):
        """scale Q of one block: less work than to scale S, and dS."""
        return self.q[block] * self.scale

    def scores(self, block):
        """S of one block, in the memory where P is kept."""
        q, out = self.scaled_q(block), None if self.kept is None else self.kept[block]
        s = multiply(q, transposed(self.k[block[:2]], q.shape[-2]), out=out)
        if self.bias is not None:
            s += self.bias[_within(self.bias, block)]
        if self.is_causal:
            s += _as_numbers(_is_past(self.xp, *s.shape[-2:], block[2].start), s.dtype)  # (n, M)
        return s

    def probabilities(self, block):
        """P of one block, whose L is written down.

        P = exp(S - m) / sum exp(S - m) for any m. On the CPU m is 0 where no row's sum comes near to overflow or to 0:
        that saves two walks through the scores. Otherwise each row has its maximum for m.
        """
        s = self.scores(block)
        if self.xp is np:
            with np.errstate(over="ignore"):
                total = _exponentiate(s)
            if total.min() > 1e-20 and total.max() < 1e20:
                s *= 1 / total
                self.log_sum[block] = np.log(total)
                return s
            s = self.scores(block)
        self.log_sum[block] = _scores_to_probabilities(s)
        return s

    def probabilities_again(self, block):
        """P of one block, for the backward pass."""
        if self.kept is not None:
            return self.kept[block]
        s = self.scores(block)
        s -= self.log_sum[block]
        return self.xp.exp(s, out=s)

    def noise(self, block):
        """0 with probability `dropout`, else 1 / (1 - dropout), always the same for the same block."""
        rng = random_generator([self.seed, *(part.start for part in block)], device_of(self.q))
        shape = (*self.q[block].shape[:-1], self.k.shape[-2])
        return keep_mask(shape, self.dropout, rng).astype(self.q.dtype) / (1 - self.dropout)


def _blocks(B, H, N, rows):
    """Slices of samples, heads and queries with about `rows` rows of scores together."""
    n, h, b = min(N, rows), max(1, min(H, rows // N)), max(1, rows // (N * H))
    for i in range(0, B, b):
        for j in range(0, H, h):
            for start in range(0, N, n):
                yield slice(i, i + b), slice(j, j + h), slice(start, start + n)


@has_fast_form
def _scores_to_probabilities(s):
    """Turn S into P in place; return L.    (B, H, N, M) -> (B, H, N, 1)"""
    m = _row_maxima(s)
    s -= m
    total = _exponentiate(s)
    total += total == 0  # where there is no key to attend to
    s *= 1 / total
    return m + array_module(s).log(total)


@has_fast_form
def _scores_gradient(ds, p, dout, out):
    """Turn dP into dS in place.    (B, H, N, M), (B, H, N, M), (B, H, N, e), (B, H, N, e)"""
    ds -= array_module(ds).einsum("bhne,bhne->bhn", dout, out)[..., None]
    ds *= p


def _exponentiate(s):
    """Turn S into exp(S) in place; return the sums of the rows.    (B, H, N, M) -> (B, H, N, 1)"""
    xp, M = array_module(s), s.shape[-1]
    xp.exp(s, out=s)
    return (s.reshape(-1, M) @ xp.ones(M, dtype=s.dtype)).reshape(*s.shape[:-1], 1)  # (B H N,) -> (B, H, N, 1)


def _row_maxima(s):
    """(B, H, N, M) -> (B, H, N, 1); 0 for a row of -inf, as -inf - -inf would be NaN (and NaN for a row with NaN)"""
    xp = array_module(s)
    m = s.max(-1, keepdims=True)
    return xp.where(m == -np.inf, 0, m)


def _as_numbers(mask, dtype):
    """What to add to the scores: 0 where the mask is True, -inf elsewhere."""
    xp = array_module(mask)
    return xp.where(mask, xp.zeros((), dtype), xp.full((), -np.inf, dtype))


def _is_past(xp, queries, keys, first=0):
    """Whether a query, the first of which is number `first`, comes after a key, or with it.    -> (queries, keys)"""
    return xp.arange(keys) <= xp.arange(first, first + queries)[:, None]


def _within(bias, block):
    """The index of a block of scores in a bias some of whose axes are 1."""
    return tuple(slice(None) if n == 1 else part for n, part in zip(bias.shape, block, strict=False))


def _add_sum(dbias, block, ds):
    """Add the gradient of a block of scores to that of the bias, summed over the axes along which it is repeated."""
    repeated = tuple(axis for axis, n in enumerate(dbias.shape) if n == 1)
    dbias[_within(dbias, block)] += ds.sum(repeated, keepdims=True)
