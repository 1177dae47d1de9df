# %% [markdown] minutes="estimated 60"
# # Exercise 00: shapes and broadcasting
#
# Fill in the six functions. Each works on whole arrays: no loop is needed, though a loop is not wrong.
#
# A check cell draws its inputs from `SEED` and shows numbers. The stored output is the right one, so you can
# compare by eye; the last cell of the notebook (or `python -m minivit check 00` in a terminal) compares for you.
# Grading draws other inputs.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | pictures, their height, width, colour channels |
# | N, M, D | points, other points, coordinates of a point |
# | K | classes |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. From bytes to numbers
#
# A picture on disk holds bytes from 0 to 255; a network wants numbers around zero. The first step maps 0 to -1
# and 255 to 1. Mind the type: `np.uint8(200) * 2` is 144, since a byte has no room for 400.

# %% answer="scale_pixels" kind="retype"
def scale_pixels(images):
    """Bytes 0 ... 255 to numbers -1 ... 1.    (B, H, W, C) uint8 -> (B, H, W, C) float"""
    # solution: divide by 255 / 2, then subtract 1
    return images / 127.5 - 1
    # end

# %% check="scale_pixels" points=10
SEED = 0
rng = np.random.default_rng(SEED)
images = rng.integers(0, 256, size=(2, 3, 4, 3), dtype=np.uint8)
show(pixels=scale_pixels(images), black_and_white=scale_pixels(np.array([[[[0, 255]]]], dtype=np.uint8)))

# %% [markdown] hint="scale_pixels"
# Division by a float turns bytes into floats; do it first. Which number must 255 be divided by to give 2?

# %% mutants="scale_pixels"
MUTANTS = {
    "wraps_around": ("images / 127.5 - 1", "images * 2 / 255 - 1",
                     "2 * images is still a byte and wraps around at 256. Divide first."),
    "zero_to_one": ("images / 127.5 - 1", "images / 255", "These are numbers from 0 to 1. The task is -1 to 1."),
    "256": ("127.5", "128", "255 must become exactly 1: a byte has 256 values, but the largest is 255."),
}

# %% [markdown]
# ## 2. Each channel its own mean
#
# Subtract from each colour channel its mean over all pictures and places, and divide by its standard deviation.
# `mean` and `std` with `axis=(0, 1, 2)` leave one number per channel, shape (C,); broadcasting lines it up with
# the last axis.

# %% answer="normalise" kind="retype"
def normalise(images):
    """(x - mean_c) / std_c, mean and standard deviation over B, H, W.    (B, H, W, C) -> (B, H, W, C)"""
    # solution: subtract the mean over axes 0, 1, 2 and divide by the standard deviation over the same axes
    mean = images.mean(axis=(0, 1, 2))
    return (images - mean) / images.std(axis=(0, 1, 2))
    # end

# %% check="normalise" points=15
SEED = 0
rng = np.random.default_rng(SEED)
images = rng.normal(loc=[0.2, 0.5, 0.9], scale=[1, 2, 3], size=(2, 4, 5, 3))
show(normalised=normalise(images))

# %% [markdown] hint="normalise"
# How many means are there in all? One per channel: the axes that disappear are the other three.

# %% mutants="normalise"
MUTANTS = {
    "one_mean": ("images.mean(axis=(0, 1, 2))", "images.mean()",
                 "One mean for all channels. Each channel has its own."),
    "per_picture": ("images.mean(axis=(0, 1, 2))", "images.mean(axis=(1, 2), keepdims=True)",
                    "This is a mean for each picture. The mean runs over all pictures, too: axis 0 belongs to it."),
    "variance": ("images.std(axis=(0, 1, 2))", "images.var(axis=(0, 1, 2))",
                 "You divide by the variance. The standard deviation is its square root."),
    "no_division": (" / images.std(axis=(0, 1, 2))", "",
                    "The mean is right; the division by the standard deviation is missing."),
}

# %% [markdown]
# ## 3. One-hot rows
#
# Label 2 of 4 classes becomes the row 0 0 1 0. As a loop: `for b in range(B): y[b, labels[b]] = 1`.

