# %% [markdown] minutes="estimated 55"
# # Exercise 07: what a convolution is told
#
# Convolution and BatchNorm with their backward passes, what becomes of BatchNorm when training is over, a residual
# block with a mistake in it, and which shifts of a picture a network cannot see. All in plain NumPy, with the letters
# of the lesson, channels last.
#
# | symbol | meaning |
# |---|---|
# | B, H, W | pictures in a batch, rows and columns |
# | r, c | row and column of a place of the result |
# | i, j | row and column of a place of the kernel |
# | w | weights of a convolution (rows, columns, channels in, channels out) |
# | g | learned scale of a norm |
# | b | bias: what a convolution adds, or a norm (called `shift` where both occur) |

# %%
import numpy as np

from minivit.grading.show import show


def relu(x):
    """What is above 0."""
    return np.maximum(x, 0)


def batch_norm(x, g, b, eps=1e-5):
    """Each channel over batch and grid.    (B, H, W, C), (C,), (C,) -> (B, H, W, C)"""
    over = dict(axis=(0, 1, 2))
    return g * (x - x.mean(**over)) / np.sqrt(x.var(**over) + eps) + b

# %% [markdown]
# ## 1. Convolution
#
# With stride s and padding p: $y_{r c} = b + \sum_{i,j} x_{s r + i,\, s c + j}\, w_{i j}$, where x has p rows and
# columns of zeros on each side. If your answer uses a function of yours, such as the lesson's `met`, put that into a
# cell above whose first line is `# helper`: so later answers find it, too.

# %% answer="conv2d" kind="retype"
def conv2d(x, w, b, stride=1, padding=0):
    """(B, H, W, C_in), (kh, kw, C_in, C_out), (C_out,) -> (B, H', W', C_out)"""
    # solution: `np.pad` rows and columns; for each place (i, j) of the kernel, the pixels that it meets are the slice
    # x[:, i:i + H - kh + 1:stride, j:j + W - kw + 1:stride] of the padded picture; add up these slices @ w[i, j], and b
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    (kh, kw), (H, W) = w.shape[:2], x.shape[1:3]
    y = b
    for i, j in np.ndindex(kh, kw):
        y = y + x[:, i:i + H - kh + 1:stride, j:j + W - kw + 1:stride] @ w[i, j]
    return y
    # end

# %% check="conv2d" points=10
SEED = 7
rng = np.random.default_rng(SEED)
x, w, b = rng.normal(size=(2, 6, 7, 3)), rng.normal(size=(3, 2, 3, 4)), rng.normal(size=4)
show(plain=conv2d(x, w, b), padded=conv2d(x, w, b, padding=2), strided=conv2d(x, w, b, 2, 1),
     uneven=conv2d(x, w, b, 3, 1))

# %% [markdown] hint="conv2d"
# Begin with one place of the kernel alone, (0, 0): which pixels does it meet, with stride 1, and which with stride 2?

# %% [markdown] hint="conv2d"
# Place (i, j) meets what place (0, 0) meets, i rows further down and j columns further right. All slices have the
# shape (B, H', W', C_in), and a slice @ w[i, j] has (B, H', W', C_out).

# %% mutants="conv2d"
MUTANTS = {
    "flipped": ("@ w[i, j]", "@ w[-1 - i, -1 - j]", "The kernel is flipped: networks do not do that."),
    "no_padding": ("np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))", "x",
                   "The padding is missing."),
    "padding_on_one_side": ("(padding, padding), (padding, padding), (0, 0)",
                            "(2 * padding, 0), (2 * padding, 0), (0, 0)",
                            "The zeros stand on each side of the picture."),
    "stride_before": ("y = y + x[:, i:i + H - kh + 1:stride, j:j + W - kw + 1:stride] @ w[i, j]",
                      "y = y + np.roll(x, (-i * stride, -j * stride), (1, 2))"
                      "[:, :H - kh + 1:stride, :W - kw + 1:stride] @ w[i, j]",
                      "The stride is between places of the result; within the kernel the step is 1."),
    "no_bias": ("y = b\n", "y = 0 * b\n", "The bias is missing."),
    "bias_of_each_place": ("y = b\n    for i, j in np.ndindex(kh, kw):\n        y = y + x",
                           "y = 0 * b\n    for i, j in np.ndindex(kh, kw):\n        y = y + b + x",
                           "The bias is added once, not for each place of the kernel."),
    "bias_each_time": ("y = y + x", "y = y + b + x", "The bias is added once, not for each place of the kernel."),
}

