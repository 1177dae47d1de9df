"""A page of pictures."""

import numpy as np

from .figure import new_figure

GAP = 2  # pixels between pictures


def page(images, *, columns=10, rows=(), title=""):
    """Pictures in reading order, `columns` in a row.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)
    columns : int
    rows : sequence of str
        What to write before each row.
    title : str
    """
    images = np.asarray(images)
    (count, height, width), lines = images.shape[:3], -(-len(images) // columns)
    canvas = np.full((lines * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        canvas[top:top + height, left:left + width] = image
    side = 0.85 if columns > 6 else 1.2  # inches
    figure = new_figure(columns * side + 1.3 * bool(rows), lines * side * height / width + 0.4 * bool(title))
    axes = figure.subplots()
    axes.imshow(canvas)
    axes.set_xticks([])
    axes.set_yticks([line * (height + GAP) + height / 2 for line in range(len(rows))], rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return figure