# %% answer="one_hot" kind="retype"
def one_hot(labels, classes):
    """Row b holds a one in column labels[b], and zeros.    (B,) -> (B, classes) float"""
    # solution: zeros of shape (B, classes); then a one in column labels[b] of each row b
    y = np.zeros((len(labels), classes))
    y[np.arange(len(labels)), labels] = 1
    return y
    # end

# %% check="one_hot" points=15
SEED = 0
rng = np.random.default_rng(SEED)
show(rows=one_hot(rng.integers(0, 7, size=12), 7), unused_classes=one_hot(rng.permutation(3), 5))

# %% [markdown] hint="one_hot"
# `y[:, labels]` selects whole columns. Two index arrays of the same length select one entry for each pair.

# %% mutants="one_hot"
MUTANTS = {
    "columns": ("y[np.arange(len(labels)), labels]", "y[:, labels]",
                "`y[:, labels] = 1` fills whole columns. Index the rows as well, with np.arange(B)."),
    "transpose": ("return y", "return y.T", "Rows and columns are exchanged: a row belongs to a picture."),
    "largest_label": ("classes))", "labels.max() + 1))",
                      "The number of columns must be `classes`, even if the last class does not occur in this batch."),
}

# %% [markdown]
# ## 4. The rule itself
#
# Two shapes are lined up at their *last* axis; a missing axis counts as 1. An axis of length 1 stretches to the
# other's length; two lengths that differ, neither of them 1, are an error. Write the rule down:
# `np.broadcast_shapes` is what you are building.

# %% answer="broadcast_shape" kind="retype" forbid="broadcast_shapes broadcast_arrays broadcast_to broadcast nditer"
def broadcast_shape(a, b):
    """The shape of x + y for x of shape a and y of shape b (tuples); a ValueError if there is none.

    (5, 1, 3), (4, 3) -> (5, 4, 3)
    """
    # solution: put ones before the shorter shape, then compare axis by axis
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    shape = []
    for i, j in zip(a, b, strict=True):
        if i != j and 1 not in (i, j):
            raise ValueError(f"{a} and {b} do not broadcast")
        shape.append(j if i == 1 else i)
    return tuple(shape)
    # end

# %% check="broadcast_shape" points=20
SEED = 0
rng = np.random.default_rng(SEED)


def refuses(a, b):
    try:
        return f"gave {broadcast_shape(a, b)}"
    except ValueError:
        return "ValueError"


h, w, c = rng.choice(np.arange(2, 30), size=3, replace=False).tolist()
show(row=broadcast_shape((h, w), (w,)), column=broadcast_shape((h, 1), (w,)),
     picture=broadcast_shape((h, 1, c), (w, c)), empty=broadcast_shape((h, 1), (0,)),
     scalar=broadcast_shape((), (h, w)),
     longer=broadcast_shape((c,), (h, w, 1)), mismatch=refuses((h, w), (h,)),
     inner_mismatch=refuses((h, c, w), (h, h, w)), multiple=refuses((2 * h,), (h,)))

# %% [markdown] hint="broadcast_shape"
# First make both tuples equally long. Ones go to the front: `(1,) * missing + shape`.

# %% [markdown] hint="broadcast_shape"
# Of two lengths, one is 1: the result is the *other* one, which need not be the larger: 1 and 0 give 0.

# %% mutants="broadcast_shape"
MUTANTS = {
    "aligned_left": ("(1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b",
                     "a + (1,) * (n - len(a)), b + (1,) * (n - len(b))",
                     "Shapes are lined up at the last axis: the ones go to the front."),
    "maximum": ("j if i == 1 else i", "max(i, j)",
                "1 and 0 give 0, not 1: the axis of length 1 takes the other's length."),
    "no_error": ("1 not in (i, j)", "False", "Lengths that differ, and neither is 1, must raise a ValueError."),
    "divides": ("1 not in (i, j)", "max(i, j) % max(1, min(i, j))",
                "Only length 1 stretches: 4 does not stretch to 8."),
}