# %% [markdown]
# ## 2. Convolution, backward
#
# A pixel lies under several places of the kernel.

# %% answer="conv2d_backward" kind="retype" formula=true
def conv2d_backward(dy, x, w, stride=1, padding=0):
    """dx, dw, db of conv2d(x, w, b, stride, padding); x is not padded yet, and dx has its shape."""
    # solution: pad x, and make zeros for dx (of the padded shape) and dw; for each (i, j) take the same slice as on the
    # way forward: dw[i, j] is the slice, as rows, transposed @ dy, as rows; dx[that slice] += dy @ w[i, j].T; cut the
    # padding off dx; db is the sum of dy over batch and grid
    H, W = x.shape[1:3]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j in np.ndindex(w.shape[:2]):
        rows = slice(i, i + x.shape[1] - w.shape[0] + 1, stride)
        columns = slice(j, j + x.shape[2] - w.shape[1] + 1, stride)
        dw[i, j] = np.einsum("bhwi,bhwo->io", x[:, rows, columns], dy)
        dx[:, rows, columns] += dy @ w[i, j].T
    return dx[:, padding:padding + H, padding:padding + W], dw, dy.sum(axis=(0, 1, 2))
    # end

# %% check="conv2d_backward" points=15
SEED = 7
rng = np.random.default_rng(SEED)
x, w = rng.normal(size=(2, 6, 7, 3)), rng.normal(size=(3, 2, 3, 4))
dx, dw, db = conv2d_backward(rng.normal(size=(2, 4, 6, 4)), x, w)
dx2, dw2, db2 = conv2d_backward(rng.normal(size=(2, 3, 4, 4)), x, w, 2, 1)
show(dx=dx, dw=dw, db=db, strided_dx=dx2, strided_dw=dw2, strided_db=db2)

# %% [markdown] hint="conv2d_backward"
# On the way forward each place of the kernel was one matrix product. What is the backward pass of a matrix product, and
# what happens to the gradients of a pixel that was used in several?

# %% [markdown] hint="conv2d_backward"
# A slice of an array is a view: `dx[:, rows, columns] += ...` writes into dx. In the end the padding is cut off.

# %% mutants="conv2d_backward"
MUTANTS = {
    "last_share_only": ("dx[:, rows, columns] += dy", "dx[:, rows, columns] = dy",
                        "A pixel lies under several places of the kernel: their shares are added."),
    "not_turned": ("dx[:, rows, columns] += dy @ w[i, j].T", "dx[:, rows, columns] += dy @ w[-1 - i, -1 - j].T",
                   "The shares of place (i, j) go through w[i, j] of the same place."),
    "stride_forgotten": ("dx[:, rows, columns] += dy @ w[i, j].T",
                         "dx[:, i:i + dy.shape[1], j:j + dy.shape[2]] += dy @ w[i, j].T",
                         "With a stride there are pixels between those that a place of the kernel meets."),
    "padding_kept_left": ("dx[:, padding:padding + H, padding:padding + W]", "dx[:, :H, :W]",
                          "The padding stands on each side: cut off what was put in front."),
    "minus_padding": ("dx[:, padding:padding + H, padding:padding + W]",
                      "dx[:, padding:-padding, padding:-padding]",
                      "Without padding, a slice up to `-padding` ends at 0 and is empty: end it at padding + H."),
    "mean_bias": ("dy.sum(axis=(0, 1, 2))", "dy.mean(axis=(0, 1, 2))",
                  "The bias serves all places: a sum, not a mean."),
    "bias_of_one": ("dy.sum(axis=(0, 1, 2))", "dy[0].sum(axis=(0, 1))", "The bias serves all pictures."),
}

