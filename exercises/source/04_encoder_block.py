# %% [markdown] minutes="estimated 60"
# # Exercise 04: what stands around attention
#
# LayerNorm and its backward pass, two parts of encoder blocks that the lesson does not show, a backward pass with a
# mistake in it, and what 24 blocks make of a token. All in plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, N, D, M | pictures in a batch, tokens, width of a token, width of the MLP |
# | x, y, dy | input, result, gradient of the loss with respect to the result |
# | g, b | LayerNorm's scale and shift, (D,) each |
# | W1, b1, W2, b2 | weights of the MLP, (D, M), (M,), (M, D), (D,) |
# | f(x) | what a branch, attention or MLP, makes of x |
# | p, u | probability with which a branch is left out; uniform random numbers, (B,) |

# %%
import math

import numpy as np

from minivit.grading.show import show


def Phi(x):
    return (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def gelu(x):
    return x * Phi(x)


def gelu_backward(dy, x):
    return dy * (Phi(x) + x * np.exp(-x ** 2 / 2) / math.sqrt(2 * math.pi))

# %% [markdown]
# ## 1. LayerNorm
#
# Every token by itself, as in sections 3 and 4 of the lesson.

# %% answer="layer_norm" kind="retype"
def layer_norm(x, g, b, eps=1e-6):
    """y = g (x - mean) / sqrt(variance + eps) + b.    (..., D), (D,), (D,) -> (..., D)"""
    # solution: the mean over the last axis, with keepdims=True; the centred x; the mean of its squares, the same way;
    # then g times centred over the root of that mean plus eps, plus b
    centred = x - x.mean(axis=-1, keepdims=True)
    return g * centred / np.sqrt((centred ** 2).mean(axis=-1, keepdims=True) + eps) + b
    # end

# %% check="layer_norm" points=10
SEED = 4
rng = np.random.default_rng(SEED)
x, g, b = rng.normal(2, 3, size=(2, 4, 4)), rng.normal(size=4), rng.normal(size=4)
show(y=layer_norm(x, g, b), large_eps=layer_norm(x, g, b, eps=2.0), constant=layer_norm(np.ones((1, 1, 4)), g, b))

# %% [markdown] hint="layer_norm"
# Three tokens, 1 3 5 7, ten times that, and that plus a hundred, must all become -1.342 -0.447 0.447 1.342 where g is 1
# and b is 0.

# %% [markdown] hint="layer_norm"
# Which axis holds the channels of a token? The mean must keep that axis, with length 1, to be subtracted from x.

# %% mutants="layer_norm"
MUTANTS = {
    "over_tokens": ("x.mean(axis=-1, keepdims=True)", "x.mean(axis=1, keepdims=True)",
                    "Each token has its own mean: over its channels."),
    "eps_outside": ("np.sqrt((centred ** 2).mean(axis=-1, keepdims=True) + eps)",
                    "(np.sqrt((centred ** 2).mean(axis=-1, keepdims=True)) + eps)",
                    "eps belongs under the root, to the variance."),
    "unbiased": ("(centred ** 2).mean(axis=-1, keepdims=True)", "x.var(axis=-1, keepdims=True, ddof=1)",
                 "The variance is divided by D here, not by D - 1."),
    "no_shift": ("keepdims=True) + eps) + b", "keepdims=True) + eps)", "The shift b is missing."),
    "no_scale": ("g * centred", "centred", "The scale g is missing."),
}

# %% [markdown]
# ## 2. LayerNorm, backward
#
# What the lesson puts into one line at the end of its section 5.

# %% answer="layer_norm_dx" kind="retype" formula=true
def layer_norm_dx(dy, x, g, eps=1e-6):
    """dx of layer_norm(x, g, b, eps).    (..., D), (..., D), (D,) -> (..., D)"""
    # solution: with r = 1 / sqrt(variance + eps), normal = r (x - mean) and d = g dy, it is
    # r (d - mean of d - normal times the mean of d normal), the means over the last axis, which they keep
    centred = x - x.mean(axis=-1, keepdims=True)
    root = np.sqrt((centred ** 2).mean(axis=-1, keepdims=True) + eps)  # (..., 1)
    d, normal = g * dy, centred / root
    return (d - d.mean(axis=-1, keepdims=True) - normal * (d * normal).mean(axis=-1, keepdims=True)) / root
    # end

# %% check="layer_norm_dx" points=15
SEED = 4
rng = np.random.default_rng(SEED)
dy, x, g = rng.normal(size=(2, 4, 4)), rng.normal(2, 3, size=(2, 4, 4)), rng.normal(size=4)
many = layer_norm_dx(*rng.normal(size=(2, 400, 16, 16)).astype(np.float32), rng.normal(size=16))
show(dx=layer_norm_dx(dy, x, g), large_eps=layer_norm_dx(dy, x, g, eps=2.0), many=np.asarray(many)[::100, ::5, ::5])

# %% [markdown] hint="layer_norm_dx"
# Two sums of your dx must be zero for every token, with eps = 0: that of dx, and that of dx times the normalised x.
# Which of the two is not?

# %% [markdown] hint="layer_norm_dx"
# Name the parts first: the normalised x, the root, and what arrives before the scale, d = g dy. Then subtract from d
# what would change the mean, and what would change the variance.

# %% mutants="layer_norm_dx"
MUTANTS = {
    "mean_forgotten": (" - d.mean(axis=-1, keepdims=True)", "",
                       "The mean depends on every channel: the first mean in the formula is missing."),
    "variance_forgotten": (" - normal * (d * normal).mean(axis=-1, keepdims=True)", "",
                           "The variance depends on every channel: the last term of the formula is missing."),
    "no_gain": ("g * dy", "dy", "dy passes through the scale g first."),
    "no_root": ("keepdims=True)) / root", "keepdims=True))", "The division by the standard deviation is missing."),
    "root_twice": ("keepdims=True)) / root", "keepdims=True)) / root ** 2",
                   "Divide by the standard deviation once: r stands once in front of the bracket."),
    "not_normalised": ("centred / root", "centred", "The last term has the normalised x, twice."),
}

# %% [markdown]
# ## 3. A norm without a mean
#
# RMSNorm (Zhang and Sennrich, arXiv:1910.07467) forgets a token's scale, but not its level: $y = g\, x\, /
# \sqrt{\overline{x^2} + \epsilon}$, where the bar is the mean over channels. Derive its backward pass as the lesson
# derives LayerNorm's, step by step; no step is new, and some are not needed.

# %% answer="rms_norm_backward" kind="transfer" formula=true
def rms_norm_backward(dy, x, g, eps=1e-6):
    """dx and dg of y = g x / sqrt(mean of x^2 + eps).    (B, N, D), (B, N, D), (D,) -> (B, N, D), (D,)"""
    # solution: with r = (mean of x^2 + eps) ** -0.5, normal = r x and d = g dy: dx = r (d - normal times the mean of
    # d normal); there is no mean to take back; dg is the sum of dy normal over batch and tokens
    r = ((x ** 2).mean(axis=-1, keepdims=True) + eps) ** -0.5  # (B, N, 1)
    normal, d = r * x, g * dy
    dx = r * (d - normal * (d * normal).mean(axis=-1, keepdims=True))
    return dx, (dy * normal).sum(axis=(0, 1))
    # end

# %% check="rms_norm_backward" points=20
SEED = 4
rng = np.random.default_rng(SEED)
dy, x, g = rng.normal(size=(2, 4, 5)), rng.normal(2, 3, size=(2, 4, 5)), rng.normal(size=5)
dx, dg = rms_norm_backward(dy, x, g)
many, _ = rms_norm_backward(*rng.normal(size=(2, 400, 16, 16)).astype(np.float32), rng.normal(size=16))
show(dx=dx, dg=dg, large_eps=rms_norm_backward(dy, x, g, eps=2.0)[0], many=np.asarray(many)[::100, ::5, ::5])

# %% [markdown] hint="rms_norm_backward"
# Write the steps of the forward pass below each other: v, r, the normalised x, y. Which step of LayerNorm's is not
# among them, and which term of its dx comes from that step?

# %% [markdown] hint="rms_norm_backward"
# x is used twice, in v and in the product with r. With $dr = \sum_j d\hat x_j x_j$ and $dv = -r^3 dr / 2$, what does
# each of the two uses send to x?

# %% mutants="rms_norm_backward"
MUTANTS = {
    "layer_norms": ("r * (d - normal", "r * (d - d.mean(axis=-1, keepdims=True) - normal",
                    "That is LayerNorm's: here no mean is subtracted on the way forward, so none on the way back."),
    "scale_held_constant": (" - normal * (d * normal).mean(axis=-1, keepdims=True)", "",
                            "r depends on every channel, too: x is used twice."),
    "not_normalised": ("normal * (d * normal)", "x * (d * x)", "The last term has the normalised x, twice."),
    "sum_for_mean": ("(d * normal).mean(", "(d * normal).sum(",
                     "The mean of squares divides by D: so does its gradient."),
    "no_gain": ("g * dy", "dy", "dy passes through the scale g first."),
    "dg_of_one_picture": (".sum(axis=(0, 1))", ".sum(axis=1)[0]", "All pictures share g: sum over batch and tokens."),
}

# %% [markdown]
# ## 4. A branch on probation
#
# In CaiT (Touvron et al., arXiv:2103.17239) every branch has a learned scale for each channel, small at the start, and
# the branch is dropped like the lesson's: $y = x + \mathrm{DropPath}(\mathrm{scale} \cdot f(x))$. Here is dy. What
# arrives at x *along the path*, at f(x), and at the scale? (What comes to x through f is f's own affair.)

# %% answer="branch_backward" kind="transfer" formula=true
def branch_backward(dy, branch, scale, p, u):
    """dx along the path, dbranch, dscale of y = x + drop_path(scale * branch, p, u).

    (B, N, D), (B, N, D), (D,), number, (B,) -> (B, N, D), (B, N, D), (D,)
    """
    # solution: dx = dy; let kept be dy times (u >= p)[:, None, None] over 1 - p; dbranch = scale times kept; dscale is
    # the sum of branch times kept over batch and tokens
    kept = dy * (u >= p)[:, None, None] / (1 - p)  # (B, N, D)
    return dy, scale * kept, (branch * kept).sum(axis=(0, 1))
    # end

# %% check="branch_backward" points=15
SEED = 4
rng = np.random.default_rng(SEED)
dy, branch, scale = rng.normal(size=(5, 5, 5)), rng.normal(size=(5, 5, 5)), rng.normal(size=5)
dx, dbranch, dscale = branch_backward(dy, branch, scale, 0.3, rng.permutation([0.05, 0.31, 0.9, 0.29, 0.6]))
_, many, many_dscale = branch_backward(*rng.normal(size=(2, 400, 16, 16)), rng.normal(size=16), 0.2, rng.random(400))
show(dx=dx, dbranch=dbranch, dscale=dscale, always=branch_backward(dy, branch, scale, 0.0, rng.random(5))[1],
     many=np.asarray(many)[::100, ::5, ::5], many_dscale=many_dscale)

# %% [markdown] hint="branch_backward"
# Go back one step at a time: the addition, then DropPath, then the product of scale and branch.

# %% [markdown] hint="branch_backward"
# DropPath multiplies each picture by one number, forward and backward. What is shared by all tokens of all pictures
# collects a sum.

# %% mutants="branch_backward"
MUTANTS = {
    "path_dropped": ("return dy, scale", "return kept, scale",
                     "Only the branch is dropped: along the path arrives dy itself, for every picture."),
    "not_scaled_up": (" / (1 - p)", "", "What was divided by 1 - p on the way forward is divided on the way back."),
    "per_channel": ("(u >= p)[:, None, None]", "(u >= p)",
                    "One decision for each picture: u belongs to the first axis."),
    "drawn_reversed": ("(u >= p)", "(u < p)", "The branch stays where u >= p."),
    "dropped_ones_learn": ("(branch * kept)", "(branch * dy)", "A dropped branch teaches the scale nothing."),
    "no_scale": ("scale * kept", "kept", "The branch is multiplied by the scale, so its gradient is, too."),
    "through_branch": ("return dy, scale", "return dy + scale * kept, scale",
                       "dx is asked along the path only: what goes through the branch is dbranch."),
}

# %% [markdown]
# ## 5. A backward pass that passes its first test
#
# The second half of a *post-norm* block, $y = \mathrm{LN}(x + \mathrm{MLP}(x))$, with the given `gelu` and
# `gelu_backward`, and with your `layer_norm_dx`. Its author tested it before the first step, when W2 and b2 were zero,
# and it agreed with differences. Since then its gradients are wrong.

# %% answer="post_norm_half_backward" kind="debug" bug="branch_before_norm"
def post_norm_half_backward(dy, x, g, W1, b1, W2, b2):
    """dx of y = LN(x + GELU(x W1 + b1) W2 + b2), in which LN's b plays no part.

    (B, N, D), (B, N, D), (D,), (D, M), (M,), (M, D), (D,) -> (B, N, D)
    """
    # solution: the norm is the last step forward, so it is the first one back: path and branch both get what
    # layer_norm_dx lets through, dsum, and not dy
    z = x @ W1 + b1  # (B, N, M)
    dsum = layer_norm_dx(dy, x + gelu(z) @ W2 + b2, g)  # (B, N, D)
    dz = gelu_backward(dsum @ W2.T, z)  # (B, N, M)
    return dsum + dz @ W1.T
    # end

# %% check="post_norm_half_backward" points=15 rtol=1e-5
SEED = 4
rng = np.random.default_rng(SEED)
dy, x, g = rng.normal(size=(2, 3, 4)), rng.normal(2, 3, size=(2, 3, 4)), rng.normal(size=4)
W1, b1, W2, b2 = rng.normal(size=(4, 7)), rng.normal(size=7), rng.normal(size=(7, 4)), rng.normal(size=4)
show(dx=post_norm_half_backward(dy, x, g, W1, b1, W2, b2))

# %% [markdown] hint="post_norm_half_backward"
# As long as W2 is zero, what comes back through the branch is zero, whatever reaches it. Where would a mistake have to
# be to hide behind that?

# %% [markdown] hint="post_norm_half_backward"
# In the lesson's half of a block the norm stands in front of the branch, and dy reaches path and branch as it is. Here
# the norm is the last step on the way forward. Which step is the first on the way back, and who comes behind it?

# %% mutants="post_norm_half_backward"
MUTANTS = {
    "branch_before_norm": ("dsum @ W2.T", "dy @ W2.T",
                           "The norm stands behind the sum: what reaches the branch has passed through it, as what "
                           "reaches the path has."),
    "path_before_norm": ("return dsum + dz", "return dy + dz",
                         "In pre-norm the path carries dy itself; here the norm lies on the path. That was right."),
    "both_before_norm": ("dsum = layer_norm_dx(dy, x + gelu(z) @ W2 + b2, g)", "dsum = dy",
                         "The block ends with LayerNorm: its backward pass is needed, and comes first."),
    "norm_of_x": ("layer_norm_dx(dy, x + gelu(z) @ W2 + b2, g)", "layer_norm_dx(dy, x, g)",
                  "What goes into LayerNorm is the sum. That was not the mistake."),
    "no_path": ("return dsum + dz", "return dz", "The path is the other half of the sum: it was right to add it."),
    "no_gelu": ("gelu_backward(dsum @ W2.T, z)", "dsum @ W2.T", "GELU's derivative was not the mistake: it is needed."),
}

# %% [markdown]
# ## 6. What 24 blocks make of a token
#
# Take the four wirings of the lesson's section 1 without attention: a branch is one linear map, $f(x) = x W$, with a
# new random $W$ for each of $L$ blocks, normal numbers with deviation $1 / \sqrt D$, so that f keeps the size of what
# it gets. D = 256; 100 tokens of normal numbers; g = 1, b = 0. **Predict first**, on paper: what is the standard
# deviation of all numbers of x after 24 blocks? Then measure it. One seed is enough: the numbers are whole numbers
# after rounding, for almost every seed.

# %% answer="sizes" kind="measure"
def sizes():
    """{"residual": ..., "pre_norm": ..., "divided": ..., "deep": ...}, whole numbers.

    residual: how many times has the deviation doubled after 24 residual blocks without norms (its logarithm to base 2)?
    pre_norm: the deviation after 24 pre-norm blocks.
    divided: the deviations by which the 24 norms of a post-norm model divide, multiplied: how many doublings is that?
    deep: the deviation after 99 pre-norm blocks.
    """
    # solution: x + x W adds a variance as large as x has, so it doubles each time, and the deviation doubles every
    # second time; x + LN(x) W adds 1 each time: sqrt(1 + L); a post-norm block divides by the root of 2 each time;
    # measure with loops over L random matrices and `x.std()`
    rng, count, width = np.random.default_rng(4), 100, 256
    start = rng.normal(size=(count, width))

    def branch(x):
        return x @ (rng.normal(size=(width, width)) / np.sqrt(width))

    def norm(x):
        return layer_norm(x, np.ones(width), np.zeros(width))

    def pre_norm(depth):
        x = start
        for _ in range(depth):
            x = x + branch(norm(x))
        return x.std()

    residual, post_norm, doublings = start, start, 0
    for _ in range(24):
        residual = residual + branch(residual)
        summed = post_norm + branch(post_norm)
        doublings += np.log2(summed.std())
        post_norm = norm(summed)
    found = {"residual": np.log2(residual.std()), "pre_norm": pre_norm(24), "divided": doublings, "deep": pre_norm(99)}
    return {name: round(float(value)) for name, value in found.items()}
    # end

# %% check="sizes" points=15
show(**sizes())

# %% [markdown] reasons="sizes"
# your prediction and your measurement of each of the four numbers; the rule about sums that your predictions rest on;
# why x grows so differently in the two models that are not normalised; what the divisors do to the gradient on the
# path.

# %% [markdown] hint="sizes"
# x and x W are unrelated, so the variance of their sum is the sum of their variances. Follow the variance, block by
# block, and take the root at the end.

# %% [markdown] hint="sizes"
# Without a norm the second summand is as large as x; with a norm in front of the branch it has variance 1, however
# large x is.

# %% mutants="sizes"
MUTANTS = {
    "variances": ('"residual": np.log2(residual.std())', '"residual": np.log2(residual.var())',
                  "That is the variance: the deviation is its root, so it doubles half as often."),
    "no_logarithm": ('"residual": np.log2(residual.std())', '"residual": residual.std()',
                     "That is the deviation itself; the number of doublings is asked."),
    "pre_norm_variance": ('"pre_norm": pre_norm(24)', '"pre_norm": pre_norm(24) ** 2',
                          "That is the variance; the deviation is its root."),
    "grows_with_depth": ('"deep": pre_norm(99)', '"deep": pre_norm(24) * 99 / 24',
                         "Variances add up, deviations do not: with four times as many blocks it is about twice as "
                         "large."),
    "one_divisor": ("doublings += np.log2(summed.std())", "doublings = 2 * np.log2(summed.std())",
                    "That is one norm's; the 24 divisors are multiplied, so their logarithms add up."),
}

# %% [markdown]
# ## 7. Five models, five curves
#
# Five models of 24 blocks with random weights, attention and MLP in each, wired as in the lesson: *plain*, *residual*,
# *post-norm*, *pre-norm* and the *wrong third* of its section 8 (`x = norm(x)`, then `x + f(x)`). They were given the
# same random tokens; the figure shows the standard deviation of all tokens behind each block. Which letter is which?

# %% figure="the standard deviation of tokens behind each of 24 blocks, on a logarithmic axis, for five models"
import matplotlib.pyplot as plt

from minivit import Tensor, nn, no_grad, viz

viz.style()
WIRINGS = (lambda x, f, norm: f(x), lambda x, f, norm: x + f(x), lambda x, f, norm: norm(x + f(x)),
           lambda x, f, norm: x + f(norm(x)), lambda x, f, norm: norm(x) + f(norm(x)))
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
tokens = np.random.default_rng(0).normal(size=(4, 16, 64)).astype(np.float32)  # (B, N, D)
for letter, wiring, line in zip("ABCDE", np.random.default_rng(9).permutation(5), LINES, strict=True):
    x, found = Tensor(tokens), []
    for block in range(24):
        attention, mlp = nn.Attention(64, 4).initialise(block), nn.Mlp(64, 256).initialise(block)
        norms = nn.LayerNorm(64).initialise(0), nn.LayerNorm(64).initialise(0)
        with no_grad():
            for f, norm in zip((attention, mlp), norms, strict=True):
                x = WIRINGS[wiring](x, f, norm)
        found.append(x.numpy().std())
    for panel in axes:
        panel.plot(range(1, 25), found, linestyle=line, label=f"model {letter}")
for panel in axes:
    panel.set(xlabel="block", ylabel="standard deviation of the tokens")
axes[0].set(yscale="log", title="Tokens behind each block, random weights")
axes[1].set(ylim=(0.9, 1.4), title="The same between 0.9 and 1.4")
axes[0].legend()
plt.show()

# %% answer="read_sizes" kind="read"
def read_sizes():
    """{"plain": ..., "residual": ..., "post_norm": ..., "pre_norm": ..., "wrong_third": ...}

    Which model is it, "A", "B", "C", "D" or "E"?
    """
    # solution: plain falls by factors, residual rises by factors, pre-norm rises ever more slowly; of the two flat
    # ones post-norm ends each block with a norm, so it lies exactly on 1; the wrong third adds a branch to normalised
    # tokens and lies a little above
    return {"plain": "C", "residual": "E", "post_norm": "D", "pre_norm": "B", "wrong_third": "A"}
    # end

# %% check="read_sizes" points=10
show(**read_sizes())

# %% [markdown] hint="read_sizes"
# A factor in every block is a straight line on a logarithmic axis.

# %% [markdown] hint="read_sizes"
# Two of the five cannot grow at all. What is the last thing that each of the two does to x in a block?

# %% mutants="read_sizes"
MUTANTS = {
    "norms_exchanged": ('"post_norm": "D", "pre_norm": "B"', '"post_norm": "B", "pre_norm": "D"',
                        "Post-norm's last step in each block is a norm: its tokens have deviation 1."),
    "thirds_exchanged": ('"post_norm": "D", "pre_norm": "B", "wrong_third": "A"',
                         '"post_norm": "A", "pre_norm": "B", "wrong_third": "D"',
                         "After a norm the deviation is exactly 1; after a norm and a sum it is a little more."),
    "grows_exchanged": ('"residual": "E", "post_norm": "D", "pre_norm": "B"',
                        '"residual": "B", "post_norm": "D", "pre_norm": "E"',
                        "Without a norm each block multiplies: a straight line here. With a norm in the branch it "
                        "adds."),
    "falls": ('"plain": "C", "residual": "E"', '"plain": "E", "residual": "C"',
              "A branch alone makes tokens smaller; a sum makes them larger."),
}
