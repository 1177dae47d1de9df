# %% [markdown] minutes="estimated 62"
# # Exercise 08: looking inside
#
# What reaches a token through all layers, how far heads look, maps for models that the lesson does not have, a rollout
# with a mistake in it, and a plot to read. All in plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, N | pictures, tokens of a picture |
# | h, L | heads, layers |
# | A | attention weights after the softmax: row i is what token i looks at |
# | R | rollout (N, N): row i is what token i is made of |
# | G | distances between the tokens of a grid (N, N) |

# %%
import numpy as np

from minivit.grading.show import show


def softmax(s):
    """Positive, and along the last axis they add up to one."""
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)

# %% [markdown]
# ## 1. Rollout
#
# Mean over the heads, half residual path and half attention, layer after layer. The first layer comes first in the
# list.

# %% answer="rollout" kind="retype"
def rollout(maps):
    """What each token is made of.    L times (B, h, N, N) -> (B, N, N)"""
    # solution: start with R = I; for each layer, A is the mean over axis 1, and R becomes (I + A) / 2 @ R: the later
    # layer stands on the left
    identity = np.eye(maps[0].shape[-1])
    R = identity
    for A in maps:
        R = (identity + A.mean(axis=1)) / 2 @ R
    return R
    # end

# %% check="rollout" points=10
SEED = 8
rng = np.random.default_rng(SEED)
maps = [softmax(rng.normal(size=(2, 3, 4, 4))) for _ in range(3)]
show(R=rollout(maps), one=rollout(maps[:1]))

# %% [markdown] hint="rollout"
# Two tokens, two layers: everyone looks at token 0, then everyone at token 1. Token 0 ends as 0.75, 0.25. What does
# your function give?

# %% [markdown] hint="rollout"
# A layer mixes what the layers below it have made: which of the two matrices stands on the left of the product?

# %% mutants="rollout"
MUTANTS = {
    "reversed": ("(identity + A.mean(axis=1)) / 2 @ R", "R @ ((identity + A.mean(axis=1)) / 2)",
                 "The later layer mixes what the earlier ones made: it stands on the left of the product."),
    "no_residual": ("(identity + A.mean(axis=1)) / 2 @ R", "A.mean(axis=1) @ R",
                    "Half of each token comes along the residual path: add the identity."),
    "not_halved": ("(identity + A.mean(axis=1)) / 2 @ R", "(identity + A.mean(axis=1)) @ R",
                   "Rows of I + A sum to 2: halve them, so that shares add up to one."),
    "over_tokens": ("A.mean(axis=1)) / 2 @ R", "A.mean(axis=(1, 2))[:, None]) / 2 @ R",
                    "The mean is over the heads alone: each token keeps its own row."),
    "max": ("A.mean(axis=1)", "A.max(axis=1)", "Here heads are averaged; the maximum needs another division."),
}

# %% [markdown]
# ## 2. How far does a head look?
#
# Each query's mean distance under its own weights, in tokens on the grid, then the mean over queries. Tokens are in
# reading order, and distances Euclidean.

# %% answer="mean_distance" kind="retype"
def mean_distance(A, rows, columns):
    """Mean attention distance.    (..., N, N), with N = rows * columns -> (...)"""
    # solution: row and column of each token by `np.divmod(np.arange(N), columns)`; G from the differences of all pairs;
    # (A * G) summed over keys, averaged over queries
    row, column = np.divmod(np.arange(rows * columns), columns)
    G = np.hypot(row[:, None] - row, column[:, None] - column)  # (N, N)
    return (A * G).sum(axis=-1).mean(axis=-1)
    # end

# %% check="mean_distance" points=10
SEED = 8
rng = np.random.default_rng(SEED)
show(heads=mean_distance(softmax(rng.normal(size=(3, 10, 10))), 2, 5),
     equal=mean_distance(np.full((64, 64), 1 / 64), 8, 8))

# %% [markdown] hint="mean_distance"
# Three tokens in a row: one looks at itself, one at all equally, one at the first. Their distances are 0, 2/3 and 2.

# %% [markdown] hint="mean_distance"
# Token i stands in row i // columns and column i % columns. You need the distance of every pair, (N, N), once.

