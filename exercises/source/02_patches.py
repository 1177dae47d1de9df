# %% [markdown] minutes="estimated 60"
# # Exercise 02: patches and positions
#
# A Vision Transformer reads a picture as a sequence of patches, and is told where each of them was. Six functions
# in plain NumPy.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | pictures, height, width, channels |
# | P | side of a patch; H / P rows and W / P columns of patches |
# | N | patches of a picture, in reading order |
# | D | width of a token |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. A picture becomes patches
#
# Patches in reading order, each flattened as (row, column, channel). A reshape splits H into (H/P, P) and W into
# (W/P, P); a transpose brings the two axes inside a patch together; a second reshape flattens.

# %% answer="patchify" kind="retype"
def patchify(x, size):
    """(B, H, W, C) -> (B, H/P * W/P, P * P * C)

    y[b, i * W/P + j] = x[b, i P : (i+1) P, j P : (j+1) P].ravel()
    """
    # solution: reshape to (B, H/P, P, W/P, P, C), exchange the two middle axes, flatten
    B, H, W, C = x.shape
    x = x.reshape(B, H // size, size, W // size, size, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/P, W/P, P, P, C)
    return x.reshape(B, -1, size * size * C)
    # end

# %% check="patchify" points=15
SEED = 2
rng = np.random.default_rng(SEED)
show(patches=patchify(rng.normal(size=(2, 4, 6, 3)), 2), square=patchify(rng.normal(size=(1, 4, 4, 1)), 2))

# %% [markdown] hint="patchify"
# Try `np.arange(16).reshape(1, 4, 4, 1)` with P = 2: the first patch must be 0 1 4 5.

# %% mutants="patchify"
MUTANTS = {
    "no_transpose": (".transpose(0, 1, 3, 2, 4, 5)", "",
                     "Without the transpose a patch holds pieces of whole rows: 0 1 2 3."),
    "columns_first": ("(0, 1, 3, 2, 4, 5)", "(0, 3, 1, 2, 4, 5)", "Patches come in reading order: along a row first."),
    "channels_first": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 3, 5, 2, 4)", "Inside a patch the order is row, column, channel."),
    "pixels_transposed": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 3, 4, 2, 5)", "Inside a patch rows come before columns."),
}

# %% [markdown]
# ## 2. And back
#
# The inverse. It needs the number of rows of patches, since 12 patches may be 3 by 4 or 2 by 6.

# %% answer="unpatchify" kind="retype"
def unpatchify(y, size, rows):
    """The inverse of patchify.    (B, N, P * P * C), `rows` rows of patches -> (B, H, W, C)"""
    # solution: reshape to (B, rows, columns, P, P, C), exchange the two middle axes, join them
    B, N, D = y.shape
    columns, C = N // rows, D // size ** 2
    y = y.reshape(B, rows, columns, size, size, C).transpose(0, 1, 3, 2, 4, 5)  # (B, rows, P, columns, P, C)
    return y.reshape(B, rows * size, columns * size, C)
    # end

# %% check="unpatchify" points=15
SEED = 2
rng = np.random.default_rng(SEED)
show(pictures=unpatchify(rng.normal(size=(2, 6, 12)), 2, 2), tall=unpatchify(rng.normal(size=(1, 6, 4)), 2, 3))

# %% [markdown] hint="unpatchify"
# The same transpose as before, since it exchanges two axes: doing it twice changes nothing.

# %% mutants="unpatchify"
MUTANTS = {
    "no_transpose": (".transpose(0, 1, 3, 2, 4, 5)", "", "A reshape alone lays patches out as if they were rows."),
    "rows_and_columns": ("y.reshape(B, rows, columns, size", "y.reshape(B, columns, rows, size",
                         "There are `rows` rows of patches; the rest of N are columns."),
    "transposed": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 4, 2, 3, 5)", "Rows and columns inside the patches are exchanged."),
}

# %% [markdown]
# ## 3. Sine and cosine
#
# Position p becomes $D$ numbers: $\sin(p\, \omega_k)$ for $k = 0 \ldots D/2 - 1$, then $\cos(p\, \omega_k)$, with
# $\omega_k = 10000^{-k / (D/2)}$. (Vaswani et al. 2017, section 3.5, with sines and cosines side by side, not
# interleaved.)

