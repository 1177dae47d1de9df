# %% [markdown] minutes="estimated 55"
# # Exercise 02: patches and positions
#
# You cut pictures as the lesson does, then in a way that it does not; give a trained projection other pictures; mend
# the way to a larger grid; and find out what positions say about distance.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | pictures, height, width, channels |
# | P, S | side of a patch and step from one patch to the next; as arguments `size` and `stride` |
# | N | patches of a picture, in reading order |
# | D | width of a token |
# | E | the projection, (P P C, D) |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. A picture becomes patches
#
# Patches in reading order, each flattened as (row, column, channel).

# %% answer="patchify" kind="retype"
def patchify(x, P):
    """(B, H, W, C) -> (B, H/P * W/P, P * P * C)

    y[b, i * W/P + j] = x[b, i P : (i+1) P, j P : (j+1) P].ravel()
    """
    # solution: reshape to (B, H/P, P, W/P, P, C), exchange the two middle axes, flatten
    B, H, W, C = x.shape
    x = x.reshape(B, H // P, P, W // P, P, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/P, W/P, P, P, C)
    return x.reshape(B, -1, P * P * C)
    # end

# %% check="patchify" points=10
SEED = 2
rng = np.random.default_rng(SEED)
show(patches=patchify(rng.normal(size=(2, 4, 6, 3)), 2), square=patchify(rng.normal(size=(1, 4, 4, 1)), 2))

# %% [markdown] hint="patchify"
# Try `np.arange(16).reshape(1, 4, 4, 1)` with P = 2: the first patch must be 0 1 4 5.

# %% [markdown] hint="patchify"
# A reshape splits H into (H/P, P) and W into (W/P, P). Which two of the six axes must change places?

# %% mutants="patchify"
MUTANTS = {
    "no_transpose": (".transpose(0, 1, 3, 2, 4, 5)", "",
                     "Without the transpose a patch holds pieces of whole rows: 0 1 2 3."),
    "columns_first": ("(0, 1, 3, 2, 4, 5)", "(0, 3, 1, 2, 4, 5)", "Patches come in reading order: along a row first."),
    "channels_first": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 3, 5, 2, 4)", "Inside a patch the order is row, column, channel."),
    "pixels_transposed": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 3, 4, 2, 5)", "Inside a patch rows come before columns."),
}

# %% [markdown]
# ## 2. Bilinear weights
#
# Along one axis, n inputs become m outputs. The lesson's section 8 says where output i has its centre, and which two
# inputs it mixes.

# %% answer="bilinear_weights" kind="retype" forbid="interp"
def bilinear_weights(n, m):
    """Matrix w with output = w @ input, for n inputs and m outputs along one axis.    -> (m, n), rows add up to 1"""
    # solution: the cut centres, their floors and fractions; 1 - f goes to the floor, f to the next, if there is one
    s = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    low = np.floor(s).astype(int)
    w = np.zeros((m, n))
    np.add.at(w, (np.arange(m), low), 1 - (s - low))
    np.add.at(w, (np.arange(m), np.minimum(low + 1, n - 1)), s - low)
    return w
    # end

# %% check="bilinear_weights" points=15
SEED = 2
n, m = np.random.default_rng(SEED).permutation(np.arange(3, 9))[:2].tolist()
show(some=bilinear_weights(n, m), larger=bilinear_weights(4, 7), smaller=bilinear_weights(6, 4),
     same=bilinear_weights(3, 3), from_one=bilinear_weights(1, 2))

# %% [markdown] hint="bilinear_weights"
# For two inputs and three outputs the centres are -1/6, 1/2 and 7/6, cut to 0, 1/2 and 1. Which rows must come out?

# %% [markdown] hint="bilinear_weights"
# Both weights may go to the same input at the far end: add them with `+=` or `np.add.at`, do not overwrite.

