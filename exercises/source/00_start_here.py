# %% [markdown] minutes="estimated 50"
# # Exercise 00: shapes, losses, and rulers that lie
#
# Lesson 00 takes a loss apart, and the rules of arrays on which it stands. Here you write two of its functions again,
# use the rules where the lesson did not, mend a function, and hold two rulers against each other.
#
# | symbol | meaning |
# |---|---|
# | B, H, W, C | pictures, their height, width, colour channels |
# | K | classes |
# | z, p, t | scores, probabilities, labels |

# %%
import numpy as np

from minivit.grading.show import show

# %% [markdown]
# ## 1. Each channel its own mean
#
# Subtract from each colour channel its mean over all pictures and places, and divide by its standard deviation.

# %% answer="normalise" kind="retype"
def normalise(images):
    """(x - mean_c) / std_c, mean and standard deviation over B, H, W.    (B, H, W, C) -> (B, H, W, C)"""
    # solution: subtract the mean over axes 0, 1, 2 and divide by the standard deviation over the same axes
    mean = images.mean(axis=(0, 1, 2))
    return (images - mean) / images.std(axis=(0, 1, 2))
    # end

# %% check="normalise" points=10
SEED = 0
rng = np.random.default_rng(SEED)
images = rng.normal(loc=[0.2, 0.5, 0.9], scale=[1, 2, 3], size=(2, 4, 5, 3))
show(normalised=normalise(images))

# %% [markdown] hint="normalise"
# How many means are there in all? One per channel: the axes that disappear are the other three.

# %% [markdown] hint="normalise"
# `mean` and `std` with `axis=(0, 1, 2)` leave one number a channel, shape (C,): it meets the last axis.

# %% mutants="normalise"
MUTANTS = {
    "one_mean": ("images.mean(axis=(0, 1, 2))", "images.mean()",
                 "One mean for all channels. Each channel has its own."),
    "per_picture": ("images.mean(axis=(0, 1, 2))", "images.mean(axis=(1, 2), keepdims=True)",
                    "This is a mean for each picture. The mean runs over all pictures, too: axis 0 belongs to it."),
    "each_picture": ("mean = images.mean(axis=(0, 1, 2))\n    return (images - mean) / images.std(axis=(0, 1, 2))",
                     "mean = images.mean(axis=(1, 2), keepdims=True)\n    "
                     "return (images - mean) / images.std(axis=(1, 2), keepdims=True)",
                     "Both numbers are those of each picture. They are taken over all pictures: axis 0 belongs to it."),
    "variance": ("images.std(axis=(0, 1, 2))", "images.var(axis=(0, 1, 2))",
                 "You divide by the variance. The standard deviation is its square root."),
    "no_division": (" / images.std(axis=(0, 1, 2))", "",
                    "The mean is right; the division by the standard deviation is missing."),
}

# %% [markdown]
# ## 2. All distances at once
#
# The squared distance of each tested point to each known one, a point a row, without an array of three axes. As a loop:
# `for i in range(len(tested)): for j in range(len(known)): d[i, j] = ((tested[i] - known[j]) ** 2).sum()`.

# %% answer="squared_distances" kind="retype"
def squared_distances(tested, known):
    """Of each row to each of the other.    (tested, numbers), (known, numbers) -> (tested, known)"""
    # solution: the squares of the tested points, added up, as a column, those of the known ones as a row, minus twice
    # the product of tested and known transposed
    column, row = (tested ** 2).sum(axis=1)[:, None], (known ** 2).sum(axis=1)[None, :]
    return column - 2 * tested @ known.T + row
    # end

# %% check="squared_distances" points=10
SEED = 0
rng = np.random.default_rng(SEED)
tested, known = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
show(distances=squared_distances(tested, known), square=squared_distances(tested[:4], known),
     to_itself=squared_distances(known, known))

# %% [markdown] hint="squared_distances"
# Multiply the square of a difference out. Which of the three terms needs both points?

# %% [markdown] hint="squared_distances"
# Three terms of shapes (tested, 1), (tested, known) and (1, known) broadcast to (tested, known). `[:, None]` makes a
# column.

# %% mutants="squared_distances"
MUTANTS = {
    "transpose": ("return column - 2 * tested @ known.T + row", "return (column - 2 * tested @ known.T + row).T",
                  "Rows belong to the tested points, columns to the known ones: this is the transpose."),
    "no_factor": ("- 2 * tested", "- tested",
                  "The product of both comes twice: the square of a - b is a^2 - 2 a b + b^2."),
    "root": ("return column - 2 * tested @ known.T + row",
             "return np.sqrt(((tested[:, None] - known[None]) ** 2).sum(-1))",
             "These are distances; the squares are asked for."),
    "plus": ("- 2 * tested", "+ 2 * tested",
             "The middle term has a minus: near points have a large product and a small distance."),
}