# %% mutants="mean_distance"
MUTANTS = {
    "manhattan": ("np.hypot(row[:, None] - row, column[:, None] - column)",
                  "(abs(row[:, None] - row) + abs(column[:, None] - column))",
                  "Distances are Euclidean: the root of the sum of squares."),
    "by_rows": ("np.divmod(np.arange(rows * columns), columns)", "np.divmod(np.arange(rows * columns), rows)",
                "A row of the grid has `columns` tokens: divide by that."),
    "keys_averaged": (".sum(axis=-1).mean(axis=-1)", ".mean(axis=-1).mean(axis=-1)",
                      "Weights of one query add up to one: sum over the keys, average over the queries."),
    "queries_summed": (".sum(axis=-1).mean(axis=-1)", ".sum(axis=-1).sum(axis=-1)",
                       "It is the mean over queries, not their sum."),
    "squared": ("np.hypot(row[:, None] - row, column[:, None] - column)",
                "((row[:, None] - row) ** 2 + (column[:, None] - column) ** 2)", "The root is missing."),
}

# %% [markdown]
# ## 3. Tokens in front of the patches
#
# This model has several tokens in front: a class token, a distillation token, registers. Its head reads the mean of
# the *patch* tokens. Make one map for each picture: which share does each patch have in what the head reads? Leave the
# tokens in front out, as queries and as keys, and let the shares of the patches add up to one.

# %% answer="patch_map" kind="transfer"
def patch_map(R, prefix, rows, columns):
    """What the mean of the patch tokens is made of, on the grid of the patches.

    (B, prefix + N, prefix + N), with N = rows * columns -> (B, rows, columns), each map with the sum 1
    """
    # solution: `R[:, prefix:, prefix:]` are patches as queries and as keys; the mean over queries is over axis 1;
    # divide by the sum over the patches, keepdims; reshape to (B, rows, columns)
    made = R[:, prefix:, prefix:].mean(axis=1)  # (B, N)
    made = made / made.sum(axis=-1, keepdims=True)
    return made.reshape(-1, rows, columns)  # (B, N) -> (B, rows, columns)
    # end

# %% check="patch_map" points=15
SEED = 8
rng = np.random.default_rng(SEED)
show(maps=patch_map(softmax(rng.normal(size=(2, 9, 9))), 3, 2, 3),
     none=patch_map(softmax(rng.normal(size=(3, 6, 6))), 0, 3, 2))

# %% [markdown] hint="patch_map"
# Which rows of R does the head read, and which columns have a place on the grid?

# %% [markdown] hint="patch_map"
# The mean runs over the queries. If your map is the same in every place, you have averaged over the keys.

# %% mutants="patch_map"
MUTANTS = {
    "class_token": ("R[:, prefix:, prefix:].mean(axis=1)", "R[:, 0, prefix:]",
                    "That is what the first token is made of; this head reads the mean of the patches."),
    "all_queries": ("R[:, prefix:, prefix:].mean(axis=1)", "R[:, :, prefix:].mean(axis=1)",
                    "The head does not read the tokens in front: they are no queries here."),
    "over_keys": ("R[:, prefix:, prefix:].mean(axis=1)", "R[:, prefix:, prefix:].mean(axis=2)",
                  "Average over queries: the keys are the places of the map."),
    "not_divided": ("made = made / made.sum(axis=-1, keepdims=True)", "made = made * 1.0",
                    "The tokens in front hold a share as well; divide, so that the patches' shares add up to one."),
    "grid_turned": ("made.reshape(-1, rows, columns)", "made.reshape(-1, columns, rows).swapaxes(1, 2)",
                    "Tokens are in reading order: along a row first."),
}

# %% [markdown]
# ## 4. A map that knows the class
#
# Rollout shows the same map for every class. Chefer, Gur and Wolf (2021, arXiv:2103.15679) multiply each attention
# weight with the gradient of one class's logit with respect to it, keep what is positive, average over the heads, and
# let R grow by what the layer adds:
#
# $$\bar A = \mathrm{mean}_h\big(\max(0,\ dA \odot A)\big), \qquad R \leftarrow R + \bar A R, \qquad
# R = I \text{ at first.}$$

# %% answer="relevance" kind="transfer"
def relevance(maps, gradients):
    """R after all layers.    L times (h, N, N), L times (h, N, N) -> (N, N)"""
    # solution: R = I; for each layer's A and dA: `np.maximum(dA * A, 0).mean(axis=0)`, and R = R + that @ R
    R = np.eye(maps[0].shape[-1])
    for A, dA in zip(maps, gradients, strict=True):
        weighted = np.maximum(dA * A, 0).mean(axis=0)  # (N, N)
        R = R + weighted @ R
    return R
    # end

# %% check="relevance" points=15
SEED = 8
rng = np.random.default_rng(SEED)
maps, gradients = ([make(rng.normal(size=(3, 5, 5))) for _ in range(2)] for make in (softmax, np.array))
show(R=relevance(maps, gradients), one=relevance(maps[1:], gradients[1:]))