# %% mutants="bilinear_weights"
MUTANTS = {
    "corners_aligned": ("(np.arange(m) + 0.5) * n / m - 0.5", "np.arange(m) * (n - 1) / max(m - 1, 1)",
                        "This lines up the outermost inputs and outputs. Here it is the borders of the pixels that "
                        "line up."),
    "no_half": ("(np.arange(m) + 0.5) * n / m - 0.5", "np.arange(m) * n / m", "Pixels have their centres at i + 0.5."),
    "nearest": ("1 - (s - low))\n    np.add.at(w, (np.arange(m), np.minimum(low + 1, n - 1)), s - low)", "1.0)",
                "This takes the input below. A mixture of the two neighbours is wanted."),
    "exchanged": ("low), 1 - (s - low))\n    np.add.at(w, (np.arange(m), np.minimum(low + 1, n - 1)), s - low)",
                  "low), s - low)\n    np.add.at(w, (np.arange(m), np.minimum(low + 1, n - 1)), 1 - (s - low))",
                  "The two weights are exchanged: the nearer input has the larger."),
}

# %% [markdown]
# ## 3. Patches that overlap
#
# Later models cut patches that overlap: each begins S pixels after the one before, and S may be smaller than P. Along
# an axis of H pixels there are (H - P) / S + 1 of them. With S = P it is `patchify`.

# %% answer="overlapping" kind="transfer"
def overlapping(x, size, stride):
    """Patches of size x size pixels, `stride` pixels apart, in reading order.    (B, H, W, C) -> (B, N, P P C)

    H - size and W - size are multiples of stride.
    """
    # solution: for every i in range(0, H - size + 1, stride) and every j likewise, the piece x[:, i:i + size, j:j +
    # size] as rows; stack all pieces as axis 1
    B, H, W, C = x.shape
    return np.stack([x[:, i:i + size, j:j + size].reshape(B, -1)
                     for i in range(0, H - size + 1, stride) for j in range(0, W - size + 1, stride)], axis=1)
    # end

# %% check="overlapping" points=15
SEED = 2
rng = np.random.default_rng(SEED)
x = rng.normal(size=(2, 6, 8, 3))
show(half=overlapping(x, 4, 2), apart=overlapping(x, 2, 2), close=overlapping(x[:1, :5, :5, :1], 3, 1),
     with_gaps=overlapping(x[:, :5], 2, 3))

# %% [markdown] hint="overlapping"
# A reshape uses each pixel once. Here a pixel stands in several patches: which of the lesson's two ways can do that?

# %% [markdown] hint="overlapping"
# Start from the lesson's loop. Where do patches begin, and where does the last one begin?

# %% mutants="overlapping"
MUTANTS = {
    "last_lost": ("H - size + 1, stride) for j in range(0, W - size + 1, stride)",
                  "H - size, stride) for j in range(0, W - size, stride)",
                  "The last patch begins at H - P; range leaves out its end."),
    "no_overlap": ("H - size + 1, stride) for j in range(0, W - size + 1, stride)",
                   "H - size + 1, size) for j in range(0, W - size + 1, size)",
                   "Patches begin S pixels apart, not P."),
    "columns_first": ("for i in range(0, H - size + 1, stride) for j in range(0, W - size + 1, stride)",
                      "for j in range(0, W - size + 1, stride) for i in range(0, H - size + 1, stride)",
                      "Patches come in reading order: along a row first."),
    "size_of_stride": ("x[:, i:i + size, j:j + size]", "x[:, i:i + stride, j:j + stride]",
                       "A patch has P x P pixels, whatever the step is."),
    "channels_first": (".reshape(B, -1)\n", ".transpose(0, 3, 1, 2).reshape(B, -1)\n",
                       "Inside a patch the order is row, column, channel."),
}

# %% [markdown]
# ## 4. Backward, where patches overlap
#
# For `patchify` the lesson says: a pixel arrives in one place only, so the gradient goes back by the inverse order.
# That is no longer true. Which gradient does a pixel get?

# %% answer="overlapping_backward" kind="transfer" formula=true
def overlapping_backward(dy, shape, size, stride):
    """dx of overlapping(x, size, stride).    (B, N, P P C), shape (B, H, W, C) of x -> (B, H, W, C)"""
    # solution: zeros of the picture's shape; go through the patches in the same order; each dy[:, n] as (B, P, P, C) is
    # added to the piece that its pixels came from
    B, H, W, C = shape
    dx, places = np.zeros(shape), []
    for i in range(0, H - size + 1, stride):
        places += [(i, j) for j in range(0, W - size + 1, stride)]
    for n, (i, j) in enumerate(places):
        dx[:, i:i + size, j:j + size] += dy[:, n].reshape(B, size, size, C)  # (B, P P C) -> (B, P, P, C)
    return dx
    # end

