# %% [markdown] minutes="estimated 60"
# # Exercise 03: attention
#
# Softmax, scaled dot-product attention and its gradient, then several heads, in plain NumPy. Each function fits in
# a few lines.
#
# | symbol | meaning |
# |---|---|
# | B | batch |
# | N | tokens (queries), M tokens that are looked at (keys, values) |
# | d | width of a head, H heads, D = H d |
# | dy | gradient of the loss with respect to y, same shape as y |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Softmax
#
# $y_i = e^{x_i} / \sum_j e^{x_j}$ over the last axis. `np.exp(1000)` overflows; subtracting the largest entry
# first changes nothing in the quotient and keeps every exponent at or below zero.

# %% answer="softmax" kind="retype"
def softmax(x):
    """y_i = exp(x_i) / sum_j exp(x_j) over the last axis.    (..., n) -> (..., n)"""
    # solution: exponentials of x minus its largest entry, divided by their sum
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    # end

# %% check="softmax" points=10
SEED = 3
rng = np.random.default_rng(SEED)
x = rng.normal(size=(2, 4, 4))
large = np.array([[1000.0, 1001.0, 999.0], [-1000.0, 0.0, -999.0]])
show(weights=softmax(x), large=softmax(large), row=softmax(x[0, 0]))

# %% [markdown] hint="softmax"
# `keepdims=True` keeps the summed axis with length 1, so that the quotient broadcasts.

# %% mutants="softmax"
MUTANTS = {
    "no_maximum": ("x - x.max(axis=-1, keepdims=True)", "x",
                   "exp(1000) is infinite. Subtract the largest entry of each row first."),
    "wrong_axis": ("e.sum(axis=-1, keepdims=True)", "e.sum(axis=0, keepdims=True)",
                   "The weights must add up to one along the last axis."),
    "whole_array": ("e.sum(axis=-1, keepdims=True)", "e.sum()",
                    "You divide by the sum of the whole array. Each row has its own."),
    "one_maximum": ("x.max(axis=-1, keepdims=True)", "x.max()",
                    "One maximum for all rows: a row far below it underflows to 0 / 0. Each row needs its own."),
}

# %% [markdown]
# ## 2. Softmax, backward
#
# With $\partial y_i / \partial x_j = y_i (\delta_{ij} - y_j)$ the gradient is $dx_i = y_i (dy_i - \sum_j dy_j\,
# y_j)$. The function gets y, the result of the forward pass, not x.

# %% answer="softmax_backward" kind="retype" formula=true
def softmax_backward(dy, y):
    """dx_i = y_i (dy_i - sum_j dy_j y_j).    (..., n), (..., n) -> (..., n)"""
    # solution: y times (dy minus the sum of dy * y over the last axis)
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    # end

# %% check="softmax_backward" points=15
SEED = 3
rng = np.random.default_rng(SEED)
dy, y = rng.normal(size=(2, 5, 5)), rng.dirichlet(np.ones(5), size=(2, 5))
many = softmax_backward(rng.normal(size=(4000, 25)).astype(np.float32), softmax(rng.normal(size=(4000, 25))))
show(dx=softmax_backward(dy, y), certain=softmax_backward(dy[0], np.eye(5)), many=np.asarray(many)[::800, ::5])

# %% [markdown] hint="softmax_backward"
# The sum belongs to one row: axis -1, and keep the axis.

# %% mutants="softmax_backward"
MUTANTS = {
    "diagonal_only": ("(dy - (dy * y).sum(axis=-1, keepdims=True))", "(1 - y) * dy",
                      "y (1 - y) dy is the sigmoid's gradient. Here every output depends on every input of its row."),
    "sum_of_dy": ("(dy * y).sum", "dy.sum", "The sum runs over dy times y."),
    "wrong_axis": ("axis=-1", "axis=-2", "The sum runs along the axis that softmax normalised: the last."),
    "no_y": ("y * (dy - (dy * y)", "(dy - (dy * y)", "The factor y in front is missing."),
}