# %% [markdown]
# ## 3. BatchNorm, backward
#
# Mean and variance depend on every number of the channel.

# %% answer="batch_norm_backward" kind="retype" formula=true
def batch_norm_backward(dy, x, g, eps=1e-5):
    """dx, dg, db of batch_norm(x, g, b).    (B, H, W, C), (B, H, W, C), (C,) -> (B, H, W, C), (C,), (C,)"""
    # solution: with normal = (x - mean) / root and dnormal = g dy, dx is (dnormal - mean(dnormal) - normal
    # mean(dnormal normal)) / root, all means over axes 0, 1 and 2, and root = sqrt(variance + eps); dg and db are sums
    # over the same axes, of dy normal and of dy
    over = dict(axis=(0, 1, 2))
    root = np.sqrt(x.var(**over) + eps)
    normal, dnormal = (x - x.mean(**over)) / root, g * dy
    dx = (dnormal - dnormal.mean(**over) - normal * (dnormal * normal).mean(**over)) / root
    return dx, (dy * normal).sum(**over), dy.sum(**over)
    # end

# %% check="batch_norm_backward" points=10
SEED = 7
rng = np.random.default_rng(SEED)
dy, x, g = rng.normal(size=(2, 3, 4, 5)), rng.normal(2, 3, size=(2, 3, 4, 5)), rng.normal(size=5)
dx, dg, db = batch_norm_backward(dy, x, g)
show(dx=dx, dg=dg, db=db, large_eps=batch_norm_backward(dy, x, g, eps=2.0)[0])

# %% [markdown] hint="batch_norm_backward"
# The formula of lesson 04 for LayerNorm, with other means. Over which axes?

# %% [markdown] hint="batch_norm_backward"
# Two terms are subtracted in dx: one since adding a number to the channel changes nothing, one since multiplying it
# changes nothing. Scale and bias serve all places of all pictures: dg and db are sums.

# %% mutants="batch_norm_backward"
MUTANTS = {
    "constants": ("(dnormal - dnormal.mean(**over) - normal * (dnormal * normal).mean(**over)) / root",
                  "dnormal / root",
                  "Mean and deviation are no constants: they depend on every number of the channel."),
    "mean_only": (" - normal * (dnormal * normal).mean(**over)", "", "The deviation depends on x, too."),
    "deviation_only": (" - dnormal.mean(**over)", "", "The mean depends on x, too: the dx of a channel add up to 0."),
    "batch_alone": ("over = dict(axis=(0, 1, 2))\n    root", "over = dict(axis=0)\n    root",
                    "A channel is normalised over the batch and over the grid."),
    "layer_norm": ("over = dict(axis=(0, 1, 2))\n    root", "over = dict(axis=-1, keepdims=True)\n    root",
                   "These are LayerNorm's means, over the channels of one place: here they run over axes 0, 1 and 2."),
    "layer_norm_dx": ("dx = (dnormal - dnormal.mean(**over) - normal * (dnormal * normal).mean(**over)) / root",
                      "one = dict(axis=-1, keepdims=True)\n"
                      "    dx = (dnormal - dnormal.mean(**one) - normal * (dnormal * normal).mean(**one)) / root",
                      "The two means of dx run over axes 0, 1 and 2, as those of x do, not over the channels."),
    "scale_of_dy": ("(dy * normal).sum(**over)", "dy.sum(**over)",
                    "In y, g stands beside the normalised x: in dg, too."),
    "not_normalised": ("(dy * normal).sum(**over)", "(dy * x).sum(**over)",
                       "g is multiplied with the normalised x, not with x."),
    "mean_bias": (", dy.sum(**over)", ", dy.mean(**over)", "The bias serves all places: a sum, not a mean."),
    "no_scale": ("g * dy", "dy", "The scale g is missing in dx."),
    "over_variance": ("root = np.sqrt(x.var(**over) + eps)", "root = x.var(**over) + eps",
                      "Divide by the root of the variance."),
}