# %% check="overlapping_backward" points=15
SEED = 2
rng = np.random.default_rng(SEED)
show(half=overlapping_backward(rng.normal(size=(2, 6, 48)), (2, 6, 8, 3), 4, 2),
     apart=overlapping_backward(rng.normal(size=(1, 12, 4)), (1, 6, 8, 1), 2, 2),
     counts=overlapping_backward(np.ones((1, 9, 9)), (1, 5, 5, 1), 3, 1),
     square=overlapping_backward(rng.normal(size=(1, 4, 18)), (1, 5, 5, 2), 3, 2))

# %% [markdown] hint="overlapping_backward"
# A pixel that stands in four patches is used four times. What did lesson 01 say of an argument that is used several
# times?

# %% [markdown] hint="overlapping_backward"
# Write the loop of the forward pass once more, with the pieces on the left of `+=`.

# %% mutants="overlapping_backward"
MUTANTS = {
    "overwrites": ("+= dy[:, n]", "= dy[:, n]", "A pixel in several patches gets the sum of all their gradients."),
    "mean": ("    return dx", "    count = np.zeros(shape)\n    for i, j in places:\n"
             "        count[:, i:i + size, j:j + size] += 1\n    return dx / np.maximum(count, 1)",
             "The gradients of all uses add up: a sum, not a mean."),
    "channels_first": ("reshape(B, size, size, C)", "reshape(B, C, size, size).transpose(0, 2, 3, 1)",
                       "Inside a patch the order is row, column, channel."),
    "pixels_transposed": ("reshape(B, size, size, C)", "reshape(B, size, size, C).swapaxes(1, 2)",
                          "Inside a patch rows come before columns."),
    "columns_first": ("for n, (i, j) in enumerate(places)", "for n, (i, j) in enumerate(sorted(places, key=lambda "
                      "place: place[::-1]))", "Patches come in reading order: along a row first."),
}

# %% [markdown]
# ## 5. Grey pictures for a model that knows colours
#
# A projection E was trained on pictures of C channels. A grey picture has one. You could show it as a picture whose C
# channels are all equal; but then C numbers say what one can. Make the projection that gives the same tokens straight
# from the grey picture. (The bias stays what it is.)

# %% answer="grey_projection" kind="transfer"
def grey_projection(E, size):
    """The projection of grey pictures that gives what E gives if all channels are equal.    (P P C, D) -> (P P, D)"""
    # solution: the rows of E are numbered as (row, column, channel): reshape to (P P, C, D), and add up the channels
    return E.reshape(size * size, -1, E.shape[1]).sum(axis=1)  # (P P, C, D) -> (P P, D)
    # end

# %% check="grey_projection" points=15
SEED = 2
rng = np.random.default_rng(SEED)
show(colours=grey_projection(rng.normal(size=(12, 5)), 2), grey=grey_projection(rng.normal(size=(9, 4)), 3),
     bands=grey_projection(rng.normal(size=(16, 4)), 2))

# %% [markdown] hint="grey_projection"
# Write a token out: $\sum x_{rcq} E_{rcq}$ over row r, column c, channel q. What can be put outside of the sum over q
# if x is the same for all q?

# %% [markdown] hint="grey_projection"
# Which rows of E belong to the same pixel: neighbours, or rows P P apart?

# %% mutants="grey_projection"
MUTANTS = {
    "mean": (".sum(axis=1)", ".mean(axis=1)", "C equal channels bring C times the weight: a sum, not a mean."),
    "channels_first": ("E.reshape(size * size, -1, E.shape[1]).sum(axis=1)",
                       "E.reshape(-1, size * size, E.shape[1]).sum(axis=0)",
                       "A patch is flattened as (row, column, channel): a pixel's channels are neighbours."),
    "first_channel": (".sum(axis=1)", "[:, 0]", "The other channels' weights see the same grey value, and count."),
    "over_pixels": (".sum(axis=1)", ".sum(axis=0)", "Each pixel keeps its own weight; only its channels are joined."),
}

# %% [markdown]
# ## 6. A table on another grid
#
# This stretches a table of positions from one grid to another. Its shapes are right, a constant table passes, and so
# does a grid of a single row. But a model whose 8 x 8 positions it has stretched to 12 x 12 names pictures badly.

