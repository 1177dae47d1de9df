# %% [markdown] minutes="estimated 55"
# # Exercise 35: hide three quarters, guess the rest
#
# The masking of the masked autoencoder and its way back, the gradient of its loss; a mask that nobody draws, and mask
# tokens that need no order; a loss with a mistake; how often a hidden patch has a visible neighbour; and pictures that
# cheat. All in plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, N | pictures in a batch, patches of a picture |
# | V | visible patches of a picture |
# | P, C | side of a patch in pixels, channels: P P C numbers in a patch |
# | D, d | width of the encoder, of the decoder |
# | shuffle, restore | which patch stands at each place of the shuffled row; at which place each patch stands |
# | mask | (B, N): 1 where a patch is hidden, else 0 |

# %%
import numpy as np

from minivit.grading.show import show


def gather(x, index):
    """y[b, v] = x[b, index[b, v]].    (B, N, D), (B, V) -> (B, V, D)"""
    return x[np.arange(len(x))[:, None], index]


def statistics(patches):
    """Mean and deviation of each patch.    (B, N, P P C) -> two of (B, N, 1)"""
    variance = patches.var(axis=-1, keepdims=True, ddof=1)
    return patches.mean(axis=-1, keepdims=True), np.sqrt(variance + 1e-6)

# %% [markdown]
# ## 1. Who stays, and who stands where
#
# Each patch has a random number; the V smallest stay, in the order of their numbers.

# %% answer="random_masking" kind="retype"
def random_masking(noise, V):
    """keep, the visible patches; restore, the place of each patch in the shuffled row.    (B, N) -> (B, V), (B, N)"""
    # solution: shuffle is the argsort of the noise along axis 1; keep its first V columns; restore is the argsort of
    # shuffle, along the same axis
    shuffle = noise.argsort(axis=1)
    return shuffle[:, :V], shuffle.argsort(axis=1)
    # end

# %% check="random_masking" points=10
SEED = 35
rng = np.random.default_rng(SEED)
keep, restore = random_masking(rng.random((4, 8)), 3)
show(keep=keep, restore=restore)

# %% [markdown] hint="random_masking"
# By hand, with the noise .6 .1 .9 .3 .5 of the lesson: who stands at place 0, 1, 2 ...? Where does token 0, 1, 2 ...
# stand?

# %% [markdown] hint="random_masking"
# Two argsorts, the second of the result of the first. Each picture draws for itself: along which axis?

# %% mutants="random_masking"
MUTANTS = {
    "sorted_once": ("shuffle[:, :V], shuffle.argsort(axis=1)", "shuffle[:, :V], shuffle",
                    "The way back is the inverse of the shuffle: its argsort."),
    "largest_stay": ("noise.argsort(axis=1)", "(-noise).argsort(axis=1)", "The smallest numbers stay."),
    "across_the_batch": ("noise.argsort(axis=1)", "noise.argsort(axis=0)",
                         "Each picture draws for itself: sort along axis 1."),
    "kept_by_place": ("shuffle[:, :V], shuffle.argsort(axis=1)",
                      "shuffle.argsort(axis=1)[:, :V], shuffle.argsort(axis=1)",
                      "keep lists patches: who stands at the first V places, not where the first V patches stand."),
    "kept_in_order": ("shuffle[:, :V], shuffle", "np.sort(shuffle[:, :V], axis=1), shuffle",
                      "The visible patches stay in the order of their numbers: restore counts on it."),
}

# %% [markdown]
# ## 2. Back in place
#
# The decoder gets all N places: codes where they belong, the mask token at all others.

# %% answer="unshuffle" kind="retype"
def unshuffle(codes, mask_token, restore):
    """Codes at their places, the mask token at all others.    (B, V, d), (d,), (B, N) -> (B, N, d)"""
    # solution: put N - V mask tokens behind the codes along axis 1, then `gather` with restore
    B, V, d = codes.shape
    hidden = np.broadcast_to(mask_token, (B, restore.shape[1] - V, d))
    return gather(np.concatenate([codes, hidden], axis=1), restore)
    # end

# %% check="unshuffle" points=10
SEED = 35
rng = np.random.default_rng(SEED)
restore = np.argsort(rng.random((3, 10)), axis=1)
show(tokens=unshuffle(rng.normal(size=(3, 6, 4)), rng.normal(size=4), restore))

# %% [markdown] hint="unshuffle"
# The lesson's codes 110 and 130, of tokens 1 and 3, and three mask tokens 0 must become 0 110 0 130 0.

