# %% [markdown]
# # Exercise 17: windows that shift
#
# Swin (Liu et al. 2021) lets tokens attend inside small windows, and shifts the windows by half their size in
# every other block. The shift is a roll, and a mask keeps apart what the roll has brought together. All of this
# is index work, in plain NumPy. Write only in the answer cells. What an answer needs stands in its own cell, or above
# it in a cell whose first line is `# helper`. Answers may call earlier answers: grading then uses the reference for
# these.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | batch, rows, columns, channels of a feature map |
# | w | side of a window; n = w * w tokens in it |
# | M | windows of a picture, in reading order |
# | s | shift |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Windows
#
# Windows in reading order, and the tokens of each in reading order.

# %% answer="window_partition"
def window_partition(x, w):
    """(B, H, W, C) -> (B, M, n, C), with M = H/w * W/w windows of n = w * w tokens"""
    # solution: reshape to (B, H/w, w, W/w, w, C), exchange the two middle axes, join windows and tokens
    B, H, W, C = x.shape
    x = x.reshape(B, H // w, w, W // w, w, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/w, W/w, w, w, C)
    return x.reshape(B, -1, w * w, C)
    # end

# %% check="window_partition" points=15
SEED = 17
rng = np.random.default_rng(SEED)
show(windows=window_partition(rng.normal(size=(2, 4, 6, 3)), 2),
     square=window_partition(rng.normal(size=(1, 4, 4, 1)), 2))

# %% [markdown] hint="window_partition"
# It is exercise 02's patchify, but the pixels of a window stay tokens: (n, C) is not flattened.

# %% mutants="window_partition"
MUTANTS = {
    "no_transpose": (".transpose(0, 1, 3, 2, 4, 5)", "", "Without the transpose a window holds pieces of whole rows."),
    "columns_first": ("(0, 1, 3, 2, 4, 5)", "(0, 3, 1, 2, 4, 5)", "Windows come in reading order: along a row first."),
    "tokens_transposed": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 3, 4, 2, 5)", "Inside a window rows come before columns."),
}

# %% [markdown]
# ## 2. And back

# %% answer="window_reverse"
def window_reverse(windows, w, rows):
    """The inverse of window_partition.    (B, M, n, C), `rows` rows of windows -> (B, H, W, C)"""
    # solution: reshape to (B, rows, columns, w, w, C), exchange the two middle axes, join them
    B, M, n, C = windows.shape
    columns = M // rows
    x = windows.reshape(B, rows, columns, w, w, C).transpose(0, 1, 3, 2, 4, 5)  # (B, rows, w, columns, w, C)
    return x.reshape(B, rows * w, columns * w, C)
    # end

# %% check="window_reverse" points=15
SEED = 17
rng = np.random.default_rng(SEED)
show(map=window_reverse(rng.normal(size=(2, 6, 4, 3)), 2, 2), tall=window_reverse(rng.normal(size=(1, 6, 4, 1)), 2, 3))

# %% [markdown] hint="window_reverse"
# The transpose exchanges two axes, so the same transpose undoes it.

# %% mutants="window_reverse"
MUTANTS = {
    "no_transpose": (".transpose(0, 1, 3, 2, 4, 5)", "", "A reshape alone lays windows out as if they were rows."),
    "rows_and_columns": ("(B, rows, columns, w, w, C)", "(B, columns, rows, w, w, C)",
                         "There are `rows` rows of windows; the rest of M are columns."),
    "transposed": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 4, 2, 3, 5)", "Rows and columns inside the windows are exchanged."),
}

# %% [markdown]
# ## 3. The cyclic shift
#
# Shifting the windows by s to the right and down is rolling the map by s to the left and up; `back` undoes it.

# %% answer="cyclic_shift"
def cyclic_shift(x, s, back=False):
    """y[b, i, j] = x[b, (i + s) % H, (j + s) % W]; with back=True the inverse.    (B, H, W, C) -> (B, H, W, C)"""
    # solution: roll both axes by -s, or by s on the way back
    step = s if back else -s
    return np.roll(x, (step, step), axis=(1, 2))
    # end