# %% [markdown] hint="relevance"
# The order of three things matters: product, positive part, mean over the heads. Which comes when in the formula?

# %% [markdown] hint="relevance"
# Nothing is divided here: R grows. With gradients of zero it stays the identity; try that.

# %% mutants="relevance"
MUTANTS = {
    "negative_too": ("np.maximum(dA * A, 0).mean(axis=0)", "(dA * A).mean(axis=0)", "Only what is positive counts."),
    "mean_first": ("np.maximum(dA * A, 0).mean(axis=0)", "np.maximum((dA * A).mean(axis=0), 0)",
                   "The positive part is taken head by head, before the mean."),
    "gradient_cut": ("np.maximum(dA * A, 0)", "np.maximum(dA, 0)", "The gradient is multiplied with the weight."),
    "reversed": ("R + weighted @ R", "R + R @ weighted", "The later layer stands on the left."),
    "not_added": ("R + weighted @ R", "weighted @ R", "R grows: what was there stays."),
}

# %% [markdown]
# ## 5. Rollout, backward
#
# Somebody trains a network so that its rollout stays near a mask, and needs the gradient. With $R = M_L \cdots M_1$,
# $M_l = (I + A_l) / 2$, and $dR$ given: what is $dA_l$?

# %% answer="rollout_backward" kind="transfer"
def rollout_backward(maps, dR):
    """dA of every layer, the heads already averaged.    L times (N, N), (N, N) -> L times (N, N), first layer first"""
    # solution: keep what lies below each layer, R_0 = I, R_1 = M_1 ...; go from the last layer to the first: dA = dR @
    # below.T / 2, and then dR = M.T @ dR
    identity = np.eye(len(dR))
    mixed = [(identity + A) / 2 for A in maps]
    below = [identity]
    for M in mixed[:-1]:
        below.append(M @ below[-1])
    gradients = []
    for M, R in zip(mixed[::-1], below[::-1], strict=True):
        gradients.append(dR @ R.T / 2)
        dR = M.T @ dR
    return gradients[::-1]
    # end

# %% check="rollout_backward" points=20
SEED = 8
rng = np.random.default_rng(SEED)
maps = [softmax(rng.normal(size=(4, 4))) for _ in range(3)]
show(dA=np.stack(rollout_backward(maps, rng.normal(size=(4, 4)))),
     one=np.stack(rollout_backward(maps[:1], rng.normal(size=(4, 4)))))

# %% [markdown] hint="rollout_backward"
# It is a chain of matrix products. What are dM and dR of R = M R'? Lesson 01 has both.

# %% [markdown] hint="rollout_backward"
# The last layer's gradient needs the product of all layers below it; so go upwards once and keep them, then downwards.

# %% mutants="rollout_backward"
MUTANTS = {
    "not_halved": ("dR @ R.T / 2", "dR @ R.T", "A enters M with one half, and so does its gradient."),
    "below_not_transposed": ("dR @ R.T / 2", "dR @ R / 2", "The gradient of M in M R' is dR times R' transposed."),
    "above_not_transposed": ("dR = M.T @ dR", "dR = M @ dR", "On the way down dR meets M transposed."),
    "not_transposed": ("gradients.append(dR @ R.T / 2)\n        dR = M.T @ dR",
                       "gradients.append(dR @ R / 2)\n        dR = M @ dR",
                       "The backward pass of a product of matrices has both of them transposed."),
    "order": ("return gradients[::-1]", "return gradients", "You went from the last layer down: turn the list round."),
    "dR_stays": ("dR = M.T @ dR", "dR = dR * 1.0", "Below a layer the gradient is another one: pass it on through M."),
}

# %% [markdown]
# ## 6. A query that looks only at itself
#
# Rollout with the maximum over the heads, where the smallest nine tenths of the weights are discarded. Rows sum to one
# afterwards, no error is raised, and for most pictures the maps look well. But a query that looks at many places, a
# little at each, ends up as if it looked at nothing but itself.

# %% answer="sharp_rollout" kind="debug" bug="per_matrix"
def sharp_rollout(maps, share=0.9):
    """Maximum over the heads, the smallest `share` of each row discarded, I + A divided by row sums, multiplied up.

    L times (B, h, N, N) -> (B, N, N)
    """
    # solution: the threshold must be one for each row: the quantile over the last axis, with keepdims
    identity = np.eye(maps[0].shape[-1])
    R = identity
    for A in maps:
        A = A.max(axis=1)  # (B, N, N)
        least = np.quantile(A, share, axis=-1, keepdims=True)
        A = np.where(least > A, 0, A)
        mixed = identity + A
        R = mixed / mixed.sum(axis=-1, keepdims=True) @ R
    return R
    # end

