# %% [markdown] minutes="estimated 55"
# # Exercise 03: attention
#
# You write the lesson's attention and its backward pass, then use it where the lesson did not: for sequences of
# different lengths, and in pieces that are put together. You mend heads, and find out when one key takes it all.
#
# | symbol | meaning |
# |---|---|
# | B | batch |
# | N | tokens (queries), M tokens that are looked at (keys, values) |
# | d, e | width of a query and a key, width of a value; h heads, D = h d |
# | dy | gradient of the loss with respect to y, same shape as y |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Softmax
#
# Over the last axis, for scores of any size.

# %% answer="softmax" kind="retype"
def softmax(s):
    """a_i = exp(s_i) / sum_j exp(s_j) over the last axis.    (..., M) -> (..., M)"""
    # solution: exponentials of s minus its largest entry, divided by their sum
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    # end

# %% check="softmax" points=10
SEED = 3
rng = np.random.default_rng(SEED)
s = rng.normal(size=(2, 4, 4))
large = np.array([[1000.0, 1001.0, 999.0], [-1000.0, 0.0, -999.0]])
show(weights=softmax(s), large=softmax(large), row=softmax(s[0, 0]))

# %% [markdown] hint="softmax"
# `keepdims=True` keeps the summed axis with length 1, so that the quotient broadcasts.

# %% [markdown] hint="softmax"
# Which number may be subtracted from all scores of a row without changing the result, and keeps exp from overflowing?

# %% mutants="softmax"
MUTANTS = {
    "no_maximum": ("s - s.max(axis=-1, keepdims=True)", "s",
                   "exp(1000) is infinite. Subtract the largest entry of each row first."),
    "wrong_axis": ("e.sum(axis=-1, keepdims=True)", "e.sum(axis=0, keepdims=True)",
                   "The weights must add up to one along the last axis."),
    "whole_array": ("e.sum(axis=-1, keepdims=True)", "e.sum()",
                    "You divide by the sum of the whole array. Each row has its own."),
    "one_maximum": ("s.max(axis=-1, keepdims=True)", "s.max()",
                    "One maximum for all rows: a row far below it underflows to 0 / 0. Each row needs its own."),
}

# %% [markdown]
# ## 2. Scaled dot-product attention
#
# Each query compares itself with every key, and takes the mean of the values with the weights that come of it. Return
# the weights as well.

# %% answer="attention" kind="retype"
def attention(q, k, v):
    """softmax(q k^T / sqrt(d)) v and the weights.    (B, N, d), (B, M, d), (B, M, e) -> (B, N, e), (B, N, M)"""
    # solution: weights = softmax of q times k transposed over sqrt(d); then weights times v
    weights = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return weights @ v, weights
    # end

# %% check="attention" points=10
SEED = 3
rng = np.random.default_rng(SEED)
q, k, v = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 6, 5))
y, weights = attention(q, k, v)
show(y=y, weights=weights)

# %% [markdown] hint="attention"
# Only the last two axes are transposed: `k.swapaxes(-1, -2)`. d is the width of a query, `q.shape[-1]`.

# %% [markdown] hint="attention"
# Write the shape behind each step: (B, N, d) with (B, M, d) must give (B, N, M).

# %% mutants="attention"
MUTANTS = {
    "no_scale": (" / np.sqrt(q.shape[-1])", "",
                 "The division by sqrt(d) is missing: for wide heads one weight takes all."),
    "scale_by_d": ("np.sqrt(q.shape[-1])", "q.shape[-1]", "The scores are divided by the square root of d, not by d."),
    "scale_by_tokens": ("q.shape[-1]", "k.shape[-2]", "d is the width of a query, not the number of keys."),
    "scale_by_value": ("q.shape[-1]", "v.shape[-1]", "d is the width of a query. A value's width e may be another."),
    "keys_normalised": ("softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))",
                        "softmax(k @ q.swapaxes(-1, -2) / np.sqrt(q.shape[-1])).swapaxes(-1, -2)",
                        "The weights of each query must add up to one: softmax runs over the keys."),
}