# %% [markdown] hint="unshuffle"
# First the row in shuffled order, N long, the codes in front. Then each patch asks for what stands at its place.

# %% mutants="unshuffle"
MUTANTS = {
    "not_restored": ("return gather(np.concatenate([codes, hidden], axis=1), restore)",
                     "return np.concatenate([codes, hidden], axis=1)", "The tokens are still in shuffled order."),
    "shuffled_again": ("axis=1), restore)", "axis=1), restore.argsort(axis=1))",
                       "This shuffles again. `restore` is the index itself."),
    "mask_first": ("[codes, hidden]", "[hidden, codes]", "In shuffled order the visible tokens come first."),
    "zeros": ("np.broadcast_to(mask_token, (B, restore.shape[1] - V, d))", "np.zeros((B, restore.shape[1] - V, d))",
              "Hidden places get the learned mask token, not zeros."),
}

# %% [markdown]
# ## 3. The loss, backward
#
# The loss of section 5 of the lesson: the mean of squares over the pixels of a patch, then the mean over the hidden
# patches of the whole batch.

# %% answer="masked_loss_backward" kind="retype" formula=true
def masked_loss_backward(guess, target, mask):
    """dguess of sum_bn mask_bn mean_k (guess - target)^2 / sum_bn mask_bn.

    (B, N, P P C), (B, N, P P C), (B, N) -> (B, N, P P C)
    """
    # solution: 2 (guess - target) times the mask with a new last axis, over P P C times the sum of the mask
    return 2 * (guess - target) * mask[:, :, None] / (guess.shape[-1] * mask.sum())
    # end

# %% check="masked_loss_backward" points=15
SEED = 35
rng = np.random.default_rng(SEED)
guess, target = rng.normal(size=(2, 3, 4, 5))
mask = np.array([[1.0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1]])
many = masked_loss_backward(*rng.normal(size=(2, 40, 50, 50)).astype(np.float32), np.tile(mask[0, [0, 1]], (40, 25)))
show(gradient=masked_loss_backward(guess, target, mask), many=5e4 * np.asarray(many)[::10, ::7, ::10])

# %% [markdown] hint="masked_loss_backward"
# In how many squares does one guessed number occur, and by what is that square divided on its way to the loss?

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
    "per_picture": ("mask.sum())", "mask.sum(axis=1)[:, None, None])",
                    "All hidden patches of the batch count the same: divide by the number of all of them."),
}

# %% [markdown]
# ## 4. A mask that nobody draws
#
# The paper also tries a regular mask (figure 6): of every 2 x 2 patches the upper left one stays, the other three are
# hidden. The decoder shall not notice: give the `keep` and the `restore` of one picture, so that your `unshuffle` works
# with them as it is. Both lists, visible and hidden patches, in reading order.

# %% answer="grid_masking" kind="transfer"
def grid_masking(rows, columns):
    """keep and restore for a grid of rows x columns patches, of which one in four stays.    -> (V,), (N,) integers"""
    # solution: row and column of every patch by `np.divmod(np.arange(N), columns)`; visible where both are even;
    # shuffle is the numbers of the visible patches, then those of the hidden ones (`np.flatnonzero`); restore its
    # argsort
    row, column = np.divmod(np.arange(rows * columns), columns)
    visible = (row % 2 == 0) & (column % 2 == 0)
    keep = np.flatnonzero(visible)
    return keep, np.concatenate([keep, np.flatnonzero(~visible)]).argsort()
    # end

# %% check="grid_masking" points=15
SEED = 35
rows, columns = (2 * np.random.default_rng(SEED).permutation([2, 3])).tolist()
keep, restore = grid_masking(rows, columns)
keep_wide, restore_wide = grid_masking(2, 8)
show(keep=keep, restore=restore, keep_wide=keep_wide, restore_wide=restore_wide)

# %% [markdown] hint="grid_masking"
# On a grid of 2 x 4 the patches 0 and 2 stay. What is the shuffled row, and at which place of it stands each of the
# eight patches?

# %% [markdown] hint="grid_masking"
# Forget the noise: any row with the visible patches in front is a shuffle, and the lesson says what its restore is.