# %% check="sharp_rollout" points=10
SEED = 8
rng = np.random.default_rng(SEED)
scale = np.array([0.2, 4, 1, 2, 0.5, 3])[:, None]  # how sharply each query looks, (N, 1)
maps = [softmax(scale * rng.normal(size=(2, 3, 6, 6))) for _ in range(3)]
show(R=sharp_rollout(maps, 0.5), most=sharp_rollout(maps))

# %% [markdown] hint="sharp_rollout"
# Print how many weights of each row are left after discarding. Who has none?

# %% [markdown] hint="sharp_rollout"
# What is the shape of `least`? Weights of which queries are compared with one another?

# %% mutants="sharp_rollout"
MUTANTS = {
    "per_matrix": ("axis=-1, keepdims=True)\n        A = np.where",
                   "axis=(-2, -1), keepdims=True)\n        A = np.where",
                   "One threshold for the whole matrix: a query that spreads its attention loses all of it."),
    "per_column": ("axis=-1, keepdims=True)\n        A = np.where",
                   "axis=-2, keepdims=True)\n        A = np.where",
                   "That is one threshold for each key; each query needs its own."),
    "no_keepdims": ("mixed.sum(axis=-1, keepdims=True) @ R", "mixed.sum(axis=-1)[:, None] @ R",
                    "Now the sums of the rows divide the columns. That was right before."),
    "mean": ("A.max(axis=1)", "A.mean(axis=1)", "Here the heads are fused by their maximum. That was right before."),
    "residual_dropped": ("mixed = identity + A", "mixed = A", "The residual path is no attention: it stays."),
    "largest_discarded": ("np.where(least > A, 0, A)", "np.where(least > A, A, 0)", "The smallest are discarded."),
}

# %% [markdown]
# ## 7. How fast is a query forgotten?
#
# Two rows of a rollout differ by half the sum of their absolute differences: 1 if they have nothing in common, 0 if
# they are equal. **Predict first**, on paper: after how many layers do *all* pairs of rows differ by less than 1/100
# (the largest difference, not the mean of section 7 of the lesson) if every layer looks everywhere equally and the
# residual path's share is a half, a quarter, three quarters? And with a half, if the layers look as `layers` below
# does? Then measure: there are 30 layers, 16 tokens.

# %%
layers = softmax(4 * np.random.default_rng(8).normal(size=(30, 16, 16)))  # (L, N, N)

# %% answer="forgotten" kind="measure"
def forgotten():
    """{"half": ..., "quarter": ..., "three_quarters": ..., "sharp": ...}: layers, whole numbers that must be right

    The first three with equal attention, by the residual's share; the last with `layers` and a half.
    """
    # solution: R = (share * I + (1 - share) * A) @ R, layer after layer, until the largest of
    # abs(R[:, None] - R).sum(axis=-1) / 2 is below 0.01; equal attention is np.full((16, 16), 1 / 16)
    def count(attention, share):
        R = np.eye(16)
        for number, A in enumerate(attention, 1):
            R = (share * np.eye(16) + (1 - share) * A) @ R
            if (abs(R[:, None] - R).sum(axis=-1) / 2).max() < 0.01:
                return number
        return 0

    equal = np.full((30, 16, 16), 1 / 16)
    return {"half": count(equal, 0.5), "quarter": count(equal, 0.25), "three_quarters": count(equal, 0.75),
            "sharp": count(layers, 0.5)}
    # end

# %% check="forgotten" points=10
show(**forgotten())

# %% [markdown] reasons="forgotten"
# your four predictions beside what you measured; by what factor two rows come closer in each layer of equal attention,
# and why; what this means for the map of a class token in a network of 24 layers.

# %% [markdown] hint="forgotten"
# With equal attention, what do two tokens have in common after one layer, and what is still their own?

# %% [markdown] hint="forgotten"
# What is their own shrinks by the residual's share in every layer: which power of it is below 1/100?