# %% [markdown]
# ## 3. Attention, backward
#
# From the last step to the first, in one function: the product with V, the softmax, the scores.

# %% answer="attention_backward" kind="retype" formula=true
def attention_backward(dy, q, k, v, weights):
    """dq, dk, dv of y, weights = attention(q, k, v).    (B, N, e) and these four -> shapes of q, k, v"""
    # solution: dV = A^T dY; dA = dY V^T; dS = A (dA - sum of dA A along each row), divided by sqrt(d); dQ = dS K and
    # dK = dS^T Q
    dv = weights.swapaxes(-1, -2) @ dy
    dweights = dy @ v.swapaxes(-1, -2)
    dscores = weights * (dweights - (dweights * weights).sum(axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
    return dscores @ k, dscores.swapaxes(-1, -2) @ q, dv
    # end

# %% check="attention_backward" points=20
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
    "no_softmax": ("weights * (dweights - (dweights * weights).sum(axis=-1, keepdims=True))", "dweights",
                   "The gradient must pass through the softmax on its way from the weights to the scores."),
    "diagonal_only": ("(dweights - (dweights * weights).sum(axis=-1, keepdims=True))", "(1 - weights) * dweights",
                      "a (1 - a) is the sigmoid's derivative. Here every weight depends on every score of its row."),
    "sum_of_dweights": ("(dweights * weights).sum(", "dweights.sum(", "The sum runs over dA times A."),
    "wrong_axis": ("axis=-1", "axis=-2", "The sum runs along the axis that the softmax normalised: the last."),
    "exchanged": ("return dscores @ k, dscores.swapaxes(-1, -2) @ q, dv",
                  "return dscores.swapaxes(-1, -2) @ q, dscores @ k, dv",
                  "dq and dk are exchanged: dq has the shape of q."),
    "sign": ("return dscores @ k,", "return -dscores @ k,", "The sign of dq is the other way round."),
}

# %% [markdown]
# ## 4. Sequences of different lengths
#
# Four sequences of 3, 6, 1 and 4 tokens are one batch only if the shorter ones are filled up. Nobody may look at what
# was filled in: only the first `lengths[b]` keys of sequence b exist. What queries that were filled in get does not
# matter to anybody, so treat them like all others.

# %% answer="attention_to_some" kind="transfer"
def attention_to_some(q, k, v, lengths):
    """softmax(q k^T / sqrt(d)) over the first lengths[b] keys, times v; and these weights.

    (B, N, d), (B, M, d), (B, M, e), (B,) -> (B, N, e), (B, N, M)
    """
    # solution: where np.arange(M) >= lengths[:, None], with an axis for the queries, (B, 1, M), the score is minus
    # infinity; then softmax and the product with v as always
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])  # (B, N, M)
    exists = np.arange(k.shape[1]) < lengths[:, None, None]  # (B, 1, M)
    weights = softmax(np.where(exists, scores, -np.inf))
    return weights @ v, weights
    # end

# %% check="attention_to_some" points=15
SEED = 3
rng = np.random.default_rng(SEED)
q, k, v = rng.normal(size=(4, 3, 5)), 3 * rng.normal(size=(4, 6, 5)), rng.normal(size=(4, 6, 2))
y, weights = attention_to_some(q, k, v, rng.permutation([6, 1, 3, 4]))
same, _ = attention_to_some(k, k, v, rng.permutation([2, 2, 5, 6]))
show(y=y, weights=weights, same=same)

# %% [markdown] hint="attention_to_some"
# The weights of the keys that exist must add up to one. At which step must the others drop out?

# %% [markdown] hint="attention_to_some"
# Which score has the weight 0, whatever the others are? And which shape must a mask of (B, M) get to meet (B, N, M)?