# %% [markdown]
# ## 3. The rule itself
#
# The lesson states the rule of broadcasting in four sentences. Write it as code: `np.broadcast_shapes` is what you are
# building, for two shapes. Axes of length 0 follow the same rule.

# %% answer="broadcast_shape" kind="transfer" forbid="broadcast_shapes broadcast_arrays broadcast_to broadcast nditer"
def broadcast_shape(a, b):
    """The shape of x + y for x of shape a and y of shape b (tuples); a ValueError if there is none.

    (5, 1, 3), (4, 3) -> (5, 4, 3)
    """
    # solution: put ones before the shorter shape, then compare axis by axis: unequal and neither is 1, a ValueError;
    # else the length that is not 1
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
# ## 4. A loss that is given probabilities
#
# Not every picture has one label: three people may have said "cat", one "dog". Then a row of wanted probabilities
# takes the place of the label, and the loss is $-\frac1B \sum_b \sum_k \text{wanted}_{bk} \ln p_{bk}$. Return it with
# its gradient. Scores may be far apart: a probability too small for a float must not spoil the result.

# %% answer="soft_cross_entropy" kind="transfer" formula=true
def soft_cross_entropy(z, wanted):
    """-1/B sum_b sum_k wanted_bk ln p_bk with p = softmax(z), and dz.    (B, K), (B, K) -> number, (B, K)

    Each row of wanted is positive or zero, and adds up to one.
    """
    # solution: ln p is z minus its largest entry, minus the logarithm of the sum of the exponentials of that; the loss
    # is minus the mean over the rows of the sum of wanted ln p; the gradient is (p - wanted) / B, as with one label
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # (B, K)
    return -(wanted * log_p).sum(axis=1).mean(), (np.exp(log_p) - wanted) / len(z)
    # end

# %% check="soft_cross_entropy" points=20
SEED = 0
rng = np.random.default_rng(SEED)
loss, dz = soft_cross_entropy(rng.normal(size=(5, 7)), rng.dirichlet(np.ones(7), size=5))
far, wanted = np.array([[900.0, 0.0, -900.0], [1.0, 2.0, 3.0]]), np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
far_loss, far_dz = soft_cross_entropy(far, wanted)
many_loss, many_dz = soft_cross_entropy(rng.normal(size=(400, 100)), np.full((400, 100), 0.01))
show(loss=loss, dz=dz, far_loss=far_loss, far_dz=far_dz, many_loss=many_loss, many_dz=np.asarray(many_dz)[::100, ::20])

# %% [markdown] hint="soft_cross_entropy"
# The derivation of the lesson's section 5 uses the label in one place only. Must it be a row of zeros with a one?

# %% [markdown] hint="soft_cross_entropy"
# Where p becomes 0, ln p is minus infinity. Write $\ln p_k = z_k - \ln \sum_j e^{z_j}$ and never take the logarithm
# of p.

# %% mutants="soft_cross_entropy"
MUTANTS = {
    "log_of_p": ("log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))",
                 "log_p = np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))",
                 "A probability of 0 has no logarithm, and 0 times minus infinity is not a number."),
    "no_maximum": ("z = z - z.max(axis=1, keepdims=True)", "z = z + 0",
                   "exp(900) is infinite: subtract the largest score of each row first."),
    "sum": (".sum(axis=1).mean()", ".sum()", "The loss is the mean over the batch."),
    "mean_of_all": (".sum(axis=1).mean()", ".mean()",
                    "The sum runs over the classes, the mean over the pictures: divide by B only."),
    "not_divided": ("(np.exp(log_p) - wanted) / len(z)", "np.exp(log_p) - wanted",
                    "The loss is a mean over B pictures, so its gradient is divided by B."),
    "reversed": ("(np.exp(log_p) - wanted)", "(wanted - np.exp(log_p))",
                 "What was predicted minus what was wanted, not the other way round."),
}

# %% [markdown]
# ## 5. Among the best
#
# In the lesson's pictures with bars below, the true class is often among the three most probable, even where the model
# is wrong. How often, in a whole test set?