# %% answer="interpolate" kind="debug" bug="result_transposed"
def interpolate(positions, old, new):
    """Position embeddings of a grid of old = (h, w) patches for one of new = (H, W).    (h * w, D) -> (H * W, D)"""
    # solution: the letters behind the arrow of einsum are the order of the axes: "HWd", rows before columns, since the
    # last reshape reads the grid in this order
    grid = positions.reshape(*old, -1)  # (h, w, D)
    grid = np.einsum("Hh,Ww,hwd->HWd", bilinear_weights(old[0], new[0]), bilinear_weights(old[1], new[1]), grid)
    return grid.reshape(new[0] * new[1], -1)
    # end

# %% check="interpolate" points=10
SEED = 2
rng = np.random.default_rng(SEED)
show(finer=interpolate(rng.normal(size=(6, 4)), (2, 3), (3, 5)),
     square=interpolate(rng.normal(size=(9, 2)), (3, 3), (4, 4)),
     coarser=interpolate(rng.normal(size=(20, 3)), (5, 4), (2, 3)))

# %% [markdown] hint="interpolate"
# Stretch `np.arange(6.0)[:, None]` from (2, 3) to (2, 3): nothing should change.

# %% [markdown] hint="interpolate"
# Which tokens have changed places? Print the shape of `grid` before the last line, for a new grid that is not square.

# %% mutants="interpolate"
MUTANTS = {
    "grid_transposed": ("positions.reshape(*old, -1)", "positions.reshape(old[1], old[0], -1).swapaxes(0, 1)",
                        "Tokens are in reading order: the first axis of the grid is the rows, h."),
    "result_transposed": ('"Hh,Ww,hwd->HWd"', '"Hh,Ww,hwd->WHd"', "The new tokens must be in reading order as well."),
    "rows_only": ("bilinear_weights(old[1], new[1])", "np.eye(old[1])[np.arange(new[1]) * old[1] // new[1]]",
                  "Columns are copied from the nearest; interpolate along both axes."),
}

# %% [markdown]
# ## 7. How far do positions reach?
#
# Two measurements on the lesson's ideas. (a) The similarity of the places i and j is the product of the rows i and j of
# `sin_cos`, the lesson's table, over the product of row i with itself. What is the smallest distance at which it is
# below one half, for D = 32 and for D = 128? (b) A picture of 24 x 24 pixels, no two alike, is moved by 4 pixels to the
# right; what enters on the left is black, and what leaves on the right is lost. P = 4. How many of the 36 new patches
# equal one of the old ones, and how many if it is moved by 2 pixels?
#
# **Predict first**: does a wider embedding reach farther, as far, or less far? Then measure.