# %% [markdown]
# ## 4. What is left for the evaluation
#
# In training, BatchNorm uses the statistics of the batch. On the side it keeps averages of them, for the time when a
# picture comes alone: after each batch, of the old average nine tenths stay, and one tenth is new. The average of the
# variance is one for pictures *not* seen: it takes the unbiased variance, over n - 1 instead of n numbers of a channel.

# %% answer="running" kind="transfer"
def running(batches, momentum=0.1):
    """Mean and variance after these batches, from 0 and 1 at the start.    list of (B, H, W, C) -> (C,), (C,)"""
    # solution: for each batch: mean <- 0.9 mean + 0.1 x.mean(axis=(0, 1, 2)), and the same for the variance with
    # x.var(axis=(0, 1, 2), ddof=1)
    channels = batches[0].shape[-1]
    mean, variance = np.zeros(channels), np.ones(channels)
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean(axis=(0, 1, 2))
        variance = (1 - momentum) * variance + momentum * x.var(axis=(0, 1, 2), ddof=1)
    return mean, variance
    # end

# %% check="running" points=15
SEED = 7
rng = np.random.default_rng(SEED)
mean, variance = running([rng.normal(2, 3, size=(2, 1, 2, 4)) for _ in range(3)])
fast, fast_variance = running([rng.normal(2, 3, size=(3, 1, 1, 4)) for _ in range(2)], 0.5)
show(mean=mean, variance=variance, fast=fast, fast_variance=fast_variance)

# %% [markdown] hint="running"
# Do it by hand for one channel and one batch of the two numbers 1 and 3. The variance ends at 0.9 times 1 plus 0.1
# times what?

# %% [markdown] hint="running"
# NumPy's `var` divides by n, or by n - ddof. What is n for a channel of (B, H, W, C)?

# %% mutants="running"
MUTANTS = {
    "momentum_swapped": ("(1 - momentum) * mean + momentum * x.mean(axis=(0, 1, 2))\n"
                         "        variance = (1 - momentum) * variance + momentum * x",
                         "momentum * mean + (1 - momentum) * x.mean(axis=(0, 1, 2))\n"
                         "        variance = momentum * variance + (1 - momentum) * x",
                         "Most of the old average stays: `momentum` is the share of the new batch."),
    "momentum_of_the_mean": ("(1 - momentum) * mean + momentum * x.mean", "momentum * mean + (1 - momentum) * x.mean",
                             "Most of the old average stays, of the mean as of the variance."),
    "biased": (", ddof=1)", ")", "The running variance is the unbiased one, over n - 1."),
    "over_the_batch": ("x.var(axis=(0, 1, 2), ddof=1)", "x.var(axis=0, ddof=1).mean(axis=(0, 1))",
                       "The statistics of a channel are over batch and grid together."),
    "variance_from_zero": ("np.zeros(channels), np.ones(channels)", "np.zeros(channels), np.zeros(channels)",
                           "The variance starts at 1, as if nothing had to be done."),
    "last_batch": ("in batches:", "in batches[-1:]:", "Every batch leaves its trace."),
}

# %% [markdown]
# ## 5. One layer less
#
# Training is over. In evaluation a BatchNorm multiplies each channel by a number and adds another, and both are
# known. So the norm behind a convolution can be put into the weights of the convolution: the network gets faster, and
# says the same. Find the new weights and the new bias.