# %% answer="top_accuracy" kind="transfer"
def top_accuracy(z, t, k):
    """The fraction of pictures whose true class is among the k largest scores.    (B, K), (B,), k -> number"""
    # solution: the last k columns of z.argsort(axis=1) are the k best classes, (B, k); compare them with the labels as
    # a column; `any` along the row, then the mean
    best = z.argsort(axis=1)[:, -k:]  # (B, k)
    return (best == t[:, None]).any(axis=1).mean()
    # end

# %% check="top_accuracy" points=10
SEED = 0
rng = np.random.default_rng(SEED)
z, t = rng.normal(size=(200, 8)), rng.integers(0, 8, size=200)
z[np.arange(200), t] += 1
show(best=top_accuracy(z, t, 1), three=top_accuracy(z, t, 3), square=top_accuracy(z[:5], t[:5], 5),
     all=top_accuracy(z, t, 8))

# %% [markdown] hint="top_accuracy"
# Sorting gives the places of the scores in rising order. Where are the best k?

# %% [markdown] hint="top_accuracy"
# Each picture has k candidates, (B, k), and one label. Which shape must the labels have to be compared with all k?

# %% mutants="top_accuracy"
MUTANTS = {
    "smallest": ("[:, -k:]", "[:, :k]", "argsort sorts upwards: the best are the last."),
    "mean_of_matrix": (".any(axis=1).mean()", ".mean()",
                       "Of k candidates at most one can be right: a picture counts if any of its own is."),
    "first_only": ("[:, -k:]", "[:, -1:]", "That is the plain accuracy: only the best is looked at."),
    "picture_by_picture": (".any(axis=1)", ".any(axis=0)", "`any` runs along each picture's candidates, not down the "
                           "pictures."),
}

# %% [markdown]
# ## 6. The mean picture of each class
#
# This function gives the mean of all pictures of each class. With one picture a class it is right. On a real training
# set its means are far too dark, and no error is raised.

# %% answer="class_means" kind="debug" bug="written_once"
def class_means(x, t, classes):
    """The mean of the rows with each label; zeros for a class without any.    (B, numbers), (B,) -> (K, numbers)"""
    # solution: `sums[t] += x` keeps only the last picture of each class; np.add.at(sums, t, x) adds one after the other
    sums = np.zeros((classes, x.shape[1]))
    np.add.at(sums, t, x)
    counts = np.bincount(t, minlength=classes)
    return sums / np.maximum(counts, 1)[:, None]
    # end

# %% check="class_means" points=10
SEED = 0
rng = np.random.default_rng(SEED)
t = rng.integers(0, 4, size=30)
show(means=class_means(rng.normal(size=(30, 3)), t, 4), square=class_means(rng.normal(size=(30, 6)), t, 6))

# %% [markdown] hint="class_means"
# Try three pictures that are all ones, all of class 0. What is `sums` before the division, and what should it be?

# %% [markdown] hint="class_means"
# The lesson has seen it once, with counts in place of pictures: section 6, the second silent one.

# %% mutants="class_means"
MUTANTS = {
    "written_once": ("np.add.at(sums, t, x)", "sums[t] += x",
                     "`sums[t] += x` reads, adds and writes back: of several pictures of a class one is left."),
    "no_column": ("np.maximum(counts, 1)[:, None]", "np.resize(np.maximum(counts, 1), x.shape[1])",
                  "The counts belong to the rows: divide by a column, also where a picture has K numbers."),
    "over_all": ("np.maximum(counts, 1)[:, None]", "len(t)", "Each class is divided by its own number of pictures."),
    "smoothed": ("np.maximum(counts, 1)", "(counts + 1)", "One picture too many: only an empty class counts as one."),
}

# %% [markdown]
# ## 7. Two rulers
#
# The lesson's mistake compares every answer with every label, `(said[:, None] == labels).mean()`, and every model gets
# one tenth. There all classes were equally frequent. Below they are not. **Predict first**: what does this wrong ruler
# say of a perfect model, what of a lazy one that always says 0, and which of the two does it prefer? Then measure.

# %%
labels = np.repeat([0, 1, 2], [600, 300, 100])

# %% answer="wrong_ruler" kind="measure"
def wrong_ruler():
    """{"perfect": what the wrong ruler says of it, "lazy": of this one, "better": "perfect", "lazy" or "neither"}

    Numbers from 0 to 1, to two decimals.
    """
    # solution: compare labels[:, None] with labels for the perfect model, an array of zeros as a column for the lazy
    # one; the mean of each matrix; the ruler prefers the larger
    perfect = (labels[:, None] == labels).mean()
    lazy = (np.zeros_like(labels)[:, None] == labels).mean()
    better = "perfect" if perfect > lazy else "lazy"
    return {"perfect": round(float(perfect), 2), "lazy": round(float(lazy), 2), "better": better}
    # end