# %% mutants="attention_to_some"
MUTANTS = {
    "no_mask": ("np.where(exists, scores, -np.inf)", "scores", "All keys are looked at, also what was filled in."),
    "after_softmax": ("softmax(np.where(exists, scores, -np.inf))", "softmax(scores) * exists",
                      "Set to zero after the softmax, the weights no longer add up to one."),
    "score_zero": ("-np.inf", "0.0", "A score of 0 still has a weight: exp(0) is 1."),
    "one_too_many": ("np.arange(k.shape[1]) <", "np.arange(k.shape[1]) <=",
                     "Keys are counted from 0: the last that exists is lengths[b] - 1."),
    "queries_hidden": ("np.where(exists, scores, -np.inf)",
                       "np.where((np.arange(q.shape[1]) < lengths[:, None])[:, :, None], scores, -1e9)",
                       "Here queries are left out. It is the keys, the last axis, that nobody may look at."),
}

# %% [markdown]
# ## 5. Attention in two pieces
#
# A long sequence of keys does not fit into memory, so it is worked through in pieces. From a piece one keeps for each
# query three things: y, the answer of this piece alone (its weights add up to one within the piece); `top`, the
# largest of its scores; and `total`, the sum of $e^{\text{score} - \text{top}}$ over its keys. Put two pieces together:
# the same three things for all their keys. No scores, no keys and no values are at hand any more.

# %% answer="merge" kind="transfer"
def merge(first, second):
    """(y, top, total) of all keys from those of two pieces.    twice ((N, e), (N,), (N,)) -> (N, e), (N,), (N,)"""
    # solution: the new top is the larger one of each row; each old total times exp(old top - new top) is what the
    # piece adds to the new total; the new y is the mean of the two y with these two numbers as weights
    (y1, top1, total1), (y2, top2, total2) = first, second
    top = np.maximum(top1, top2)
    w1, w2 = total1 * np.exp(top1 - top), total2 * np.exp(top2 - top)  # (N,), (N,)
    total = w1 + w2
    return (w1[:, None] * y1 + w2[:, None] * y2) / total[:, None], top, total
    # end

# %% check="merge" points=15
SEED = 3
rng = np.random.default_rng(SEED)


def piece(scores, v):
    top = scores.max(axis=1)
    return softmax(scores) @ v, top, np.exp(scores - top[:, None]).sum(axis=1)


scores, v = rng.normal(size=(4, 7)), rng.normal(size=(7, 3))
y, top, total = merge(piece(scores[:, :2], v[:2]), piece(scores[:, 2:], v[2:]))
large_y, large_top, large_total = merge(piece(scores[:, :5] + 900, v[:5]), piece(scores[:, 5:] - 900, v[5:]))
square, _, _ = merge(piece(scores[:3, :4], v[:4]), piece(3 * scores[:3, 4:], v[4:]))
show(y=y, top=top, total=total, large_y=large_y, large_top=large_top, large_total=large_total, square=square)

# %% [markdown] hint="merge"
# If both pieces had the same `top`: what would the new `total` be, and with which weights would the two y be averaged?

# %% [markdown] hint="merge"
# What must `total` be multiplied by, if `top` in $\sum e^{\text{score} - \text{top}}$ is replaced by another number?

# %% mutants="merge"
MUTANTS = {
    "plain_mean": ("(w1[:, None] * y1 + w2[:, None] * y2) / total[:, None]", "(y1 + y2) / 2",
                   "A piece with larger scores, or more keys, counts for more."),
    "sums_only": ("total1 * np.exp(top1 - top), total2 * np.exp(top2 - top)", "total1 + 0 * top, total2 + 0 * top",
                  "The two totals were taken relative to different tops: bring them to the same one first."),
    "reversed": ("np.exp(top1 - top), total2 * np.exp(top2 - top)", "np.exp(top - top1), total2 * np.exp(top - top2)",
                 "The exponent is the old top minus the new one, never above 0."),
    "top_forgotten": ("total[:, None], top, total", "total[:, None], top1, total",
                      "The new top is the larger of the two, query by query."),
    "overflows": ("w1, w2 = total1 * np.exp(top1 - top), total2 * np.exp(top2 - top)",
                  "w1, w2 = total1 * np.exp(top1) / np.exp(top), total2 * np.exp(top2) / np.exp(top)",
                  "exp(900) is infinite: subtract first, then take the exponential."),
}