# %% mutants="grid_masking"
MUTANTS = {
    "shuffle_for_restore": (".argsort()", "", "This is who stands at each place; restore is where each patch stands."),
    "hidden_first": ("[keep, np.flatnonzero(~visible)]", "[np.flatnonzero(~visible), keep]",
                     "In shuffled order the visible patches come first."),
    "every_other_row": (" & (column % 2 == 0)", "", "Every other row and every other column: one in four stays."),
    "every_fourth": ("(row % 2 == 0) & (column % 2 == 0)", "np.arange(rows * columns) % 4 == 0",
                     "Every fourth patch in reading order is no regular grid: look at the rows below each other."),
    "columns_for_rows": ("np.divmod(np.arange(rows * columns), columns)", "np.divmod(np.arange(rows * columns), rows)",
                         "A row has as many patches as there are columns."),
}

# %% [markdown]
# ## 5. Mask tokens that need no order
#
# SimMIM (arXiv:2111.09886) leaves the patches where they are and gives the encoder all of them, hidden ones replaced:
# $y_{bn} = (1 - m_{bn})\, x_{bn} + m_{bn}\, \mathrm{token} + E_n$, with one learned mask token and a position
# $E_n$ for each patch. Derive the backward pass.

# %% answer="in_place_backward" kind="transfer" formula=true
def in_place_backward(dy, mask):
    """dx, dtoken, dE.    (B, N, D), (B, N) -> (B, N, D), (D,), (N, D)"""
    # solution: dx is dy times 1 - mask (with a new last axis); dtoken is the sum of dy times the mask over batch and
    # patches; dE is the sum of dy over the batch, hidden or not
    hidden = mask[:, :, None]  # (B, N, 1)
    return dy * (1 - hidden), (dy * hidden).sum(axis=(0, 1)), dy.sum(axis=0)
    # end

# %% check="in_place_backward" points=15
SEED = 35
rng = np.random.default_rng(SEED)
mask = rng.permutation(np.repeat([0.0, 1.0, 1.0], 5)).reshape(3, 5)
dx, dtoken, dE = in_place_backward(rng.normal(size=(3, 5, 5)), mask)
many, _, many_dE = in_place_backward(rng.normal(size=(400, 16, 16)), rng.integers(2, size=(400, 16)))
show(dx=dx, dtoken=dtoken, dE=dE, many=np.asarray(many)[::100, ::5, ::5], many_dE=many_dE)

# %% [markdown] hint="in_place_backward"
# For one patch of one picture: to whom does its dy go if it is hidden, to whom if it is visible, and to whom always?

# %% [markdown] hint="in_place_backward"
# One token serves all hidden patches of all pictures, one E serves all pictures: what is shared collects a sum.

# %% mutants="in_place_backward"
MUTANTS = {
    "all_to_x": ("dy * (1 - hidden)", "dy", "Where a patch is hidden, x has no influence: its gradient is zero there."),
    "reversed": ("dy * (1 - hidden)", "dy * hidden", "1 in the mask means hidden: x is what is visible."),
    "all_to_token": ("(dy * hidden).sum(axis=(0, 1))", "dy.sum(axis=(0, 1))",
                     "The token stands at hidden places only."),
    "mean": ("(dy * hidden).sum(axis=(0, 1))", "(dy * hidden).sum(axis=(0, 1)) / mask.sum()",
             "The gradients of the copies add up: a sum, not a mean."),
    "token_by_place": ("(dy * hidden).sum(axis=(0, 1))", "(dy * hidden).sum(axis=0)",
                       "One token serves all places: sum over the patches as well."),
    "positions_of_visible": ("dy.sum(axis=0)", "(dy * (1 - hidden)).sum(axis=0)",
                             "Positions are added to mask tokens, too."),
    "positions_of_hidden": ("dy.sum(axis=0)", "(dy * hidden).sum(axis=0)",
                            "Positions are added to visible patches, too."),
}

# %% [markdown]
# ## 6. Two rows that nobody looks at
#
# The whole loss of a masked autoencoder, with your first two functions. It runs, it falls, and pictures are painted.
# But with V = 16 patches of a grid of 8 x 8, it stays the same whatever the decoder paints in the first two rows of
# the picture.

# %% answer="mae_loss" kind="debug" bug="shuffled_mask"
def mae_loss(patches, noise, V, encoder, decoder, mask_token):
    """The loss on hidden patches, with normalised targets.

    (B, N, P P C), (B, N), number, (B, V, P P C) -> (B, V, d), (B, N, d) -> (B, N, P P C), (d,) -> number
    """
    # solution: the mask must be in the order of the picture, like the errors: hidden is where restore is V or more
    keep, restore = random_masking(noise, V)
    codes = encoder(gather(patches, keep))  # (B, V, d)
    guess = decoder(unshuffle(codes, mask_token, restore))  # (B, N, P P C)
    mean, deviation = statistics(patches)
    error = ((guess - (patches - mean) / deviation) ** 2).mean(axis=-1)  # (B, N)
    hidden = restore >= V  # (B, N)
    return (error * hidden).sum() / hidden.sum()
    # end

