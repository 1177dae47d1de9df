# %% [markdown] minutes="estimated 60"
# # Exercise 04: the parts of an encoder block
#
# LayerNorm, GELU, stochastic depth, and the pre-norm block that they make; forward and backward in plain NumPy.
#
# | symbol | meaning |
# |---|---|
# | B, N, D | batch, tokens, width |
# | x, y, dy | input, result, gradient of the loss with respect to the result |
# | g, b | LayerNorm's scale and shift, one number per channel |

# %%
import math

import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. LayerNorm
#
# Every token is normalised by itself: $\hat x = (x - \mu) / \sqrt{\sigma^2 + \epsilon}$ over its D channels, then
# $y = g \hat x + b$ (Ba et al. 2016). The variance is the mean of squares, divided by D, not D - 1.

# %% answer="layer_norm" kind="retype"
def layer_norm(x, g, b, eps=1e-6):
    """y = g (x - mean) / sqrt(variance + eps) + b over the last axis.    (B, N, D), (D,), (D,) -> (B, N, D)"""
    # solution: mean and variance over the last axis, keeping it; then normalise, scale and shift
    centred = x - x.mean(axis=-1, keepdims=True)
    return g * centred / np.sqrt((centred ** 2).mean(axis=-1, keepdims=True) + eps) + b
    # end

# %% check="layer_norm" points=10
SEED = 4
rng = np.random.default_rng(SEED)
x, g, b = rng.normal(2, 3, size=(2, 4, 4)), rng.normal(size=4), rng.normal(size=4)
show(y=layer_norm(x, g, b), large_eps=layer_norm(x, g, b, eps=2.0), constant=layer_norm(np.ones((1, 1, 4)), g, b))

# %% [markdown] hint="layer_norm"
# `x.var(axis=-1, keepdims=True)` divides by D, as it should.

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
# With $d\hat x = g\, dy$: $dx = (d\hat x - \overline{d\hat x} - \hat x\, \overline{d\hat x\, \hat x}) /
# \sqrt{\sigma^2 + \epsilon}$, where the bar is the mean over channels: the mean and the variance depend on every
# channel, too. $dg$ and $db$ collect from all tokens of the batch.

# %% answer="layer_norm_backward" kind="retype" formula=true
def layer_norm_backward(dy, x, g, eps=1e-6):
    """dx, dg, db of layer_norm(x, g, b, eps).    (B, N, D), (B, N, D), (D,) -> (B, N, D), (D,), (D,)"""
    # solution: the normalised x first; dx from the formula above; dg and db are sums over batch and tokens
    centred = x - x.mean(axis=-1, keepdims=True)
    root = np.sqrt((centred ** 2).mean(axis=-1, keepdims=True) + eps)
    normal, d = centred / root, g * dy
    dx = (d - d.mean(axis=-1, keepdims=True) - normal * (d * normal).mean(axis=-1, keepdims=True)) / root
    return dx, (dy * normal).sum(axis=(0, 1)), dy.sum(axis=(0, 1))
    # end

# %% check="layer_norm_backward" points=30
SEED = 4
rng = np.random.default_rng(SEED)
dy, x, g = rng.normal(size=(2, 4, 4)), rng.normal(2, 3, size=(2, 4, 4)), rng.normal(size=4)
dx, dg, db = layer_norm_backward(dy, x, g)
many, many_dg, _ = layer_norm_backward(*rng.normal(size=(2, 400, 16, 16)).astype(np.float32), rng.normal(size=16))
show(dx=dx, dg=dg, db=db, large_eps=layer_norm_backward(dy, x, g, eps=2.0)[0], many=np.asarray(many)[::100, ::5, ::5],
     many_dg=many_dg)

# %% [markdown] hint="layer_norm_backward"
# Name the parts: `normal`, `root`, `d = g * dy`. Then the formula is one line, with two means that keep their axis.

# %% [markdown] hint="layer_norm_backward"
# g and b are shared by all tokens of all pictures: their gradients are sums over the axes 0 and 1.