# %% check="cyclic_shift" points=10
SEED = 17
rng = np.random.default_rng(SEED)
x = rng.normal(size=(2, 5, 5, 5))
show(shifted=cyclic_shift(x, 2), back=cyclic_shift(x, 2, back=True), none=cyclic_shift(x, 0))

# %% [markdown] hint="cyclic_shift"
# `np.roll(x, 1)` moves entry 0 to place 1. Here entry s moves to place 0.

# %% mutants="cyclic_shift"
MUTANTS = {
    "direction": ("s if back else -s", "-s if back else s", "The direction: what was at s must come to 0."),
    "one_axis": ("np.roll(x, (step, step), axis=(1, 2))", "np.roll(x, step, axis=1)", "Rows and columns are shifted."),
    "wrong_axes": ("axis=(1, 2)", "axis=(2, 3)", "The axes are (B, H, W, C): rows are axis 1, columns axis 2."),
    "no_way_back": ("s if back else -s", "-s", "With back=True the shift goes the other way."),
}

# %% [markdown]
# ## 4. The mask
#
# After the roll, windows at the lower and right border hold tokens that were not neighbours. Number the regions:
# rows 0 ... H-w-1, H-w ... H-s-1 and H-s ... H-1 get 0, 1, 2, and the same for columns; a token's region is 3 *
# row's number + column's number. Two tokens of a window may attend to each other only within a region (figure 4).

# %% answer="shift_mask"
def shift_mask(H, W, w, s):
    """Whether token j of window m may be seen by token i.    -> (M, n, n) booleans"""
    # solution: the numbers of rows and columns, the regions as a map, cut into windows, compared pair by pair
    rows = (np.arange(H) >= H - w).astype(int) + (np.arange(H) >= H - s)
    columns = (np.arange(W) >= W - w).astype(int) + (np.arange(W) >= W - s)
    regions = 3 * rows[:, None] + columns  # (H, W)
    regions = window_partition(regions[None, :, :, None], w)[0, :, :, 0]  # (M, n)
    return regions[:, :, None] == regions[:, None, :]
    # end

# %% check="shift_mask" points=25
SEED = 17
rng = np.random.default_rng(SEED)
rows, columns = rng.integers(2, 4, size=2).tolist()
show(mask=shift_mask(3 * rows, 3 * columns, 3, 1), even=shift_mask(4, 8, 4, 2),
     pairs=np.sum(shift_mask(8, 8, 4, 2), axis=(1, 2)))

# %% [markdown] hint="shift_mask"
# Make a map (H, W) of region numbers, cut it into windows as you would cut a feature map, then compare all pairs.

# %% [markdown] hint="shift_mask"
# `regions[:, :, None] == regions[:, None, :]` compares all pairs of a window at once.

# %% mutants="shift_mask"
MUTANTS = {
    "rows_only": ("3 * rows[:, None] + columns", "3 * rows[:, None] + 0 * columns",
                  "Columns are divided into regions as well."),
    "regions_merge": ("3 * rows[:, None] + columns", "rows[:, None] + columns",
                      "Row 0, column 1 and row 1, column 0 get the same number, but are different regions."),
    "shift_for_window": (">= H - w).astype(int) + (np.arange(H) >= H - s)",
                         ">= H - w).astype(int) + (np.arange(H) >= s)",
                         "The last region begins at H - s."),
    "forbidden": ("regions[:, :, None] == regions[:, None, :]", "regions[:, :, None] != regions[:, None, :]",
                  "True means that attention is allowed: the same region."),
    "all": ("+ (np.arange(H) >= H - s)", "+ 0", "What came round by the roll is a region of its own."),
}

# %% [markdown]
# ## 5. Relative positions
#
# Token i at (row, column) of the window sees token j at the offset (row_i - row_j, column_i - column_j), each
# from -(w-1) to w-1. The table of biases has (2w-1)(2w-1) entries; the offset's place in it is (dr + w - 1)(2w -
# 1) + (dc + w - 1).

