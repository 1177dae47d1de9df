# %% [markdown] minutes="estimated 60"
# # Exercise 17: windows that shift
#
# Swin (Liu et al. 2021) lets tokens attend inside small windows, and shifts the windows by half their size in
# every other block. The shift is a roll, and a mask keeps apart what the roll has brought together. All of this
# is index work, in plain NumPy, with the letters of the lesson.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | pictures; rows, columns and channels of a feature map |
# | M, n = M * M | side of a window, tokens in it |
# | w | windows of a picture, in reading order |
# | s | shift |
# | h | heads |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Windows
#
# Windows in reading order, picture after picture, and the tokens of each in reading order.

# %% answer="window_partition" kind="retype"
def window_partition(x, M):
    """(B, H, W, C) -> (B w, n, C), with w = H/M * W/M windows of n = M * M tokens"""
    # solution: reshape to (B, H/M, M, W/M, M, C), exchange the two middle axes, join windows and tokens
    B, H, W, C = x.shape
    x = x.reshape(B, H // M, M, W // M, M, C).transpose(0, 1, 3, 2, 4, 5)  # (B, H/M, W/M, M, M, C)
    return x.reshape(-1, M * M, C)  # (B w, n, C)
    # end

# %% check="window_partition" points=10
SEED = 17
rng = np.random.default_rng(SEED)
show(windows=window_partition(rng.normal(size=(2, 4, 6, 3)), 2),
     square=window_partition(rng.normal(size=(1, 4, 4, 1)), 2))

# %% [markdown] hint="window_partition"
# Number the cells of a 4 x 6 map with `np.arange(24)` and write down the first window by hand: 0 1 6 7. Which axes
# must stand side by side before these four can be joined?

# %% [markdown] hint="window_partition"
# It is exercise 02's patchify, but the pixels of a window stay tokens: (n, C) is not flattened.

# %% mutants="window_partition"
MUTANTS = {
    "no_transpose": (".transpose(0, 1, 3, 2, 4, 5)", "", "Without the transpose a window holds pieces of whole rows."),
    "columns_first": ("(0, 1, 3, 2, 4, 5)", "(0, 3, 1, 2, 4, 5)", "Windows come in reading order: along a row first."),
    "tokens_transposed": ("(0, 1, 3, 2, 4, 5)", "(0, 1, 3, 4, 2, 5)", "Inside a window rows come before columns."),
    "batch_last": ("transpose(0, 1, 3, 2, 4, 5)", "transpose(1, 3, 0, 2, 4, 5)",
                   "All windows of the first picture come first, then those of the second."),
}

# %% [markdown]
# ## 2. The mask
#
# After the roll by s up and to the left, windows at the lower and right border hold tokens that were not neighbours.
# Two tokens of a window may attend to each other only within one of the nine regions of the lesson's first figure.

# %% answer="shift_mask" kind="retype"
def shift_mask(H, W, M, s):
    """Whether token i of window m may attend to token j.    -> (w, n, n) booleans"""
    # solution: rows from 0 on get 0, from H - M on 1, from H - s on 2; columns alike; 3 times the row's number plus the
    # column's is a map (H, W) of regions; cut it into windows; compare all pairs, `r[:, :, None] == r[:, None, :]`
    rows = (np.arange(H) >= H - M).astype(int) + (np.arange(H) >= H - s)
    columns = (np.arange(W) >= W - M).astype(int) + (np.arange(W) >= W - s)
    regions = 3 * rows[:, None] + columns  # (H, W)
    regions = window_partition(regions[None, :, :, None], M)[:, :, 0]  # (w, n)
    return regions[:, :, None] == regions[:, None, :]
    # end

# %% check="shift_mask" points=15
SEED = 17
rng = np.random.default_rng(SEED)
rows, columns = rng.integers(2, 4, size=2).tolist()
show(mask=shift_mask(3 * rows, 3 * columns, 3, 1), even=shift_mask(4, 8, 4, 2),
     pairs=np.sum(shift_mask(8, 8, 4, 2), axis=(1, 2)))

# %% [markdown] hint="shift_mask"
# Only the last window along each axis holds anything that came round. Where in it is the border?

# %% [markdown] hint="shift_mask"
# Make a map (H, W) of region numbers, cut it into windows as you would cut a feature map, then compare all pairs.

# %% mutants="shift_mask"
MUTANTS = {
    "rows_only": ("3 * rows[:, None] + columns", "3 * rows[:, None] + 0 * columns",
                  "Columns are divided into regions as well."),
    "regions_merge": ("3 * rows[:, None] + columns", "rows[:, None] + columns",
                      "Row 0, column 1 and row 1, column 0 get the same number, but are different regions."),
    "shift_for_window": (">= H - M).astype(int) + (np.arange(H) >= H - s)",
                         ">= H - M).astype(int) + (np.arange(H) >= s)",
                         "The last region begins at H - s."),
    "forbidden": ("regions[:, :, None] == regions[:, None, :]", "regions[:, :, None] != regions[:, None, :]",
                  "True means that attention is allowed: the same region."),
    "all": ("+ (np.arange(H) >= H - s)", "+ 0", "What came round by the roll is a region of its own."),
}

# %% [markdown]
# ## 3. Relative positions
#
# The place in the table of biases for every pair: token i at (row, column) of the window sees token j at the offset
# (row of i - row of j, column of i - column of j). Offsets are numbered in reading order.

# %% answer="relative_position_index" kind="retype"
def relative_position_index(M):
    """Each pair's place in a table of (2M-1)^2 entries.    -> (n, n) integers"""
    # solution: row and column of every token by `np.divmod(np.arange(n), M)`; their differences for all pairs, each
    # plus M - 1; the rows' times (2M - 1), plus the columns'
    row, column = np.divmod(np.arange(M * M), M)
    rows_apart, columns_apart = row[:, None] - row, column[:, None] - column  # (n, n)
    return (rows_apart + M - 1) * (2 * M - 1) + columns_apart + M - 1
    # end

# %% check="relative_position_index" points=10
SEED = 17
M = int(np.random.default_rng(SEED).integers(4, 7))
show(two=relative_position_index(2), three=relative_position_index(3), other=relative_position_index(M))

# %% [markdown] hint="relative_position_index"
# For M = 2 the table has 9 entries; a token's offset to itself has place 4, the middle.

# %% [markdown] hint="relative_position_index"
# Each of the two offsets runs from -(M-1) to M-1: 2M - 1 values, which you move so that they start at 0.

# %% mutants="relative_position_index"
MUTANTS = {
    "reversed": ("row[:, None] - row, column[:, None] - column", "row - row[:, None], column - column[:, None]",
                 "The offset is i minus j: the query's place minus the key's."),
    "factor_M": ("* (2 * M - 1)", "* M", "A row of the table has 2M - 1 places; with M, different offsets share one."),
    "not_moved": ("(rows_apart + M - 1) * (2 * M - 1) + columns_apart + M - 1",
                  "(rows_apart * (2 * M - 1) + columns_apart) % (2 * M - 1) ** 2",
                  "Offsets start at -(M - 1): add M - 1 to each."),
    "columns_first": ("(rows_apart + M - 1) * (2 * M - 1) + columns_apart + M - 1",
                      "(columns_apart + M - 1) * (2 * M - 1) + rows_apart + M - 1",
                      "The row's offset counts in steps of 2M - 1, the column's in steps of one."),
    "absolute": ("row[:, None] - row, column[:, None] - column",
                 "abs(row[:, None] - row), abs(column[:, None] - column)",
                 "Above and below are different: keep the sign."),
}

# %% [markdown]
# ## 4. Several pictures, several heads
#
# The lesson masks one picture and one head. Here the scores hold the windows of B pictures one after the other, and h
# heads each; the table has a column for each head, and the mask is that of *one* picture. Add the bias of each pair,
# forbid what the mask forbids, and normalise.

# %% answer="window_weights" kind="transfer"
def window_weights(scores, table, index, mask):
    """softmax(S + table[index]) over the allowed keys.

    (B w, h, n, n), ((2M-1)^2, h), (n, n), (w, n, n) -> (B w, h, n, n)
    """
    # solution: `table[index].transpose(2, 0, 1)` is (h, n, n); repeat the mask B times with np.tile and give it an axis
    # for the heads, `[:, None]`; minus infinity where it is False; softmax over the last axis
    scores = scores + table[index].transpose(2, 0, 1)  # (h, n, n)
    mask = np.tile(mask, (len(scores) // len(mask), 1, 1))[:, None]  # (B w, 1, n, n)
    scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
    # end

# %% check="window_weights" points=15
SEED = 17
rng = np.random.default_rng(SEED)
scores, table, index = rng.normal(size=(8, 4, 4, 4)), rng.normal(size=(9, 4)), rng.integers(0, 9, size=(4, 4))
mask = (rng.random((4, 4, 4)) < 0.5) | np.eye(4, dtype=bool)
weights, large = (np.asarray(window_weights(scores + more, table, index, mask), float) for more in (0, 900))
show(window=weights[5, 2], sums=np.sum(weights * rng.normal(size=scores.shape), axis=(1, 2, 3)),
     same=np.allclose(weights, large, atol=1e-3))

# %% [markdown] hint="window_weights"
# Write the shape of each of the four beside the other, aligned at the right: which axis is missing where?

# %% [markdown] hint="window_weights"
# `table[index]` is (n, n, h). Window k of the batch is window k % w of its picture.

# %% mutants="window_weights"
MUTANTS = {
    "mask_after_softmax": ("    scores = np.where(mask, scores, -np.inf)\n"
                           "    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
                           "    return weights / weights.sum(axis=-1, keepdims=True)",
                           "    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))\n"
                           "    return weights / weights.sum(axis=-1, keepdims=True) * mask",
                           "Masked after the softmax, the weights no longer add up to one."),
    "mask_reversed": ("np.where(mask, scores, -np.inf)", "np.where(mask & ~np.eye(mask.shape[-1], dtype=bool), -np.inf,"
                      " scores)", "True means allowed."),
    "no_bias": (" + table[index].transpose(2, 0, 1)", "", "The biases are missing."),
    "heads_last": (".transpose(2, 0, 1)", "",
                   "table[index] has the heads last; the scores have them before the tokens."),
    "mask_repeated": ("np.tile(mask, (len(scores) // len(mask), 1, 1))",
                      "np.repeat(mask, len(scores) // len(mask), axis=0)",
                      "The windows of one picture come one after the other: repeat the whole mask, not each window's."),
    "bias_transposed": (".transpose(2, 0, 1)", ".transpose(2, 1, 0)", "Query and key are exchanged in the biases."),
}

# %% [markdown]
# ## 5. Patch merging, backward
#
# The lesson joins the four cells of each 2 x 2 square column by column: top left, bottom left, top right, bottom
# right. It does not derive the way back. Here is the gradient of the joined map; where does each of its numbers belong?

# %% answer="merge_backward" kind="transfer"
def merge_backward(dy):
    """dx of the joining in patch merging.    (B, H/2, W/2, 4C) -> (B, H, W, C)"""
    # solution: zeros of shape (B, H, W, C); split dy in four along the last axis; the k-th part, with
    # j, i = divmod(k, 2), goes to dx[:, i::2, j::2]
    B, rows, columns, channels = dy.shape
    dx = np.zeros((B, 2 * rows, 2 * columns, channels // 4), dtype=dy.dtype)
    for k, part in enumerate(np.split(dy, 4, axis=-1)):  # (B, H/2, W/2, C)
        j, i = divmod(k, 2)
        dx[:, i::2, j::2] = part
    return dx
    # end

# %% check="merge_backward" points=15
SEED = 17
rng = np.random.default_rng(SEED)
show(dx=merge_backward(rng.normal(size=(2, 2, 3, 8))), square=merge_backward(rng.normal(size=(1, 2, 2, 4))))

# %% [markdown] hint="merge_backward"
# Joining only moves numbers. What is the gradient of a map that only moves them?

# %% [markdown] hint="merge_backward"
# `x[:, 0::2, 0::2]` are all top left cells; the lesson reads such slices, you write to them.

# %% mutants="merge_backward"
MUTANTS = {
    "row_by_row": ("j, i = divmod(k, 2)", "i, j = divmod(k, 2)",
                   "The cells are joined column by column: the second part is the bottom left cell."),
    "quarters": ("dx[:, i::2, j::2] = part", "dx[:, i * rows:(i + 1) * rows, j * columns:(j + 1) * columns] = part",
                 "The four parts are neighbours, not quarters of the map: every other row and column."),
    "interleaved": ("np.split(dy, 4, axis=-1)", "[dy[..., k::4] for k in range(4)]",
                    "Each cell has C neighbouring numbers of the 4C, not every fourth."),
    "plain_reshape": ("    return dx", "    return dy.reshape(dx.shape)",
                      "A reshape alone gives the right shape and the wrong places."),
}

# %% [markdown]
# ## 6. A bright cell, seen from elsewhere
#
# Attention whose scores are all equal is a mean. This function gives every cell the mean of the cells that share its
# shifted window, by roll, windows, mask, and the way back. Its shapes are right, a constant map passes, and no error
# is raised; but a single bright cell at (3, 3) lights up cells that are not in its window.

# %% answer="window_means" kind="debug" bug="rolled_on"
def window_means(x, M, s):
    """The mean of the cells in the same window, with windows moved by s.    (H, W, C) -> (H, W, C)"""
    # solution: what was rolled by (-s, -s) must be rolled by (s, s) at the end: the last line
    H, W, C = x.shape
    windows = window_partition(np.roll(x, (-s, -s), (0, 1))[None], M)  # (w, n, C)
    mask = shift_mask(H, W, M, s)
    means = mask @ windows / mask.sum(axis=-1, keepdims=True)
    places = window_partition(np.arange(H * W).reshape(1, H, W, 1), M)[:, :, 0]  # (w, n)
    y = np.empty((H * W, C))
    y[places] = means
    return np.roll(y.reshape(H, W, C), (s, s), (0, 1))
    # end

# %% check="window_means" points=15
SEED = 17
rng = np.random.default_rng(SEED)
show(means=window_means(rng.normal(size=(6, 9, 2)), 3, 1), large=window_means(rng.normal(size=(8, 16, 1)), 4, 1))

# %% [markdown] hint="window_means"
# Give it a map of zeros with a one at (3, 3), M = 3 and s = 1, and print `y[:, :, 0]`. The nine cells of its window are
# rows and columns 1 to 3. Where is the bright square instead?

# %% [markdown] hint="window_means"
# Follow one cell: where is it after the first roll, in which row of `y` does its mean land, and where at the end?

# %% mutants="window_means"
MUTANTS = {
    "rolled_on": ("(H, W, C), (s, s), (0, 1))", "(H, W, C), (-s, -s), (0, 1))",
                  "The result is rolled on in the same direction: the way back goes the other way."),
    "not_rolled_back": ("return np.roll(y.reshape(H, W, C), (s, s), (0, 1))", "return y.reshape(H, W, C)",
                        "The map must be rolled back, or every cell answers for its neighbour."),
    "no_mask": ("mask = shift_mask(H, W, M, s)", "mask = np.ones_like(shift_mask(H, W, M, s))",
                "Without the mask, opposite ends of the picture are mixed. That was not the mistake."),
    "other_shift": ("(H, W, C), (s, s), (0, 1))", "(H, W, C), (M - s, M - s), (0, 1))",
                    "Where s is half of M this is the same, but not for other shifts: roll back by s."),
}

# %% [markdown]
# ## 7. How far does one cell see?
#
# A map of 16 x 16 cells, windows of M = 4, blocks that alternate: the first without a shift, the second shifted by 2,
# and so on. **Predict first**, on paper: how many cells can reach the cell (0, 0) after two blocks, how many the cell
# (8, 8), and how many blocks does it take until the cell (15, 15) can reach (0, 0)? Then measure, with the functions
# above or with loops, and return what you measured.

# %% answer="field_of_view" kind="measure"
def field_of_view():
    """{"corner": cells that reach (0, 0) after two blocks, "centre": the same for (8, 8), "blocks": the fewest blocks}

    Whole numbers, which must be right.
    """
    # solution: along one axis, cell i is in window i // 4, or (i - 2) // 4 where windows are shifted; start with one
    # cell, and go through the blocks from the last to the first, adding all cells of the same windows; square the count
    def reach(cell, blocks):
        cells = {cell}
        for block in reversed(range(blocks)):
            shift = 2 * (block % 2)
            windows = {(i - shift) // 4 for i in cells}
            cells = {i for i in range(16) if (i - shift) // 4 in windows}
        return cells

    corner, centre = len(reach(0, 2)) ** 2, len(reach(8, 2)) ** 2
    blocks = next(count for count in range(1, 20) if 15 in reach(0, count))
    return {"corner": corner, "centre": centre, "blocks": blocks}
    # end

# %% check="field_of_view" points=10
show(**field_of_view())

# %% [markdown] reasons="field_of_view"
# your prediction and your measurement, both with their numbers; where they differ, which cell you had missed; why a
# corner sees less than the centre.

# %% [markdown] hint="field_of_view"
# Rows and columns are independent: draw one axis of 16 cells with the windows of both kinds below it.

# %% [markdown] hint="field_of_view"
# Go backwards: which cells feed (0, 0) in the last block, and which cells feed these in the block before?

# %% mutants="field_of_view"
MUTANTS = {
    "no_shift": ("shift = 2 * (block % 2)", "shift = 0; cells = cells | {15} if block > 8 else cells",
                 "That is what a block without a shift sees: its own window, however many blocks there are."),
    "one_axis": ("len(reach(0, 2)) ** 2, len(reach(8, 2)) ** 2", "len(reach(0, 2)), len(reach(8, 2))",
                 "That is the number along one axis; the map has two."),
    "wraps_round": ("windows = {(i - shift) // 4 for i in cells}",
                    "windows = {(i - shift) // 4 for i in cells} | ({-1, 3} if shift and cells & {0, 1} else set())",
                    "That is without the mask: the roll alone lets the far end in."),
    "blocks_one_less": ("15 in reach(0, count)", "15 in reach(0, count + 1)",
                        "Count the blocks themselves, the first one included."),
}

# %% [markdown]
# ## 8. Three models, one cell
#
# Three models of two blocks each, on 12 x 12 cells with M = 4: one has no shift, one shifts the second block by 2 as
# Swin does, one shifts it and has lost its mask. The figure shows in white which cells reach the output of cell (1, 6).

# %%
rows = {"A": [0, 1, 2, 3], "B": [0, 1, 2, 3, 8, 9, 10, 11], "C": [0, 1, 2, 3]}
columns = {"A": [4, 5, 6, 7, 8, 9, 10, 11], "B": [4, 5, 6, 7, 8, 9, 10, 11], "C": [4, 5, 6, 7]}
reached = {name: np.isin(np.arange(12)[:, None], rows[name]) & np.isin(np.arange(12), columns[name]) for name in "ABC"}

# %% figure="three maps of 12 x 12 cells, the cells that reach the marked cell in white"
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), sharey=True)
for panel, (name, cells) in zip(axes, reached.items(), strict=True):
    panel.imshow(cells, cmap="gray", vmin=-0.5)
    panel.plot(6, 1, "o", color="#D55E00", markersize=10)
    panel.set(title=f"model {name}: {cells.sum()} cells", xlabel="column", xticks=range(0, 12, 2))
axes[0].set_ylabel("row")
plt.show()

# %% answer="read_maps" kind="read"
def read_maps():
    """{"no_shift": ..., "swin": ..., "no_mask": ..., "windows": ...}

    The first three: which model is it, "A", "B" or "C"? The last: how many whole windows of its first block Swin
    reaches.
    """
    # solution: one window is 16 cells; a shifted window joins parts of neighbouring windows; without the mask it joins
    # the far end of the picture as well, here rows 8 to 11; count the white squares of 4 x 4
    cells = {name: int(reached[name].sum()) for name in "ABC"}
    no_shift, swin, no_mask = sorted("ABC", key=cells.get)
    windows = cells[swin] // 16
    return {"no_shift": no_shift, "swin": swin, "no_mask": no_mask, "windows": windows}
    # end

# %% check="read_maps" points=10
show(**read_maps())

# %% [markdown] hint="read_maps"
# One of the maps shows cells that no window of 4 x 4, wherever it lies, could join with row 1.

# %% [markdown] hint="read_maps"
# Without a shift a cell never sees beyond its own window of 16 cells.

# %% mutants="read_maps"
MUTANTS = {
    "mask_and_shift": ("no_shift, swin, no_mask =", "no_shift, no_mask, swin =",
                       "The far end of the picture is no neighbour: a map that reaches it has lost its mask."),
    "shift_and_none": ("no_shift, swin, no_mask =", "swin, no_shift, no_mask =",
                       "A single window is all that a model without a shift can see."),
    "cells": ("cells[swin] // 16", "cells[swin]", "That is the number of cells; a window has 16 of them."),
}