# %% check="mae_loss" points=15
SEED = 35
rng = np.random.default_rng(SEED)
into, out, mixing = rng.normal(size=(6, 4)), rng.normal(size=(4, 6)), rng.normal(size=(8, 8))
mask_token = rng.normal(size=4)
patches, noise = rng.normal(size=(3, 8, 6)), rng.random((3, 8))
settings = lambda x: np.tanh(x @ into), lambda x: mixing @ x @ out, mask_token
show(loss=mae_loss(patches, noise, 2, *settings), half=mae_loss(patches, noise, 4, *settings))

# %% [markdown] hint="mae_loss"
# Print the mask for a small noise, and beside it the lists of visible patches. Which patches does the mask call
# visible?

# %% [markdown] hint="mae_loss"
# There are two orders here, the picture's and the shuffled row's. Write behind each array of the last four lines in
# which of the two its second axis is.

# %% mutants="mae_loss"
MUTANTS = {
    "shuffled_mask": ("hidden = restore >= V", "hidden = np.tile(np.arange(noise.shape[1]) >= V, (len(noise), 1))",
                      "This mask is in the order of the shuffled row: it calls the first V patches visible, whoever "
                      "they are."),
    "shuffle_for_restore": ("restore >= V", "noise.argsort(axis=1) >= V",
                            "This asks who stands at each place. The mask asks where each patch stands."),
    "visible": ("restore >= V", "restore < V", "This is the error of the visible patches."),
    "off_by_one": ("restore >= V", "restore > V", "Places count from 0: the first hidden patch stands at place V."),
    "all_patches": ("(error * hidden).sum() / hidden.sum()", "error.mean()", "Only hidden patches count."),
    "raw_targets": ("(patches - mean) / deviation", "patches", "The targets are normalised. That was right."),
    "not_gathered": ("encoder(gather(patches, keep))", "encoder(patches[:, :V])",
                     "The encoder sees the patches that keep lists. That was right."),
}

# %% [markdown]
# ## 7. Is there a neighbour to copy?
#
# The paper hides so many patches that copying a neighbour is not enough. Is it because there is none? How many of the
# *hidden* patches have a visible one directly above, below, left or right of them? **Predict first**, on paper, for a
# grid of 8 x 8: with half of the patches visible, with a quarter, with 6 of 64; and for the regular mask of section 4.
# (For a patch that is not at the border: what is the probability that all four are hidden?) Then measure, with the
# noise below.

# %%
NOISE = np.random.default_rng(35).random((2000, 64))  # (pictures, N)

# %% answer="neighbours" kind="measure"
def neighbours():
    """{"half": ..., "quarter": ..., "six": ..., "grid": ...}: whole percents of the hidden patches of all pictures"""
    # solution: visible is restore < V, as maps (pictures, 8, 8); put a border of False around them with np.pad; the
    # four neighbours are four slices of the padded maps; the mean over the hidden patches of "one of them is visible"
    def share(visible):
        maps = np.pad(visible.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))  # (pictures, 10, 10)
        near = maps[:, :-2, 1:-1] | maps[:, 2:, 1:-1] | maps[:, 1:-1, :-2] | maps[:, 1:-1, 2:]  # (pictures, 8, 8)
        return round(100 * float(near[~maps[:, 1:-1, 1:-1]].mean()))

    half, quarter, six = (share(random_masking(NOISE, V)[1] < V) for V in (32, 16, 6))
    return {"half": half, "quarter": quarter, "six": six, "grid": share(grid_masking(8, 8)[1] < 16)}
    # end

# %% check="neighbours" points=10
show(**neighbours())

# %% [markdown] reasons="neighbours"
# your four predictions, with their formulas, and what you measured; why the random ones are all off in the same
# direction; whether there is mostly no neighbour to copy, and what section 5 of the lesson found about copying it.

# %% [markdown] hint="neighbours"
# `restore < V` says in the order of the picture who is visible; as (pictures, 8, 8) you can look up and down.

# %% [markdown] hint="neighbours"
# A frame of hidden places around each map saves all special cases: then "above" is the same map, moved by a row.