# %% answer="folded" kind="transfer"
def folded(w, b, g, shift, mean, variance, eps=1e-5):
    """w', b' such that conv2d(x, w', b') = g (conv2d(x, w, b) - mean) / sqrt(variance + eps) + shift for every x.

    (kh, kw, C_in, C), (C,), and (C,) each -> (kh, kw, C_in, C), (C,)
    """
    # solution: with factor = g / sqrt(variance + eps), (C,): w' = factor w, since the channels out are w's last axis,
    # and b' = factor (b - mean) + shift
    factor = g / np.sqrt(variance + eps)
    return factor * w, factor * (b - mean) + shift
    # end

# %% check="folded" points=15
SEED = 7
rng = np.random.default_rng(SEED)
w, (b, g, shift, mean) = rng.normal(size=(3, 2, 4, 4)), rng.normal(size=(4, 4))
variance, square = rng.uniform(0.2, 2, 4), rng.normal(size=(1, 1, 4, 4))
weights, bias = folded(w, b, g, shift, mean, variance)
flat, flat_bias = folded(square, b, g, shift, mean, 0 * variance, eps=0.1)
show(weights=weights, bias=bias, flat=flat, flat_bias=flat_bias)

# %% [markdown] hint="folded"
# Write the right side as (a number) times conv2d(x, w, b) plus (another number), for one channel. A convolution is
# linear: what does multiplying its result do to its weights?

# %% [markdown] hint="folded"
# The number belongs to a channel of the *result*. Which axis of w counts these? And is b multiplied, too?

# %% mutants="folded"
MUTANTS = {
    "bias_not_scaled": ("factor * (b - mean) + shift", "b - factor * mean + shift",
                        "The bias is part of what is normalised: it is multiplied, too."),
    "bias_forgotten": ("factor * (b - mean) + shift", "shift - factor * mean",
                       "The convolution's own bias is missing."),
    "mean_added": ("(b - mean)", "(b + mean)", "The mean is subtracted."),
    "channels_in": ("factor * w,", "factor[:, None] * w,",
                    "The norm's channels are those that come out of the convolution: w's last axis."),
    "no_root": ("np.sqrt(variance + eps)", "(variance + eps)", "Divide by the root of the variance."),
    "no_eps": ("np.sqrt(variance + eps)", "np.sqrt(variance + 1e-5)", "Use the eps that is given."),
    "shift_scaled": ("factor * (b - mean) + shift", "factor * (b - mean + shift)", "The shift comes last, unscaled."),
}

# %% [markdown]
# ## 6. A block with a mistake in it
#
# A residual block in the authors' form for CIFAR: where the grid is halved, the shortcut takes every second pixel,
# and zeros are put behind its channels. All shapes are right, the network learns, and nobody complains. But it is a
# few points behind the paper, and the more of its blocks halve the grid, the further behind. Find the mistake, and mend
# it.

# %% answer="block" kind="debug" bug="shortcut_cropped"
def block(x, w1, w2, g1, b1, g2, b2, stride):
    """relu(f(x) + shortcut(x)), f: convolution, norm, ReLU, convolution, norm.

    (B, H, W, C_in) -> (B, H / stride, W / stride, C_out)
    """
    # solution: the shortcut must take every second pixel, x[:, ::stride, ::stride], not a corner of the picture that
    # happens to have the right shape
    f = relu(batch_norm(conv2d(x, w1, 0, stride, 1), g1, b1))
    f = batch_norm(conv2d(f, w2, 0, 1, 1), g2, b2)
    shortcut = x[:, ::stride, ::stride]
    more = f.shape[-1] - shortcut.shape[-1]
    shortcut = np.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, more)))
    return relu(f + shortcut)
    # end

# %% check="block" points=15
SEED = 7
rng = np.random.default_rng(SEED)
norms = rng.normal(size=(4, 5))
show(same=block(rng.normal(size=(2, 4, 6, 5)), *rng.normal(size=(2, 3, 3, 5, 5)), *norms, 1),
     halved=block(rng.normal(size=(2, 4, 6, 3)), rng.normal(size=(3, 3, 3, 5)), rng.normal(size=(3, 3, 5, 5)),
                  *norms, 2))