# %%
def sin_cos(positions, dim):
    """Row i: sin(i w_k), then cos(i w_k), w_k the frequencies.    (N,) -> (N, D)"""
    frequencies = 10000.0 ** (-np.arange(dim // 2) / (dim // 2))
    angles = positions[:, None] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

# %% answer="reach" kind="measure"
def reach():
    """{"narrow": distance for D = 32, "wide": for D = 128, "by_four": patches, "by_two": patches}

    Whole numbers, which must be right.
    """
    # solution: table = sin_cos(np.arange(200), D); table @ table[0] over its first entry; the first index below 0.5.
    # For the patches: numbers from 1 on, a picture of zeros, moved[:, 4:] = picture[:, :-4]; patchify both; count the
    # rows of one that are among those of the other
    def half(dim):
        products = sin_cos(np.arange(200), dim) @ sin_cos(np.arange(1), dim)[0]
        return int((products / products[0] < 0.5).argmax())

    def found(shift):
        picture, moved = np.arange(1, 577).reshape(24, 24), np.zeros((24, 24), dtype=int)
        moved[:, shift:] = picture[:, :-shift]
        old, new = (set(map(tuple, patchify(p[None, :, :, None], 4)[0].tolist())) for p in (picture, moved))
        return len(old & new)

    return {"narrow": half(32), "wide": half(128), "by_four": found(4), "by_two": found(2)}
    # end

# %% check="reach" points=10
show(**reach())

# %% [markdown] reasons="reach"
# your predictions and your measurements; what a wider embedding adds to the frequencies between 1 and 1/10000; what a
# move does to patches, and what it does to tokens that carry their positions.

# %% [markdown] hint="reach"
# (a) The similarity depends on the distance alone: the position 0 and all others are enough. (b) How many columns of
# patches are there, and how many of them leave?

# %% [markdown] hint="reach"
# (a) `table @ table[0]` has one entry a distance. (b) Two patches are equal if all of their 16 numbers are.

# %% mutants="reach"
MUTANTS = {
    "last_above": ("(products / products[0] < 0.5).argmax()", "(products / products[0] < 0.5).argmax() - 1",
                   "That is the last distance at which it is still at least one half."),
    "not_divided": ("products / products[0] < 0.5", "products < 0.5",
                    "The products are sums over D / 2 frequencies: divide by the product of a position with itself."),
    "cyclic": ("moved[:, shift:] = picture[:, :-shift]", "moved = np.roll(picture, shift, 1)",
               "What leaves on the right is lost; it does not come in again on the left."),
    "always_six": ("len(old & new)", "len(new) - 6",
                   "Moved by half a patch, each patch holds halves of two old ones: none is left as it was."),
}

# %% [markdown]
# ## 8. Which positions?
#
# Three kinds of positions on an 8 x 8 grid, D = 64: one knows rows and columns, one knows only the number of the
# patch in reading order, one has forgotten the rows and knows the column alone. The figure shows how similar each
# place is to the place marked x.

# %%
i, j = np.divmod(np.arange(64), 8)
tables = {"A": np.concatenate([sin_cos(j, 32), sin_cos(j, 32)], axis=1), "B": sin_cos(8 * i + j, 64),
          "C": np.concatenate([sin_cos(i, 32), sin_cos(j, 32)], axis=1)}
similarities = {name: table @ table[8 * 3 + 4] / 32 for name, table in tables.items()}

# %% figure="three maps of 8 x 8 places: A vertical stripes, B a horizontal band, C a spot with a cross"
import matplotlib.pyplot as plt

from minivit import viz

viz.style()
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), sharey=True)
for panel, (name, similarity) in zip(axes, similarities.items(), strict=True):
    shown = panel.imshow(similarity.reshape(8, 8), vmin=0, vmax=1)
    panel.plot(4, 3, "x", color="#D55E00", markersize=10, markeredgewidth=2)
    panel.set(title=f"table {name}", xlabel="column of patches")
axes[0].set_ylabel("row of patches")
figure.colorbar(shown, ax=axes, label="similarity to the place x")
plt.show()

# %% answer="read_tables" kind="read"
def read_tables():
    """{"both": ..., "reading_order": ..., "column": ..., "alike": ..., "farther": ...}

    The first three: which table, "A", "B" or "C", knows rows and columns, the number in reading order, the column only?
    alike: how many places, x included, the table of columns cannot tell from x. farther: by reading order, which
    neighbour is less similar to x, the "right" or the "lower" one?
    """
    # solution: stripes say that rows do not matter: all 8 places of a column are alike. In reading order the right
    # neighbour is one step away, the lower one 8 steps: the band is horizontal. A spot with a cross knows both
    both, reading_order, column = "C", "B", "A"
    alike = int(np.isclose(similarities[column], 1).sum())
    farther = "lower" if similarities[reading_order][36] < similarities[reading_order][29] else "right"
    return {"both": both, "reading_order": reading_order, "column": column, "alike": alike, "farther": farther}
    # end

# %% check="read_tables" points=10
show(**read_tables())

# %% [markdown] hint="read_tables"
# How far apart are two patches that touch each other from above and below, if patches are counted in reading order?

# %% [markdown] hint="read_tables"
# A table that does not know the rows gives every place of a column the same vector.

# %% mutants="read_tables"
MUTANTS = {
    "stripes_in_order": ('"C", "B", "A"', '"C", "A", "B"',
                         "Vertical stripes: the row makes no difference. In reading order it makes a large one."),
    "itself_left_out": ("np.isclose(similarities[column], 1).sum()", "np.isclose(similarities[column], 1).sum() - 1",
                        "Count the place x as well."),
    "band_misread": ('"lower" if', '"right" if',
                     "Along the band it stays bright: these are the neighbours in reading order."),
}