# %% mutants="layer_norm_backward"
MUTANTS = {
    "mean_forgotten": (" - d.mean(axis=-1, keepdims=True)", "",
                       "The mean depends on every channel: the first mean in the formula is missing."),
    "variance_forgotten": (" - normal * (d * normal).mean(axis=-1, keepdims=True)", "",
                           "The variance depends on every channel: the last term of the formula is missing."),
    "no_gain": ("g * dy", "dy", "dy passes through the scale g first."),
    "no_root": ("keepdims=True)) / root", "keepdims=True))", "The division by the standard deviation is missing."),
    "mean_for_sum": ("(dy * normal).sum(", "(dy * normal).mean(", "dg is a sum over all tokens, not a mean."),
}

# %% [markdown]
# ## 3. GELU
#
# $\mathrm{GELU}(x) = x\, \Phi(x)$ with $\Phi(x) = (1 + \mathrm{erf}(x / \sqrt 2)) / 2$, the normal distribution
# function (Hendrycks and Gimpel 2016). NumPy has no erf; `np.vectorize(math.erf)` makes one.

# %% answer="gelu" kind="retype"
def gelu(x):
    """y = x (1 + erf(x / sqrt 2)) / 2, entry by entry."""
    # solution: x times the normal distribution function of x
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
    # end

# %% check="gelu" points=10 rtol=1e-5
SEED = 4
rng = np.random.default_rng(SEED)
show(y=gelu(rng.normal(size=(3, 5))), far=gelu(np.array([-8.0, -3.0, 0.0, 3.0, 8.0])))

# %% [markdown] hint="gelu"
# $\Phi(0) = 1/2$ and $\Phi(\infty) = 1$: check the two ends.

# %% mutants="gelu"
MUTANTS = {
    "tanh": ("np.vectorize(math.erf)(x / math.sqrt(2))", "np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))",
             "This is the approximation by tanh: close, but the exact one is asked for."),
    "sigmoid": ("x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2", "x / (1 + np.exp(-1.702 * x))",
                "This is the approximation by the logistic function; the exact one is asked for."),
    "no_root": ("x / math.sqrt(2)", "x", "The argument of erf is x divided by the square root of 2."),
    "distribution_only": ("x * (1 +", "(1 +", "The factor x in front is missing."),
}

# %% [markdown]
# ## 4. GELU, backward
#
# By the product rule, $\mathrm{GELU}'(x) = \Phi(x) + x\, \varphi(x)$, with the normal density $\varphi(x) =
# e^{-x^2/2} / \sqrt{2 \pi}$.