# %% mutants="forgotten"
MUTANTS = {
    "one_less": ("enumerate(attention, 1)", "enumerate(attention)",
                 "Count the layers themselves: the first is number 1."),
    "not_halved": ("(abs(R[:, None] - R).sum(axis=-1) / 2).max()", "abs(R[:, None] - R).sum(axis=-1).max()",
                   "It is half the sum of the differences."),
    "share_exchanged": ("share * np.eye(16) + (1 - share) * A", "(1 - share) * np.eye(16) + share * A",
                        "The share is that of the residual path."),
    "mean": ("sum(axis=-1) / 2).max() < 0.01", "sum(axis=-1) / 2).mean() < 0.01",
             "All pairs must be below 1/100: it is the largest difference that counts, not their mean."),
    "mean_of_pairs": ("sum(axis=-1) / 2).max() < 0.01", "sum(axis=-1) / 2).sum() / (16 * 15) < 0.01",
                      "All pairs must be below 1/100: it is the largest difference that counts, not their mean."),
}

# %% [markdown]
# ## 8. Three networks, one plot
#
# The mean attention distances of four heads in each of four layers, on a grid of 14 x 14 tokens: a network that was
# never trained, one that was trained on very many pictures, and one that may only look inside windows of 4 x 4 tokens.
# The dashed line is a head that looks everywhere equally. (The numbers are made up; the shapes are those of papers.)

# %%
heads = {
    "A": np.array([[1.6, 1.7, 1.8, 1.5], [1.7, 1.8, 1.4, 1.8], [1.7, 1.5, 1.8, 1.8], [1.8, 1.7, 1.6, 1.8]]),
    "B": np.array([[7.2, 7.4, 7.2, 7.3], [7.3, 7.3, 7.2, 7.4], [7.3, 7.2, 7.4, 7.3], [7.2, 7.3, 7.3, 7.4]]),
    "C": np.array([[1.3, 6.9, 2.2, 2.9], [2.1, 5.8, 7.0, 3.1], [6.1, 7.1, 5.6, 6.8], [7.0, 7.4, 6.9, 7.2]])}  # (L, h)

# %% figure="three panels of dots, four heads in each of four layers, and the line of equal attention"
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
for panel, (name, values) in zip(axes, heads.items(), strict=True):
    panel.plot(np.repeat(np.arange(1, 5), 4), values.ravel(), "o")
    panel.axhline(7.28, color="grey", linestyle="--")
    panel.set(title=f"network {name}", xlabel="layer", xticks=range(1, 5))
axes[0].set_ylabel("mean attention distance (tokens)")
plt.show()

# %% answer="read_distances" kind="read"
def read_distances():
    """{"untrained": ..., "trained": ..., "windows": ..., "local": ...}

    The first three: which network, "A", "B" or "C"? The last: how many heads of the trained network's first layer look
    less than half as far as equal attention.
    """
    # solution: without training attention is nearly equal, on the line; in windows of 4 x 4 nobody looks farther than
    # the corner, 4.2 tokens; the third has local and global heads at first; count those of layer 1 below 3.64
    local = int((heads["C"][0] < 7.28 / 2).sum())
    return {"untrained": "B", "trained": "C", "windows": "A", "local": local}
    # end

# %% check="read_distances" points=10
show(**read_distances())

# %% [markdown] hint="read_distances"
# What does a softmax over scores that are nearly zero look like, and how far does it look?

# %% [markdown] hint="read_distances"
# How far apart are the two farthest tokens of a window of 4 x 4? Which network never looks that far?

# %% mutants="read_distances"
MUTANTS = {
    "windows_trained": ('"trained": "C", "windows": "A"', '"trained": "A", "windows": "C"',
                        "Inside a window of 4 x 4 nobody can look 7 tokens far."),
    "untrained_trained": ('"untrained": "B", "trained": "C"', '"untrained": "C", "trained": "B"',
                          "Before training all heads look nearly everywhere, and none is like a neighbourhood."),
    "untrained_windows": ('"untrained": "B", "trained": "C", "windows": "A"',
                          '"untrained": "A", "trained": "C", "windows": "B"',
                          "Before training attention is nearly equal: the dots lie on the line of equal attention."),
    "one_on": ('"untrained": "B", "trained": "C", "windows": "A"',
               '"untrained": "C", "trained": "A", "windows": "B"',
               "Begin with the line: who lies on it looks everywhere equally, and who can never look that far?"),
    "one_back": ('"untrained": "B", "trained": "C", "windows": "A"',
                 '"untrained": "A", "trained": "B", "windows": "C"',
                 "Begin with the line: who lies on it looks everywhere equally, and who stays far below it?"),
    "all_layers": ('heads["C"][0]', 'heads["C"]', "Only the first layer is asked for."),
    "below_line": ("7.28 / 2", "7.28", "Less than half of the line."),
}