# %% [markdown]
# ## 3. Scaled dot-product attention
#
# $\mathrm{softmax}(Q K^\top / \sqrt{d})\, V$: each query compares itself with every key and takes the mean of the
# values with these weights (Vaswani et al. 2017, eq. 1). Return the weights as well: the next answer needs them.

# %% answer="attention" kind="retype"
def attention(q, k, v):
    """softmax(q k^T / sqrt(d)) v and the weights.    (B, N, d), (B, M, d), (B, M, e) -> (B, N, e), (B, N, M)"""
    # solution: weights = softmax of q times k transposed over sqrt(d); then weights times v
    weights = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights
    # end

# %% check="attention" points=15
SEED = 3
rng = np.random.default_rng(SEED)
q, k, v = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 6, 5))
y, weights = attention(q, k, v)
show(y=y, weights=weights)

# %% [markdown] hint="attention"
# Only the last two axes are transposed: `k.swapaxes(-1, -2)`. d is the width of a query, `q.shape[-1]`.

# %% mutants="attention"
MUTANTS = {
    "no_scale": (" / np.sqrt(q.shape[-1])", "",
                 "The division by sqrt(d) is missing: for wide heads one weight takes all."),
    "scale_by_d": ("np.sqrt(q.shape[-1])", "q.shape[-1]", "The scores are divided by the square root of d, not by d."),
    "scale_by_tokens": ("q.shape[-1]", "k.shape[-2]", "d is the width of a query, not the number of keys."),
    "keys_normalised": ("softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))",
                        "softmax(k @ q.swapaxes(-1, -2) / np.sqrt(q.shape[-1])).swapaxes(-1, -2)",
                        "The weights of each query must add up to one: softmax runs over the keys."),
}

# %% [markdown]
# ## 4. Attention, backward
#
# From the last step to the first: $dV = A^\top dY$, $dA = dY\, V^\top$, $dS$ by the softmax' backward pass, and with
# $S = Q K^\top / \sqrt{d}$: $dQ = dS\, K / \sqrt{d}$, $dK = dS^\top Q / \sqrt{d}$.

# %% answer="attention_backward" kind="retype" formula=true
def attention_backward(dy, q, k, v, weights):
    """dq, dk, dv of y, weights = attention(q, k, v).    (B, N, e) and these four -> shapes of q, k, v"""
    # solution: dv and the weights' gradient from the last product, then the softmax, then dq and dk with the scale
    dv = weights.swapaxes(-1, -2) @ dy
    scores = softmax_backward(dy @ v.swapaxes(-1, -2), weights) / np.sqrt(q.shape[-1])
    return scores @ k, scores.swapaxes(-1, -2) @ q, dv
    # end

# %% check="attention_backward" points=25
SEED = 3
rng = np.random.default_rng(SEED)
q, k, v = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 6, 5))
dq, dk, dv = attention_backward(rng.normal(size=(2, 4, 5)), q, k, v, attention(q, k, v)[1])
dy, q, k, v = rng.normal(size=(4, 200, 16, 8)).astype(np.float32)
many = attention_backward(dy, q, k, v, attention(q, k, v)[1])
show(dq=dq, dk=dk, dv=dv, many=[np.asarray(d)[::50, ::8, ::4] for d in many])

# %% [markdown] hint="attention_backward"
# For Y = A V: dV = A^T dY and dA = dY V^T. The shapes leave no other choice; write them beside each line.

# %% [markdown] hint="attention_backward"
# The scale 1 / sqrt(d) comes once into dq and once into dk.

# %% mutants="attention_backward"
MUTANTS = {
    "no_scale": (" / np.sqrt(q.shape[-1])", "", "dq and dk lack the factor 1 / sqrt(d) of the forward pass."),
    "no_softmax": ("softmax_backward(dy @ v.swapaxes(-1, -2), weights)", "(dy @ v.swapaxes(-1, -2))",
                   "The gradient must pass through the softmax on its way from the weights to the scores."),
    "exchanged": ("return scores @ k, scores.swapaxes(-1, -2) @ q, dv",
                  "return scores.swapaxes(-1, -2) @ q, scores @ k, dv",
                  "dq and dk are exchanged: dq has the shape of q."),
    "sign": ("return scores @ k,", "return -scores @ k,", "The sign of dq is the other way round."),
}