# %% [markdown]
# ## 5. All distances at once
#
# The squared distance of each of N points to each of M others, from $|x - y|^2 = |x|^2 - 2 x \cdot y + |y|^2$:
# one product of matrices instead of a large array of differences. Loop: `for n in range(N): for m in range(M):
# d[n, m] = ((x[n] - y[m]) ** 2).sum()`.

# %% answer="squared_distances" kind="retype"
def squared_distances(x, y):
    """d_nm = sum_k (x_nk - y_mk)^2.    (N, D), (M, D) -> (N, M)"""
    # solution: |x|^2 as a column, |y|^2 as a row, minus twice the product of x and y transposed
    return (x ** 2).sum(axis=1)[:, None] - 2 * x @ y.T + (y ** 2).sum(axis=1)[None, :]
    # end

# %% check="squared_distances" points=25
SEED = 0
rng = np.random.default_rng(SEED)
x, y = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
show(distances=squared_distances(x, y), square=squared_distances(x[:4], y), to_itself=squared_distances(y, y))

# %% [markdown] hint="squared_distances"
# Three terms of shapes (N, 1), (N, M) and (1, M) broadcast to (N, M). `[:, None]` makes a column.

# %% mutants="squared_distances"
MUTANTS = {
    "transpose": ("[:, None] - 2 * x @ y.T + (y ** 2).sum(axis=1)[None, :]",
                  "[None, :] - 2 * y @ x.T + (y ** 2).sum(axis=1)[:, None]",
                  "Rows belong to x, columns to y: this is the transpose."),
    "no_factor": ("- 2 * x @ y.T", "- x @ y.T", "The product of x and y comes twice: (x - y)^2 = x^2 - 2 x y + y^2."),
    "root": ("return (x ** 2).sum(axis=1)[:, None] - 2 * x @ y.T + (y ** 2).sum(axis=1)[None, :]",
             "return np.sqrt(((x[:, None] - y[None]) ** 2).sum(-1))",
             "These are distances; the squares are asked for."),
    "plus": ("- 2 * x", "+ 2 * x",
             "The middle term has a minus: near points have a large product and a small distance."),
}

# %% [markdown]
# ## 6. Who was taken for whom
#
# Entry (t, p) of the confusion matrix counts the pictures of true class t that were taken for class p.
# `counts[labels, predicted] += 1` looks right and is wrong: a pair that occurs twice is counted once. `np.add.at`
# counts it twice.

# %% answer="confusion_matrix" kind="retype"
def confusion_matrix(labels, predicted, classes):
    """c_tp = number of b with labels[b] = t and predicted[b] = p.    (B,), (B,) -> (K, K) integers"""
    # solution: zeros of shape (K, K), then add one at each pair of label and prediction
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (labels, predicted), 1)
    return counts
    # end

# %% check="confusion_matrix" points=15
SEED = 0
rng = np.random.default_rng(SEED)
labels = rng.integers(0, 4, size=60)
predicted = np.where(rng.random(60) < 0.6, labels, rng.integers(0, 5, size=60))
show(counts=confusion_matrix(labels, predicted, 5))

# %% [markdown] hint="confusion_matrix"
# `np.add.at(counts, (rows, columns), 1)`; or number the pairs `K * t + p`, count with `np.bincount(...,
# minlength=K * K)`, reshape.

# %% mutants="confusion_matrix"
MUTANTS = {
    "counted_once": ("np.add.at(counts, (labels, predicted), 1)", "counts[labels, predicted] += 1",
                     "A pair is counted once however often it occurs; `counts[i, j] += 1` writes, it does not add."),
    "transpose": ("(labels, predicted)", "(predicted, labels)",
                  "Rows are true classes, columns are predictions: exchanged here."),
    "only_right": ("(labels, predicted)", "(labels[labels == predicted], labels[labels == predicted])",
                   "Only the right predictions are counted: the entries off the diagonal are the interesting ones."),
}