# %% check="wrong_ruler" points=10 step=0.01
show(**wrong_ruler())

# %% [markdown] reasons="wrong_ruler"
# your prediction and your measurement; the formula $\sum_k \text{said}_k \text{true}_k$ with the numbers of both models
# put in; what decides which of the two the ruler prefers.

# %% [markdown] hint="wrong_ruler"
# With $\text{said}_k$ the fraction of answers k and $\text{true}_k$ that of labels k, the ruler says
# $\sum_k \text{said}_k \text{true}_k$.

# %% [markdown] hint="wrong_ruler"
# A perfect model's answers are the labels. Make both matrices, (1000, 1000), and take their means.

# %% mutants="wrong_ruler"
MUTANTS = {
    "right_ruler": ("perfect = (labels[:, None] == labels).mean()", "perfect = (labels == labels).mean()",
                    "That is the right ruler, which compares each answer with its own label only."),
    "equal_classes": ("perfect = (labels[:, None] == labels).mean()", "perfect = 1 / 3",
                      "One over the number of classes: so it would be if all were equally frequent."),
    "as_in_the_lesson": ('"perfect": round(float(perfect), 2), "lazy": round(float(lazy), 2), "better": better',
                         '"perfect": 0.33, "lazy": 0.33, "better": "neither"',
                         "One over the number of classes for both: so it would be if all were equally frequent."),
    "prefers_perfect": ('"perfect" if perfect > lazy else "lazy"', '"perfect"',
                        "Look at your two numbers again: the ruler prefers the larger."),
}

# %% [markdown]
# ## 8. Who was taken for whom
#
# A model was tested on 200 pictures of each of five classes (the counts are made up). Rows are true classes, columns
# what the model said.

# %%
names = ["bird", "cat", "dog", "deer", "ship"]
counts = np.array([[120, 10, 28, 38, 4], [12, 106, 74, 6, 2], [6, 38, 148, 7, 1], [22, 10, 10, 156, 2],
                   [10, 3, 1, 2, 184]])

# %% figure="a confusion matrix of five classes, 200 pictures each"
import matplotlib.pyplot as plt

from minivit import viz

viz.style()
figure, axes = plt.subplots(figsize=(5.4, 4.6))
axes.imshow(counts, cmap="Blues", vmax=260)
for (row, column), count in np.ndenumerate(counts):
    axes.text(column, row, count, ha="center", va="center")
axes.set(xticks=range(5), xticklabels=names, yticks=range(5), yticklabels=names, xlabel="what the model said",
         ylabel="true class", title="200 pictures of each class")
plt.show()

# %% answer="read_confusion" kind="read"
def read_confusion():
    """{"accuracy": ..., "missed": ..., "doubted": ...}

    accuracy: of all pictures, to two decimals. missed: the class whose own pictures are recognised least often.
    doubted: the class whose name, when the model says it, is right least often.
    """
    # solution: accuracy is the diagonal over all counts; missed looks along the rows, doubted down the columns: the
    # diagonal entry over the sum of its row, and over the sum of its column
    right = counts.diagonal()
    accuracy = round(float(right.sum() / counts.sum()), 2)
    missed = names[(right / counts.sum(axis=1)).argmin()]
    doubted = names[(right / counts.sum(axis=0)).argmin()]
    return {"accuracy": accuracy, "missed": missed, "doubted": doubted}
    # end

# %% check="read_confusion" points=10 step=0.01
show(**read_confusion())

# %% [markdown] hint="read_confusion"
# "Of all cats, how many did it recognise" is a question to a row. To what is "of all that it called a cat, how many
# were cats" a question?

# %% [markdown] hint="read_confusion"
# Add up each column: how often did the model say this name at all?

# %% mutants="read_confusion"
MUTANTS = {
    "exchanged": ("right / counts.sum(axis=1)).argmin()]\n    doubted = names[(right / counts.sum(axis=0))",
                  "right / counts.sum(axis=0)).argmin()]\n    doubted = names[(right / counts.sum(axis=1))",
                  "Rows are true classes: a row says what became of a class, a column what a name is worth."),
    "rows_twice": ("counts.sum(axis=0)", "counts.sum(axis=1)",
                   "For `doubted` look down the columns: a name that is said too often is often wrong."),
    "mean_of_columns": ("right.sum() / counts.sum()", "(right / counts.sum(axis=0)).mean()",
                        "The accuracy counts pictures: all right ones over all of them."),
}