# %% [markdown]
# ## 6. Heads that do not come together
#
# This layer trains, and learns less than it should. Its shapes are right, a single head works, the weights of each
# query add up to one, and the heads are split as in the lesson.

# %% answer="multi_head" kind="debug" bug="not_transposed"
def multi_head(x, qkv_weight, out_weight, heads):
    """Heads side by side, times out_weight.    (B, N, D), (D, 3 D), (D, D) -> (B, N, D)

    x @ qkv_weight holds queries, keys and values side by side, in this order.
    """
    # solution: the heads' answers are (B, h, N, d): exchange the axes of heads and tokens before the reshape to (B,
    # N, D)
    B, N, D = x.shape
    q, k, v = (part.reshape(B, N, heads, D // heads).transpose(0, 2, 1, 3)
               for part in np.split(x @ qkv_weight, 3, axis=-1))
    y, _ = attention(q, k, v)  # (B, h, N, d)
    return y.swapaxes(1, 2).reshape(B, N, D) @ out_weight
    # end

# %% check="multi_head" points=10
SEED = 3
rng = np.random.default_rng(SEED)
x, qkv_weight, out_weight = rng.normal(size=(2, 5, 6)), rng.normal(size=(6, 18)) / 2, rng.normal(size=(6, 6))
show(y=multi_head(x, qkv_weight, out_weight, 3), two_heads=multi_head(x, qkv_weight, out_weight, 2))

# %% [markdown] hint="multi_head"
# The lesson has two tests that a wrong layer fails though its shapes are right. Use one of them: change one token, or
# exchange two.

# %% [markdown] hint="multi_head"
# Let out_weight be the identity. What must stand in the first d columns of the result of token 0, and what does?

# %% mutants="multi_head"
MUTANTS = {
    "not_transposed": (".swapaxes(1, 2).reshape(B, N, D)", ".reshape(B, N, D)",
                       "On the way back the axes of heads and tokens must be exchanged before the reshape."),
    "interleaved": (".swapaxes(1, 2).reshape(B, N, D)", ".transpose(0, 2, 3, 1).reshape(B, N, D)",
                    "Head h owns neighbouring columns, also in the result."),
    "split_changed": (".reshape(B, N, heads, D // heads).transpose(0, 2, 1, 3)", ".reshape(B, heads, N, D // heads)",
                      "The split was right. The mistake is on the way back."),
    "mixed_twice": ("@ out_weight", "@ out_weight @ out_weight", "One product with out_weight is enough."),
}

# %% [markdown]
# ## 7. When does one key take half?
#
# One key has the score g, all other M - 1 keys have the score 0. **Predict first**: how large must g be for this key
# to get half of the weight, for M = 16 keys and for M = 196? Does it grow like M, like its root, or more slowly? Then
# measure. Last: without the division, scores spread like $\sqrt d$ (section 6 of the lesson). From which width d on
# is $\sqrt d$ at least the gap for 196 keys? (If you measure by trying many g, write the weight with `np.exp`: where
# answers are checked, thousands of calls of an earlier answer, here `softmax`, take too long.)

# %% answer="half_the_weight" kind="measure"
def half_the_weight():
    """{"gap_16": g for 16 keys, "gap_196": g for 196 keys, "width": the smallest whole d}

    Gaps to one decimal.
    """
    # solution: e^g / (e^g + M - 1) is one half where e^g = M - 1: g = ln(M - 1); or try g = 0, 0.001, 0.002 and so
    # on. The width is the smallest d that is at least the square of the gap for 196 keys, before rounding
    def gap(keys):
        return np.log(keys - 1)

    width = int(np.ceil(gap(196) ** 2))
    return {"gap_16": round(float(gap(16)), 1), "gap_196": round(float(gap(196)), 1), "width": width}
    # end

# %% check="half_the_weight" points=10 step=0.1
show(**half_the_weight())

# %% [markdown] reasons="half_the_weight"
# your prediction and your measurement; the formula for the gap; what it says about long sequences, and about wide heads
# without the division.

# %% [markdown] hint="half_the_weight"
# Half of the weight: the key's exponential is as large as all others together.

# %% [markdown] hint="half_the_weight"
# The key's weight is $e^g / (e^g + M - 1)$. Measure it for g = 0, 0.001, 0.002 and so on, until it is one half. Use the
# gap unrounded for the width.

# %% mutants="half_the_weight"
MUTANTS = {
    "all_keys": ("np.log(keys - 1)", "np.log(keys)",
                 "The key itself does not compete with itself: M - 1 others have the exponential 1."),
    "base_two": ("np.log(keys - 1)", "np.log2(keys - 1)", "The softmax has exponentials with the base e."),
    "root_of_gap": ("gap(196) ** 2", "gap(196)", "Scores spread like the root of d: d is the square of the gap."),
    "rounded_first": ("np.ceil(gap(196) ** 2)", "np.ceil(5.3 ** 2)", "Use the gap before you round it."),
}

# %% [markdown]
# ## 8. Who looks at whom?
#
# Four layers on twelve tokens, trained or built for different things: one reverses a sequence, one lets each token
# keep its own value, one averages all tokens, and one has several heads that were split by a reshape alone. The
# figure, drawn and not measured, shows how much the result of a token (row) moves with each token (column).

# %%
places = np.arange(12)
influence = {"A": np.full((12, 12), 0.3), "B": (places[:, None] // 4 == places // 4) * 0.6,
             "C": (places[:, None] + places == 11) * 0.9, "D": (places[:, None] == places) * 0.9}

# %% figure="four maps of 12 x 12: A even, B three blocks, C the anti-diagonal, D the diagonal"
import matplotlib.pyplot as plt

from minivit import viz

viz.style()
figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), sharey=True)
for panel, (name, moved) in zip(axes, influence.items(), strict=True):
    panel.imshow(moved, cmap="viridis", vmin=0, vmax=1)
    panel.set(title=f"layer {name}", xlabel="token that is changed", xticks=range(0, 12, 2), yticks=range(0, 12, 2))