# %% answer="relative_index"
def relative_index(w):
    """The place in the table of biases for every pair of tokens of a window.    -> (n, n) integers"""
    # solution: row and column of every token; both differences moved to start at 0; the first times 2w - 1
    row, column = np.divmod(np.arange(w * w), w)
    dr, dc = row[:, None] - row, column[:, None] - column  # (n, n)
    return (dr + w - 1) * (2 * w - 1) + dc + w - 1
    # end

# %% check="relative_index" points=20
SEED = 17
w = int(np.random.default_rng(SEED).integers(4, 7))
show(two=relative_index(2), three=relative_index(3), other=relative_index(w))

# %% [markdown] hint="relative_index"
# For w = 2 the table has 9 entries; a token's offset to itself has place 4, the middle.

# %% mutants="relative_index"
MUTANTS = {
    "reversed": ("row[:, None] - row, column[:, None] - column", "row - row[:, None], column - column[:, None]",
                 "The offset is i minus j: the query's place minus the key's."),
    "factor_w": ("* (2 * w - 1)", "* w", "A row of the table has 2w - 1 places; with w, different offsets share one."),
    "not_moved": ("(dr + w - 1) * (2 * w - 1) + dc + w - 1", "(dr * (2 * w - 1) + dc) % (2 * w - 1) ** 2",
                  "Offsets start at -(w - 1): add w - 1 to each."),
    "columns_first": ("(dr + w - 1) * (2 * w - 1) + dc + w - 1", "(dc + w - 1) * (2 * w - 1) + dr + w - 1",
                      "The row's offset counts in steps of 2w - 1, the column's in steps of one."),
    "absolute": ("row[:, None] - row, column[:, None] - column",
                 "abs(row[:, None] - row), abs(column[:, None] - column)",
                 "Above and below are different: keep the sign."),
}

# %% [markdown]
# ## 6. Weights of a window
#
# Scores plus the bias of each pair's offset and head; forbidden pairs get minus infinity (or a very negative
# number, such as -100) before the softmax, so that their weight is zero and the rest still adds up to one.

# %% answer="window_weights"
def window_weights(scores, table, index, mask):
    """softmax(scores + table[index]) over the allowed keys.

    (B, M, heads, n, n), ((2w-1)^2, heads), (n, n), (M, n, n) -> (B, M, heads, n, n)
    """
    # solution: add the table at the index with the heads in front; minus infinity where the mask is False; softmax
    scores = scores + table[index].transpose(2, 0, 1)  # (heads, n, n)
    scores = np.where(mask[:, None], scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
    # end

# %% check="window_weights" points=15
SEED = 17
rng = np.random.default_rng(SEED)
scores, table, index = rng.normal(size=(2, 4, 4, 4, 4)), rng.normal(size=(9, 4)), rng.integers(0, 9, size=(4, 4))
mask = (rng.random((4, 4, 4)) < 0.5) | np.eye(4, dtype=bool)
show(weights=window_weights(scores, table, index, mask), large=window_weights(scores + 900, table, index, mask))

# %% [markdown] hint="window_weights"
# `table[index]` is (n, n, heads); the mask needs an axis for the heads: `mask[:, None]`.

# %% mutants="window_weights"
MUTANTS = {
    "mask_after_softmax": ("    scores = np.where(mask[:, None], scores, -np.inf)\n"
                           "    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
                           "    return weights / weights.sum(axis=-1, keepdims=True)",
                           "    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
                           "    return weights / weights.sum(axis=-1, keepdims=True) * mask[:, None]",
                           "Masked after the softmax, the weights no longer add up to one."),
    "mask_reversed": ("scores, -np.inf)", "-np.inf, scores) if not mask.all() else scores", "True means allowed."),
    "no_bias": (" + table[index].transpose(2, 0, 1)", "", "The biases are missing."),
    "heads_last": (".transpose(2, 0, 1)", "",
                   "table[index] has the heads last; the scores have them before the tokens."),
    "mask_by_head": ("mask[:, None]", "mask",
                     "The mask belongs to windows, not to heads: give it an axis for the heads."),
    "bias_transposed": (".transpose(2, 0, 1)", ".transpose(2, 1, 0)", "Query and key are exchanged in the biases."),
}