# %% answer="gelu_backward" kind="retype" formula=true
def gelu_backward(dy, x):
    """dx = dy (Phi(x) + x phi(x)), entry by entry."""
    # solution: dy times the sum of the distribution function and x times the density
    distribution = (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2
    return dy * (distribution + x * np.exp(-x ** 2 / 2) / math.sqrt(2 * math.pi))
    # end

# %% check="gelu_backward" points=20 rtol=1e-5
SEED = 4
rng = np.random.default_rng(SEED)
show(dx=gelu_backward(rng.normal(size=(3, 5)), rng.normal(size=(3, 5))),
     far=gelu_backward(np.ones(5), np.array([-8.0, -3.0, 0.0, 3.0, 8.0])),
     single=gelu_backward(*rng.normal(size=(2, 3, 5)).astype(np.float32)))

# %% [markdown] hint="gelu_backward"
# The derivative of the distribution function is the density; it is multiplied by the factor x in front.

# %% mutants="gelu_backward"
MUTANTS = {
    "distribution_only": (" + x * np.exp(-x ** 2 / 2) / math.sqrt(2 * math.pi)", "",
                          "The product rule has two terms: the second, x times the density, is missing."),
    "no_x": ("x * np.exp", "np.exp", "The density is multiplied by x."),
    "not_normed": (" / math.sqrt(2 * math.pi)", "", "The density is divided by the square root of 2 pi."),
    "square_not_halved": ("x ** 2 / 2", "x ** 2", "The exponent is minus half of the square."),
}

# %% [markdown]
# ## 5. Stochastic depth
#
# While training, DropPath leaves out the whole branch of a picture with probability p and divides what remains by
# 1 - p, so that the mean stays (Huang et al. 2016). `u` holds one uniform random number for each picture: the
# branch stays where $u \geq p$.

# %% answer="drop_path" kind="retype"
def drop_path(x, p, u):
    """x / (1 - p) where u >= p, else 0; one decision for each picture.    (B, N, D), number, (B,) -> (B, N, D)"""
    # solution: the decisions as a column (B, 1, 1), times x, over 1 - p
    return x * (u >= p)[:, None, None] / (1 - p)
    # end

# %% check="drop_path" points=15
SEED = 4
rng = np.random.default_rng(SEED)
x, u = rng.normal(size=(6, 6, 6)), np.array([0.05, 0.3, 0.31, 0.9, 0.29, 0.6])
show(some=drop_path(x, 0.3, rng.permutation(u)), none=drop_path(x[:2], 0.0, u[:2]),
     few=drop_path(x, 0.7, rng.permutation(u)))

# %% [markdown] hint="drop_path"
# `(u >= p)` has shape (B,); it must become (B, 1, 1) to meet the first axis of x.

# %% mutants="drop_path"
MUTANTS = {
    "per_channel": ("(u >= p)[:, None, None]", "(u >= p)",
                    "Without new axes, u is lined up with the channels. One decision for each picture."),
    "not_scaled": (" / (1 - p)", "", "What remains must be divided by 1 - p, or the mean shrinks."),
    "divided_by_p": ("(1 - p)", "max(p, 1e-9)", "Divide by the probability of staying, 1 - p."),
    "reversed": ("(u >= p)", "(u < p)", "p is the probability of leaving out: the branch stays where u >= p."),
}

# %% [markdown]
# ## 6. The pre-norm block
#
# $x \leftarrow x + \mathrm{attention}(\mathrm{LN}_1(x))$, then $x \leftarrow x + \mathrm{MLP}(\mathrm{LN}_2(x))$,
# with $\mathrm{MLP}(x) = \mathrm{GELU}(x W_1 + b_1) W_2 + b_2$ (Dosovitskiy et al. 2021, eq. 2 and 3).
# `attention` is a function that is given.

# %% answer="block" kind="retype"
def block(x, attention, norm1, norm2, mlp):
    """One encoder block. norm1, norm2 = (g, b); mlp = (W1, b1, W2, b2).    (B, N, D) -> (B, N, D)"""
    # solution: add attention of the normalised x to x; then add the MLP of the normalised result to that
    W1, b1, W2, b2 = mlp
    x = x + attention(layer_norm(x, *norm1))
    return x + gelu(layer_norm(x, *norm2) @ W1 + b1) @ W2 + b2
    # end

# %% check="block" points=15
SEED = 4
rng = np.random.default_rng(SEED)
x, norm1, norm2 = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
mlp = rng.normal(size=(4, 8)), rng.normal(size=8), rng.normal(size=(8, 4)), rng.normal(size=4)
mixing = rng.normal(size=(3, 3))
show(y=block(x, lambda x: mixing @ x, norm1, norm2, mlp))

# %% [markdown] hint="block"
# Two lines, each of the form `x = x + branch(layer_norm(x))`; the second sees the result of the first.

# %% mutants="block"
MUTANTS = {
    "post_norm": ("x = x + attention(layer_norm(x, *norm1))", "x = layer_norm(x + attention(x), *norm1)",
                  "This normalises after the sum: post-norm. Here the branch sees the normalised x, and the sum is "
                  "left alone."),
    "no_residual": ("x = x + attention", "x = attention", "The first residual connection is missing."),
    "normalised_residual": ("return x + gelu", "x = layer_norm(x, *norm2)\n    return x + gelu",
                            "The residual path carries x as it is, not normalised."),
    "same_norm": ("layer_norm(x, *norm2)", "layer_norm(x, *norm1)", "The second branch has a LayerNorm of its own."),
    "in_parallel": ("x = x + attention(layer_norm(x, *norm1))\n"
                    "    return x + gelu(layer_norm(x, *norm2) @ W1 + b1) @ W2 + b2",
                    "y = gelu(layer_norm(x, *norm2) @ W1 + b1) @ W2 + b2\n"
                    "    return x + attention(layer_norm(x, *norm1)) + y",
                    "The MLP must see what attention has added: one after the other, not side by side."),
}
