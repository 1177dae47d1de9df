# %% [markdown] minutes="estimated 8"
# # An exercise of the kinds that are no plain functions

# %%
import numpy as np

from minivit.grading.show import show

heights = np.array([1, 4, 2])

# %% [markdown]
# ## 1. A wrong mean

# %% answer="middle" kind="debug" bug="by_size"
def middle(x):
    """The mean of every row.    (n, m) -> (n,)"""
    # solution: a row has m entries:
    # divide by the length of the last axis
    return x.sum(axis=-1) / x.shape[-1]
    # end

# %% check="middle" points=40
SEED = 91
show(y=middle(np.random.default_rng(SEED).normal(size=(2, 3))))

# %% mutants="middle"
MUTANTS = {
    "by_size": ("x.shape[-1]", "x.size", "A row has fewer entries than the whole."),
    "by_rows": ("x.shape[-1]", "x.shape[0]", "Divide by the length of a row."),
    "sum": (" / x.shape[-1]", "", "That is the sum."),
    "third_axis": ("x.shape[-1]", "x.shape[2]", "x has two axes: 0 and 1."),
}

# %% [markdown]
# ## 2. How much

# %% answer="share" kind="measure"
def share():
    """{"found": share of the numbers below 1000 that 7 divides, "side": is it "more" or "less" than a tenth}"""
    # solution: count them
    found = round(sum(n % 7 == 0 for n in range(1000)) / 1000, 2)
    side = "more"
    return {"found": found, "side": side}
    # end

# %% check="share" points=30 step=0.01
show(**share())

# %% [markdown] reasons="share"
# the number
# and why.

# %% mutants="share"
MUTANTS = {
    "count": (" / 1000", " / 1", "That is the number, not the share."),
    "less": ('"more"', '"less"', "A seventh is more than a tenth."),
    "six": ("% 7", "% 6", "That is 6."),
}

# %% figure="three bars"
import matplotlib.pyplot as plt

show(heights=heights)
print("bars")
plt.bar(range(3), heights)
plt.show()

# %% answer="tallest" kind="read"
def tallest():
    """The number of the tallest bar."""
    # solution: look
    bar = int(heights.argmax())
    return {"bar": bar}
    # end

# %% check="tallest" points=30
show(**tallest())

# %% mutants="tallest"
MUTANTS = {
    "height": ("heights.argmax()", "heights.max()", "That is its height."),
    "smallest": ("heights.argmax()", "heights.argmin() - 3", "That is the smallest."),
    "twenty": ("int(heights.argmax())", "20", "There are three."),
}