# %% answer="sin_cos" kind="retype"
def sin_cos(positions, dim):
    """sin(p w_k), then cos(p w_k), with w_k = 10000^(-k / (D/2)).    (N,) -> (N, D)"""
    # solution: frequencies for k below D/2, the outer product with the positions, its sines and cosines side by side
    frequencies = 10000.0 ** (-np.arange(dim // 2) / (dim // 2))
    angles = positions[:, None] * frequencies  # (N, D/2)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    # end

# %% check="sin_cos" points=15
SEED = 2
rng = np.random.default_rng(SEED)
show(embedding=sin_cos(rng.integers(0, 50, size=5), 8), fractions=sin_cos(rng.uniform(0, 20, size=3), 4))

# %% [markdown] hint="sin_cos"
# `positions[:, None] * frequencies` is (N, D/2). The first frequency is 1.

# %% mutants="sin_cos"
MUTANTS = {
    "interleaved": ("np.concatenate([np.sin(angles), np.cos(angles)], axis=1)",
                    "np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(angles), -1)",
                    "Sines and cosines are interleaved; here all sines come first."),
    "whole_width": ("/ (dim // 2))", "/ dim)", "k is divided by D / 2: the frequencies span the whole range of 10000."),
    "rising": ("(-np.arange", "(np.arange", "Frequencies fall: the exponent has a minus."),
    "cosine_first": ("[np.sin(angles), np.cos(angles)]", "[np.cos(angles), np.sin(angles)]", "Sines come first."),
}

# %% [markdown]
# ## 4. In two dimensions
#
# A patch in row i and column j gets the embedding of i in the first half of its channels, and that of j in the second.

# %% answer="sin_cos_2d" kind="retype"
def sin_cos_2d(rows, columns, dim):
    """Token i * columns + j holds sin_cos(i, D/2), then sin_cos(j, D/2).    -> (rows * columns, D)"""
    # solution: the row and the column of every patch in reading order; sin_cos of each with D/2, side by side
    i, j = np.divmod(np.arange(rows * columns), columns)
    return np.concatenate([sin_cos(i, dim // 2), sin_cos(j, dim // 2)], axis=1)
    # end

# %% check="sin_cos_2d" points=20
SEED = 2
rows, columns = np.random.default_rng(SEED).permutation(np.arange(2, 6))[:2].tolist()
show(embedding=sin_cos_2d(rows, columns, 8), square=sin_cos_2d(3, 3, 4))

# %% [markdown] hint="sin_cos_2d"
# `np.repeat(np.arange(rows), columns)` and `np.tile(np.arange(columns), rows)` are row and column of every patch.

# %% mutants="sin_cos_2d"
MUTANTS = {
    "one_dimension": ("i, j = np.divmod(np.arange(rows * columns), columns)", "i = j = np.arange(rows * columns)",
                      "These are places in the sequence. Row and column are wanted."),
    "columns_first": ("[sin_cos(i, dim // 2), sin_cos(j, dim // 2)]", "[sin_cos(j, dim // 2), sin_cos(i, dim // 2)]",
                      "The row's embedding comes first."),
    "wrong_count": ("rows * columns), columns)", "rows * columns), rows)", "There are `columns` patches in a row."),
}

# %% [markdown]
# ## 5. Bilinear weights
#
# A trained 8 x 8 grid of positions must serve 12 x 12 patches. Along one axis: output i has its centre at $s = (i
# + 0.5)\, n / m - 0.5$ in units of the n inputs, cut to the range 0 ... n - 1; it is $(1 - f)$ times the input at
# $\lfloor s \rfloor$ plus $f$ times the next one, with $f = s - \lfloor s \rfloor$.

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
# ## 6. Another grid
#
# Interpolation along rows, then along columns, for each of the D channels: two products with `bilinear_weights`.

# %% answer="interpolate" kind="retype"
def interpolate(positions, old, new):
    """Position embeddings of a grid of old = (h, w) patches for one of new = (H, W).    (h * w, D) -> (H * W, D)"""
    # solution: reshape to (h, w, D), weights along the rows, weights along the columns, flatten the grid again
    grid = positions.reshape(*old, -1)  # (h, w, D)
    grid = np.einsum("Hh,Ww,hwd->HWd", bilinear_weights(old[0], new[0]), bilinear_weights(old[1], new[1]), grid)
    return grid.reshape(new[0] * new[1], -1)
    # end

# %% check="interpolate" points=20
SEED = 2
rng = np.random.default_rng(SEED)
show(finer=interpolate(rng.normal(size=(6, 4)), (2, 3), (3, 5)),
     square=interpolate(rng.normal(size=(9, 2)), (3, 3), (4, 4)),
     coarser=interpolate(rng.normal(size=(20, 3)), (5, 4), (2, 3)))

# %% [markdown] hint="interpolate"
# `np.einsum("Hh,hwd->Hwd", weights, grid)` is the step along the rows; the other is like it.

# %% mutants="interpolate"
MUTANTS = {
    "grid_transposed": ("positions.reshape(*old, -1)", "positions.reshape(old[1], old[0], -1).swapaxes(0, 1)",
                        "Tokens are in reading order: the first axis of the grid is the rows, h."),
    "result_transposed": ('"Hh,Ww,hwd->HWd"', '"Hh,Ww,hwd->WHd"', "The new tokens must be in reading order as well."),
    "rows_only": ("bilinear_weights(old[1], new[1])", "np.eye(old[1])[np.arange(new[1]) * old[1] // new[1]]",
                  "Columns are copied from the nearest; interpolate along both axes."),
}
