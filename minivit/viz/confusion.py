"""Which classes are taken for which."""

import numpy as np

from .figure import new_figure


def confusion_matrix(confusion, classes):
    """Each row: how the test pictures of one class were classified, in percent of the row.

    Parameters
    ----------
    confusion : array_like of int (K, K)
        Row i, column j: the number of pictures of class i that were taken for class j.
    classes : sequence of str (K,)
    """
    confusion = np.asarray(confusion)
    percent = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    size = 3 + 0.5 * min(len(classes), 20)
    figure = new_figure(size + 1, size)
    axes = figure.subplots()
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, ax=axes, label="percent of the class")
    if len(classes) <= 20:  # more do not fit
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        for row, column in np.ndindex(percent.shape):
            axes.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", fontsize=10,
                      color="white" if percent[row, column] > 50 else "black")
    accuracy = confusion.trace() / max(confusion.sum(), 1)
    axes.set(xlabel="taken for", ylabel="class", title=f"{accuracy:.1%} of {confusion.sum():,} pictures are right")
    return figure
