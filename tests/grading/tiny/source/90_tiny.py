# %% [markdown] minutes=5
# # An exercise of three answers, for the tests of the grader

# %%
import numpy as np

from minivit.grading.show import show

# %% answer="double" kind="retype"
def double(x):
    """y = 2 x"""
    # solution: two times x
    return 2 * x
    # end

# %% check="double" points=20
SEED = 90
show(y=double(np.random.default_rng(SEED).normal(size=(2, 3))))

# %% [markdown] hint="double"
# Twice.

# %% [markdown] hint="double"
# Two times.

# %% mutants="double"
MUTANTS = {
    "square": ("2 * x", "x * x", "This is the square."),
    "half": ("2 * x", "x / 2", "This is the half."),
    "sign": ("2 * x", "-2 * x", "The sign."),
}

# %% answer="softmax" kind="transfer" forbid="logaddexp"
def softmax(x):
    """exp(x_i) / sum_j exp(x_j)"""
    # solution: exponentials over their sum
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    # end

# %% check="softmax" points=30
SEED = 90
x = np.random.default_rng(SEED).normal(size=(3, 3))
show(y=softmax(x), large=softmax(900 * x))

# %% [markdown] hint="softmax"
# First hint.

# %% [markdown] hint="softmax"
# Second hint.

# %% mutants="softmax"
MUTANTS = {
    "no_maximum": ("x - x.max(axis=-1, keepdims=True)", "x", "Subtract the maximum."),
    "wrong_axis": ("e.sum(axis=-1,", "e.sum(axis=0,", "Sum over the last axis."),
    "whole": ("e.sum(axis=-1, keepdims=True)", "e.sum()", "Each row by itself."),
}

# %% answer="both" kind="retype"
def both(x):
    """softmax(2 x)"""
    # solution: softmax of double
    return softmax(double(x))
    # end

# %% check="both" points=50
SEED = 90
show(y=both(np.random.default_rng(SEED).normal(size=(2, 4))))

# %% [markdown] hint="both"
# One inside the other.

# %% [markdown] hint="both"
# Double goes inside.

# %% mutants="both"
MUTANTS = {
    "one_way": ("softmax(double(x))", "softmax(x)", "Double first."),
    "other_way": ("softmax(double(x))", "double(softmax(x))", "The other way round."),
    "twice": ("softmax(double(x))", "softmax(double(double(x)))", "Once only."),
}
