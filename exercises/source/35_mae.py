# %% [markdown] minutes="estimated 60"
# # Exercise 35: hide three quarters, guess the rest
#
# The masked autoencoder (He et al. 2022) shows a random quarter of the patches to its encoder, puts a learned token
# where the others were, and compares the decoder's guesses with the hidden pixels. Six functions in plain NumPy.
#
# | symbol | meaning |
# |---|---|
# | B, N, D | batch, patches, width |
# | V | patches that stay visible |
# | P * P * C | pixels of a patch, as one axis here called p |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Who stays
#
# Each patch gets a random number; the V smallest stay, in the order of their numbers. `argsort` of the noise
# lists the patches in that order (`shuffle`); `argsort` of `shuffle` is the way back (`restore`): it says at
# which place of the shuffled order each patch is. Four patches with noise .3 .9 .1 .5: shuffle is 2 0 3 1 (patch
# 2 has the smallest number), restore is 1 3 0 2 (patch 0 is at place 1).

# %% answer="random_masking" kind="retype"
def random_masking(noise, visible):
    """Places of the visible patches, the mask (1 = hidden), and the way back.    (B, N) -> (B, V), (B, N), (B, N)"""
    # solution: argsort of the noise, argsort of that; the first V of the first; hidden where the second is V or more
    shuffle = noise.argsort(axis=1)
    restore = shuffle.argsort(axis=1)
    return shuffle[:, :visible], (restore >= visible).astype(float), restore
    # end

# %% check="random_masking" points=20
SEED = 35
rng = np.random.default_rng(SEED)
keep, mask, restore = random_masking(rng.random((4, 8)), 3)
show(keep=keep, mask=mask, restore=restore)

# %% [markdown] hint="random_masking"
# By hand, with noise .3 .9 .1: shuffle is 2 0 1, and restore is 1 2 0: patch 0 is at place 1 of the shuffled order.

# %% mutants="random_masking"
MUTANTS = {
    "sorted_twice": ("restore = shuffle.argsort(axis=1)", "restore = shuffle",
                     "The way back is the inverse of the shuffle: its argsort."),
    "largest_stay": ("noise.argsort(axis=1)", "(-noise).argsort(axis=1)", "The smallest numbers stay."),
    "mask_reversed": ("(restore >= visible)", "(restore < visible)", "1 means hidden, 0 visible."),
    "mask_shuffled": ("(restore >= visible).astype(float)",
                      "np.tile(np.arange(noise.shape[1]) >= visible, (len(noise), 1)) * 1.0",
                      "This is the mask in shuffled order; it must be in the order of the patches."),
    "across_the_batch": ("noise.argsort(axis=1)", "noise.argsort(axis=0)",
                         "Each picture draws for itself: sort along axis 1."),
}

# %% [markdown]
# ## 2. Picking tokens
#
# Row b of `keep` lists the patches of picture b. `x[:, keep]` picks something else; `np.take_along_axis` wants an
# index with as many axes as x.

# %% answer="gather" kind="retype"
def gather(x, keep):
    """y[b, v] = x[b, keep[b, v]].    (B, N, D), (B, V) -> (B, V, D)"""
    # solution: index batch and token together, the batch as a column
    return x[np.arange(len(x))[:, None], keep]
    # end

# %% check="gather" points=10
SEED = 35
rng = np.random.default_rng(SEED)
show(tokens=gather(rng.normal(size=(4, 4, 4)), np.argsort(rng.random((4, 4)))[:, :2]))

# %% [markdown] hint="gather"
# Either `np.take_along_axis(x, keep[:, :, None], axis=1)`, or `x[np.arange(B)[:, None], keep]`.

# %% mutants="gather"
MUTANTS = {
    "first_picture": ("x[np.arange(len(x))[:, None], keep]", "x[:, keep[0]]", "Every picture has its own list."),
    "channels": ("x[np.arange(len(x))[:, None], keep]", "np.take_along_axis(x, keep[:, None], axis=2).swapaxes(1, 2)",
                 "These are channels. Tokens are on axis 1."),
    "first_ones": ("[np.arange(len(x))[:, None], keep]", "[:, :keep.shape[1]]",
                   "These are the first V tokens, not the listed ones."),
}

# %% [markdown]
# ## 3. Back in place
#
# The decoder gets all N places: the encoded tokens, then the mask token as often as needed, and all of it brought
# back into the order of the patches by `restore`.

# %% answer="unshuffle" kind="retype"
def unshuffle(encoded, mask_token, restore):
    """Encoded tokens at their places, the mask token at all others.    (B, V, D), (D,), (B, N) -> (B, N, D)"""
    # solution: put N - V mask tokens behind the encoded ones, then gather with restore
    B, V, D = encoded.shape
    hidden = np.broadcast_to(mask_token, (B, restore.shape[1] - V, D))
    return gather(np.concatenate([encoded, hidden], axis=1), restore)
    # end

# %% check="unshuffle" points=20
SEED = 35
rng = np.random.default_rng(SEED)
restore = np.argsort(rng.random((3, 10)), axis=1)
show(tokens=unshuffle(rng.normal(size=(3, 6, 4)), rng.normal(size=4), restore))

# %% [markdown] hint="unshuffle"
# First the list in shuffled order, N long, the encoded tokens in front. Then it is a `gather`.

# %% mutants="unshuffle"
MUTANTS = {
    "not_restored": ("return gather(np.concatenate([encoded, hidden], axis=1), restore)",
                     "return np.concatenate([encoded, hidden], axis=1)", "The tokens are still in shuffled order."),
    "shuffled_again": ("axis=1), restore)", "axis=1), restore.argsort(axis=1))",
                       "This shuffles again. `restore` is the index itself."),
    "mask_first": ("[encoded, hidden]", "[hidden, encoded]", "In shuffled order the visible tokens come first."),
    "zeros": ("np.broadcast_to(mask_token, (B, restore.shape[1] - V, D))", "np.zeros((B, restore.shape[1] - V, D))",
              "Hidden places get the learned mask token, not zeros."),
}