# %% mutants="neighbours"
MUTANTS = {
    "wraps_round": ("np.pad(visible.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))",
                    "np.pad(visible.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)), mode='wrap')",
                    "A patch at the border has no neighbour on the other side of the picture."),
    "predicted": ('"half": half, "quarter": quarter, "six": six, "grid"',
                  '"half": 94, "quarter": 68, "six": 33, "grid"',
                  "These are predictions for a patch inside the picture. Measure: what is different at the border?"),
    "of_all": ("near[~maps[:, 1:-1, 1:-1]].mean()", "near.mean()", "Of the hidden patches only."),
    "sideways": ("maps[:, :-2, 1:-1] | maps[:, 2:, 1:-1] | maps", "maps", "Above and below are neighbours, too."),
    "diagonal": ("maps[:, :-2, 1:-1] | maps[:, 2:, 1:-1]",
                 "maps[:, :-2, 1:-1] | maps[:, 2:, 1:-1] | maps[:, :-2, :-2] | maps[:, :-2, 2:] | maps[:, 2:, :-2] | "
                 "maps[:, 2:, 2:]", "Only the four patches that share a side."),
    "hidden_for_visible": ("[1] < V)", "[1] >= V)", "Visible is where restore is less than V."),
}

# %% [markdown]
# ## 8. Painters
#
# Six pictures with three quarters of their patches hidden, and what four painters make of them. One guesses nothing
# (zero everywhere) and takes the mean and the deviation of each hidden patch from that patch itself (*leaked*); one
# guesses nothing and takes the average mean and deviation of the visible patches (*honest*); one guesses every hidden
# patch perfectly, with the same honest numbers (*perfect*); and one has all patches right, but brings them back with
# shuffle in place of restore (*shuffled*).

# %% figure="six pictures, their visible patches, and four rows of painted pictures"
import matplotlib.pyplot as plt

from minivit import nn
from minivit.data.shapes10 import load_shapes10

pictures = load_shapes10(train=1, test=6, seed=5)[1].images / 255  # (6, 32, 32, 3)
patches, rng = nn.patchify(pictures, 4), np.random.default_rng(4)  # (6, 64, 48)
shuffle = rng.random((6, 64)).argsort(axis=1)
visible = (shuffle.argsort(axis=1) < 16)[..., None]  # (6, 64, 1)
own = statistics(patches)
honest = [(part * visible).sum(axis=1, keepdims=True) / 16 for part in own]  # two of (6, 1, 1)
guesses = (own[0] + 0 * patches, honest[0] + 0 * patches, (patches - own[0]) / own[1] * honest[1] + honest[0])
painted = [*(np.where(visible, patches, guess) for guess in guesses), gather(gather(patches, shuffle), shuffle)]
rows = {"picture": patches, "visible": np.where(visible, patches, 0.5)}
rows |= {f"painter {letter}": painted[which] for letter, which in zip("ABCD", rng.permutation(4), strict=True)}
figure, axes = plt.subplots(6, 1, figsize=(7, 7.6))
for panel, (name, row) in zip(axes, rows.items(), strict=True):
    panel.imshow(np.concatenate(nn.unpatchify(row, (8, 8), 3), axis=1).clip(0, 1))
    panel.set(xticks=[], yticks=[])
    panel.set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %% answer="read_painters" kind="read"
def read_painters():
    """{"leaked": ..., "honest": ..., "perfect": ..., "shuffled": ...}: a letter "A" to "D" each"""
    # solution: an honest painter who guesses nothing gives all hidden patches of a picture one grey; leaked numbers
    # give each its own grey, so outlines appear although nothing was guessed; a perfect guess shows edges within the
    # hidden patches, with a wrong brightness; shuffled patches are sharp and in the wrong places
    return {"leaked": "B", "honest": "C", "perfect": "D", "shuffled": "A"}
    # end

# %% check="read_painters" points=10
show(**read_painters())

# %% [markdown] hint="read_painters"
# Which row knows nothing and still looks like the picture, and which knows everything that a model can know?

# %% [markdown] hint="read_painters"
# Look *into* a hidden patch: is there anything in it but one colour? And at its neighbour: the same colour or its own?

# %% mutants="read_painters"
MUTANTS = {
    "looks_like_it": ('"leaked": "B", "honest": "C", "perfect": "D"', '"leaked": "D", "honest": "C", "perfect": "B"',
                      "One grey in each patch is no guess at all: what looks like a picture there was leaked."),
    "one_grey": ('"leaked": "B", "honest": "C"', '"leaked": "C", "honest": "B"',
                 "Honest numbers are the same for all hidden patches of a picture."),
    "sharp": ('"perfect": "D", "shuffled": "A"', '"perfect": "A", "shuffled": "D"',
              "Right patches in wrong places are not a perfect guess."),
}