# %% [markdown]
# ## 5. Heads apart, and together again
#
# Head h owns the columns $h d \ldots (h + 1) d - 1$. A reshape to (B, N, H, d), then a transpose to (B, H, N, d);
# a direct reshape to (B, H, N, d) has the right shape and mixes tokens.

# %% answer="split_heads" kind="retype"
def split_heads(x, heads):
    """y[b, h, n] = x[b, n, h d : (h + 1) d].    (B, N, D) -> (B, H, N, d)"""
    # solution: reshape to (B, N, H, d), then exchange the axes of tokens and heads
    B, N, D = x.shape
    return x.reshape(B, N, heads, D // heads).transpose(0, 2, 1, 3)  # (B, H, N, d)
    # end

# %% check="split_heads" points=10
SEED = 3
rng = np.random.default_rng(SEED)
show(heads=split_heads(rng.normal(size=(2, 5, 6)), 3), one_head=split_heads(rng.normal(size=(1, 2, 3)), 1))

# %% [markdown] hint="split_heads"
# Try it on `np.arange(12).reshape(1, 3, 4)` with two heads: head 0 must hold 0 1, 4 5, 8 9.

# %% mutants="split_heads"
MUTANTS = {
    "reshape_only": ("x.reshape(B, N, heads, D // heads).transpose(0, 2, 1, 3)", "x.reshape(B, heads, N, D // heads)",
                     "A reshape alone mixes tokens: split the last axis first, then exchange axes."),
    "interleaved": ("x.reshape(B, N, heads, D // heads).transpose(0, 2, 1, 3)",
                    "x.reshape(B, N, D // heads, heads).transpose(0, 3, 1, 2)",
                    "Head h takes neighbouring columns, not every H-th column."),
    "not_exchanged": (".transpose(0, 2, 1, 3)", "", "The axes are (B, N, H, d): heads come before tokens."),
}

# %% [markdown]
# ## 6. Multi-head attention
#
# One product with a matrix of shape (D, 3 D) gives queries, keys and values side by side, in this order; each
# head attends by itself; the heads are put side by side again, and one more product mixes them. `split_heads` and
# `attention` from above do most of it: `attention` works for any number of leading axes.

# %% answer="multi_head" kind="retype"
def multi_head(x, qkv_weight, out_weight, heads):
    """Heads side by side, times out_weight.    (B, N, D), (D, 3 D), (D, D) -> (B, N, D)"""
    # solution: x times qkv_weight in three parts, heads apart, attention, heads together, times out_weight
    q, k, v = (split_heads(part, heads) for part in np.split(x @ qkv_weight, 3, axis=-1))
    y, _ = attention(q, k, v)  # (B, H, N, d)
    return y.transpose(0, 2, 1, 3).reshape(x.shape) @ out_weight
    # end

# %% check="multi_head" points=25
SEED = 3
rng = np.random.default_rng(SEED)
x, qkv_weight, out_weight = rng.normal(size=(2, 5, 6)), rng.normal(size=(6, 18)) / 2, rng.normal(size=(6, 6))
show(y=multi_head(x, qkv_weight, out_weight, 3), two_heads=multi_head(x, qkv_weight, out_weight, 2))

# %% [markdown] hint="multi_head"
# `np.split(x @ qkv_weight, 3, axis=-1)` gives the three parts, each (B, N, D).

# %% [markdown] hint="multi_head"
# The way back is the way there, reversed: (B, H, N, d) to (B, N, H, d) by a transpose, then a reshape to (B, N, D).

# %% mutants="multi_head"
MUTANTS = {
    "not_transposed": ("y.transpose(0, 2, 1, 3).reshape(x.shape)", "y.reshape(x.shape)",
                       "On the way back the axes of heads and tokens must be exchanged before the reshape."),
    "one_head": ("split_heads(part, heads)", "split_heads(part, 1)",
                 "This is one wide head. Split into `heads` heads."),
    "no_output": (" @ out_weight", "", "The last product, with out_weight, is missing."),
    "keys_first": ("q, k, v =", "k, q, v =", "Queries come first, then keys, then values."),
}