# %% [markdown]
# ## 4. Normalised targets
#
# Guessing works better on pixels that are normalised patch by patch: minus the patch's mean, over its standard
# deviation (section 4.1). As in the official code the variance is divided by p - 1, and 1e-6 is added to it under
# the root.

# %% answer="normalise_patches" kind="retype"
def normalise_patches(patches):
    """(x - mean) / sqrt(variance + 1e-6) of every patch.    (B, N, p) -> (B, N, p)"""
    # solution: mean and variance over the last axis, the variance with ddof=1
    variance = patches.var(axis=-1, keepdims=True, ddof=1)
    return (patches - patches.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-6)
    # end

# %% check="normalise_patches" points=10
SEED = 35
rng = np.random.default_rng(SEED)
show(target=normalise_patches(rng.normal(3, 2, size=(2, 4, 4))),
     flat=normalise_patches(1e-3 * np.arange(4.0).reshape(1, 1, 4)))

# %% [markdown] hint="normalise_patches"
# `var(..., ddof=1)` divides by p - 1.

# %% mutants="normalise_patches"
MUTANTS = {
    "divided_by_p": (", ddof=1", "", "The variance is divided by p - 1 here: ddof=1."),
    "per_picture": ("patches.mean(axis=-1, keepdims=True)", "patches.mean(axis=(1, 2), keepdims=True)",
                    "Every patch has its own mean."),
    "eps_outside": ("np.sqrt(variance + 1e-6)", "(np.sqrt(variance) + 1e-6)", "1e-6 is added under the root."),
    "no_root": ("np.sqrt(variance + 1e-6)", "(variance + 1e-6)",
                "Divide by the standard deviation, the root of the variance."),
}

# %% [markdown]
# ## 5. The loss
#
# The mean of squares over the pixels of a patch, then the mean over the *hidden* patches of the whole batch:
# copying what is seen earns nothing.

# %% answer="masked_loss" kind="retype"
def masked_loss(guess, target, mask):
    """sum_bn mask_bn mean_p (guess - target)^2 / sum_bn mask_bn.    (B, N, p), (B, N, p), (B, N) -> number"""
    # solution: mean over pixels, times the mask, summed, over the number of hidden patches
    error = ((guess - target) ** 2).mean(axis=-1)
    return (error * mask).sum() / mask.sum()
    # end

# %% check="masked_loss" points=20
SEED = 35
rng = np.random.default_rng(SEED)
guess, target = rng.normal(size=(2, 3, 4, 5))
show(loss=masked_loss(guess, target, np.array([[1.0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1]])),
     one=masked_loss(guess, target, np.eye(3, 4)))

# %% [markdown] hint="masked_loss"
# Divide by the number of hidden patches, `mask.sum()`, not by the number of all.

# %% mutants="masked_loss"
MUTANTS = {
    "all_patches": ("(error * mask).sum() / mask.sum()", "error.mean()", "Only hidden patches count."),
    "divided_by_all": ("/ mask.sum()", "/ mask.size", "Divide by the number of hidden patches."),
    "visible": ("(error * mask).sum() / mask.sum()", "(error * (1 - mask)).sum() / (1 - mask).sum().clip(1)",
                "This is the error of the visible patches: 1 in the mask means hidden."),
    "sum_over_pixels": (".mean(axis=-1)", ".sum(axis=-1)", "The mean over the pixels of a patch, not the sum."),
    "absolute": ("((guess - target) ** 2)", "abs(guess - target)", "The loss is the square of the difference."),
    "per_picture": ("(error * mask).sum() / mask.sum()", "((error * mask).sum(1) / mask.sum(1)).mean()",
                    "All hidden patches of the batch count the same, whichever picture they belong to."),
}

# %% [markdown]
# ## 6. The loss, backward

# %% answer="masked_loss_backward" kind="retype" formula=true
def masked_loss_backward(guess, target, mask):
    """d masked_loss / d guess.    (B, N, p), (B, N, p), (B, N) -> (B, N, p)"""
    # solution: twice the difference times the mask, over the pixels of a patch and the number of hidden patches
    return 2 * (guess - target) * mask[:, :, None] / (guess.shape[-1] * mask.sum())
    # end

# %% check="masked_loss_backward" points=20
SEED = 35
rng = np.random.default_rng(SEED)
guess, target = rng.normal(size=(2, 3, 4, 5))
mask = np.array([[1.0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1]])
many = masked_loss_backward(*rng.normal(size=(2, 40, 50, 50)).astype(np.float32), np.tile(mask[0, [0, 1]], (40, 25)))
show(gradient=masked_loss_backward(guess, target, mask), many=5e4 * np.asarray(many)[::10, ::7, ::10])

# %% [markdown] hint="masked_loss_backward"
# Visible patches receive no gradient. Both means, over pixels and over hidden patches, divide it.

# %% mutants="masked_loss_backward"
MUTANTS = {
    "no_two": ("2 * (guess", "(guess", "The derivative of a square has the factor 2."),
    "no_mask": (" * mask[:, :, None]", "", "Visible patches are not part of the loss: their gradient is zero."),
    "no_pixels": ("guess.shape[-1] * mask.sum()", "mask.sum()",
                  "The loss is a mean over the pixels: divide by their number."),
    "divided_by_all": ("mask.sum()", "mask.size", "Divide by the number of hidden patches."),
    "sign": ("(guess - target)", "(target - guess)", "The sign: guess minus target."),
}
