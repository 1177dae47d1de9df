"""A page of pictures."""

import numpy as np

from .drawing import drawings
from .figure import new_figure

GAP = 2  # pixels between pictures


def page(images, *, columns=10, rows=(), names=(), title=""):
    """Pictures in reading order, `columns` in a row.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)
    columns : int
    rows : sequence of str
        What to write before each row.
    names : sequence of str
        What to write above each picture.
    title : str
    """
    images = np.asarray(images)
    count, height, width = images.shape[:3]
    lines, above = -(-count // columns), height // 3 if names else 0
    down, across = above + height + GAP, width + GAP  # from a picture to the next
    canvas = np.full((lines * down - GAP, columns * across - GAP, 3), 255, np.uint8)
    tops, lefts = np.arange(count) // columns * down + above, np.arange(count) % columns * across
    for image, top, left in zip(images, tops, lefts, strict=True):
        canvas[top:top + height, left:left + width] = image
    inch = (0.85 if columns > 6 else 1.2) / width
    figure = new_figure(canvas.shape[1] * inch + 1.5 * bool(rows), canvas.shape[0] * inch + 0.4 * bool(title))
    axes = figure.subplots()
    axes.imshow(canvas, interpolation="none")  # a pixel stays a square; an SVG file keeps it as one number
    for name, top, left in zip(names, tops, lefts, strict=False):
        axes.text(left + width / 2, top - GAP, name, ha="center", va="bottom")
    axes.set_xticks([])
    axes.set_yticks(tops[::columns][:len(rows)] + height / 2, rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return figure


def rows_of_pictures(rows, title=""):
    """Pictures beside each other, and under each what was made of it.

    {name of the row: uint8 (N, H, W, 3), or a minivit.data.Drawing, with what is to be drawn over the pictures}
    """
    if not all(isinstance(row, np.ndarray) for row in rows.values()):
        return drawings(rows, title)
    images = np.concatenate(list(rows.values()))
    return page(images, columns=len(images) // len(rows), rows=list(rows), title=title)