# %% [markdown] hint="block"
# Try a block with stride 1 and one with stride 2, on a picture of which you know every number. Which lines do something
# else in the second?

# %% [markdown] hint="block"
# With stride 2, which pixels of x stand behind the place (r, c) of f, and which one does the shortcut add there? A
# slice may have the right shape and the wrong step.

# %% mutants="block"
MUTANTS = {
    "relu_before_the_sum": ("return relu(f + shortcut)", "return relu(f) + shortcut",
                            "The sum comes before the second ReLU: behind one, f can only add. That was right."),
    "no_last_relu": ("return relu(f + shortcut)", "return f + shortcut",
                     "The second ReLU comes behind the sum. That was right."),
    "shortcut_cropped": ("x[:, ::stride, ::stride]", "x[:, :f.shape[1], :f.shape[2]]",
                         "The shortcut takes every second pixel of the picture, not a corner of it."),
    "shortcut_shifted": ("x[:, ::stride, ::stride]", "x[:, stride - 1::stride, stride - 1::stride]",
                         "The shortcut begins with the first pixel."),
    "zeros_in_front": ("(0, more)", "(more, 0)", "The zeros stand behind the channels. That was right."),
    "first_norm_missing": ("relu(batch_norm(conv2d(x, w1, 0, stride, 1), g1, b1))", "relu(conv2d(x, w1, 0, stride, 1))",
                           "A norm stands behind each convolution. That was right."),
    "stride_twice": ("conv2d(f, w2, 0, 1, 1)", "conv2d(f, w2, 0, stride, 1)",
                     "The first convolution alone has the stride. That was right."),
}

# %% [markdown]
# ## 7. Which shifts does a network not see?
#
# Convolutions with these strides, a ReLU behind each, and the mean over the grid at the end, on rows of 24 pixels
# that go on round the border. A picture is rolled to the right by s pixels. **Predict first**: what is the smallest s
# above 0 for which the result stays as it was, but for rounding (`np.allclose`), for the strides (1, 1), (2, 2), (2, 3)
# and (3, 2, 2)? Then measure.

# %%
def network(x, strides, round_the_border=True):
    """The mean of the features.    (1, 1, 24, 2) -> (4,)"""
    rng = np.random.default_rng(70)
    for stride in strides:
        w, W = rng.normal(size=(3, x.shape[-1], 4)), x.shape[2]
        x = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="wrap" if round_the_border else "constant")
        x = relu(sum(x[:, :, j:j + W] @ w[j] for j in range(3)))[:, :, ::stride]  # (1, 1, W / stride, 4)
    return x.mean(axis=(0, 1, 2))


picture = np.random.default_rng(7).normal(size=(1, 1, 24, 2))  # (B, H, W, C)

# %% answer="smallest_shifts" kind="measure"
def smallest_shifts():
    """{"one_one": ..., "two_two": ..., "two_three": ..., "three_two_two": ...}: shifts in pixels, from 1 to 24"""
    # solution: for each s from 1 to 24 compare network(np.roll(picture, s, axis=2), strides) with network(picture,
    # strides), by np.allclose; the first s that agrees is the product of the strides
    def smallest(*strides):
        before = network(picture, strides)
        return next(s for s in range(1, 25) if np.allclose(network(np.roll(picture, s, axis=2), strides), before))

    return {"one_one": smallest(1, 1), "two_two": smallest(2, 2), "two_three": smallest(2, 3),
            "three_two_two": smallest(3, 2, 2)}
    # end

# %% check="smallest_shifts" points=10
show(**smallest_shifts())

# %% [markdown] reasons="smallest_shifts"
# your four predictions beside what you measured; why strides multiply and do not add; what happens with zeros at the
# border (`round_the_border=False`), and why; which of these a ViT with patches of 4 resembles.