axes[0].set_ylabel("result that moves")
plt.show()

# %% answer="read_influence" kind="read"
def read_influence():
    """{"reverses": ..., "own_value": ..., "averages": ..., "wrong_heads": ..., "heads": ...}

    The first four: "A", "B", "C" or "D". heads: how many heads the layer with the wrong split has.
    """
    # solution: reversing is the anti-diagonal, keeping is the diagonal, averaging is even. A split by reshape makes h
    # separate layers, each for N / h tokens: blocks, as many as there are heads
    reverses, own_value, averages, wrong_heads = "C", "D", "A", "B"
    heads = int(12 / (influence[wrong_heads][0] > 0).sum())
    return {"reverses": reverses, "own_value": own_value, "averages": averages, "wrong_heads": wrong_heads,
            "heads": heads}
    # end

# %% check="read_influence" points=10
show(**read_influence())

# %% [markdown] hint="read_influence"
# Take the first row of each map: which tokens does the first result depend on?

# %% [markdown] hint="read_influence"
# The lesson's `influence` for the wrong split has two blocks. How many heads did that layer have?

# %% mutants="read_influence"
MUTANTS = {
    "diagonals_exchanged": ('"C", "D", "A", "B"', '"D", "C", "A", "B"',
                            "Row 0 stands on top. Reversing: the first result needs the last token."),
    "tokens_for_heads": ("12 / (influence[wrong_heads][0] > 0).sum()", "(influence[wrong_heads][0] > 0).sum()",
                         "That is the number of tokens of a block, N / h."),
    "blocks_average": ('"C", "D", "A", "B"', '"C", "D", "B", "A"',
                       "A mean of all tokens depends on all of them, without blocks."),
}