# %% [markdown] hint="smallest_shifts"
# One layer of stride 2: a shift by 2 moves its result by 1. By how much must the picture move so that the result of the
# second layer moves by a whole place?

# %% [markdown] hint="smallest_shifts"
# `np.roll(picture, s, axis=2)` rolls to the right, and `np.allclose` compares. Begin at s = 1: at 0 all agree.

# %% mutants="smallest_shifts"
MUTANTS = {
    "strides_added": ("return next(s for s in range(1, 25) "
                      "if np.allclose(network(np.roll(picture, s, axis=2), strides), before))",
                      "return sum(strides) if max(strides) > 1 else 1",
                      "Strides multiply: one place behind the first layer is already several pixels."),
    "largest_stride": ("return next(s for s in range(1, 25) "
                       "if np.allclose(network(np.roll(picture, s, axis=2), strides), before))",
                       "return max(strides)", "Every layer has its stride, not only the coarsest."),
    "from_zero": ("range(1, 25)", "range(0, 25)", "At 0 nothing has moved: the smallest shift above 0 is asked."),
    "zeros": ("np.allclose(network(np.roll(picture, s, axis=2), strides), before)",
              "np.allclose(network(np.roll(picture, s, axis=2), strides, False), network(picture, strides, False))",
              "With zeros at the border only a whole turn is unseen; here the row goes on round the border."),
}

# %% [markdown]
# ## 8. Four networks, told by their shifts
#
# How much the mean of the features changes when a picture is rolled, for four networks of random weights: one
# *without* strides, one with a product of strides of *two*, one with *four*, and one with four and *zeros* at the
# border. Which is which?

# %% figure="the change of the features of four networks A to D, for shifts of 0 to 12 pixels"
import matplotlib.pyplot as plt

from minivit import viz

viz.style()
SETTINGS = (((1, 1), True), ((2, 1), True), ((2, 2), True), ((2, 2), False))
figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharey=True)
for panel, letter, which in zip(axes, "ABCD", np.random.default_rng(73).permutation(4), strict=True):
    start = network(picture, *SETTINGS[which])
    moved = [network(np.roll(picture, s, axis=2), *SETTINGS[which]) for s in range(13)]
    panel.plot(range(13), [100 * np.linalg.norm(now - start) / np.linalg.norm(start) for now in moved], "o-")
    panel.set(title=f"network {letter}", xlabel="shift in pixels", xticks=range(0, 13, 2))
axes[0].set_ylabel("change of the features (%)")
plt.show()

# %% answer="read_shifts" kind="read"
def read_shifts():
    """{"without": ..., "two": ..., "four": ..., "zeros": ...}: a letter "A" to "D" each"""
    # solution: without strides nothing ever changes; the others touch 0 at multiples of their product of strides, and
    # that with zeros at the border touches it at 0 alone
    return {"without": "B", "two": "D", "four": "A", "zeros": "C"}
    # end

# %% check="read_shifts" points=10
show(**read_shifts())

# %% [markdown] hint="read_shifts"
# A curve at zero says that nothing has changed. One panel is at zero everywhere, one only at the left end: which
# networks can these be?

# %% [markdown] hint="read_shifts"
# The border is a landmark: whoever sees it notices every shift, even by a multiple of the strides.

# %% mutants="read_shifts"
MUTANTS = {
    "periods_exchanged": ('"two": "D", "four": "A"', '"two": "A", "four": "D"',
                          "A product of strides of two touches zero at every second shift."),
    "zeros_exchanged": ('"four": "A", "zeros": "C"', '"four": "C", "zeros": "A"',
                        "With zeros at the border the curve comes down, and does not touch zero again."),
    "without_zeros": ('"without": "B", "two": "D", "four": "A", "zeros": "C"',
                      '"without": "C", "two": "D", "four": "A", "zeros": "B"',
                      "Without strides and round the border nothing changes at all."),
}
