"""Pictures with masks, boxes and words over them."""

import textwrap

import numpy as np

from .figure import new_figure
from .style import COLOURS

GREY, OPAQUE = (0.5, 0.5, 0.5), 0.55  # of what is not said; how much of a mask's colour is seen


def drawings(rows, title=""):
    """Pictures beside each other, and under each what was made of it.

    Parameters
    ----------
    rows : {name of the row: uint8 (n, H, W, 3) or minivit.data.Drawing}
    title : str
    """
    count = len(next(iter(map(images_of, rows.values()))))
    longest = max((len(text) for row in rows.values() for text in getattr(row, "texts", None) or ()), default=0)
    side, lines = 1.7, -(-longest // 26)
    figure = new_figure(side * count + 0.6, len(rows) * (side + 0.1 * lines) + 0.4 * bool(title))
    for (name, row), line in zip(rows.items(), figure.subplots(len(rows), count, squeeze=False), strict=True):
        for number, axes in enumerate(line):
            draw_picture(axes, row, number)
        line[0].set_ylabel(textwrap.fill(name, 20), fontsize=9)
    figure.suptitle(title)
    return figure


def images_of(row):
    """The pictures of a row.    -> uint8 (n, H, W, 3)"""
    return getattr(row, "images", row)


def draw_picture(axes, row, number):
    """One picture of a row, with all that is to be seen over it."""
    image = images_of(row)[number]
    masks, boxes, names, texts = (getattr(row, name, None) for name in ("masks", "boxes", "names", "texts"))
    axes.imshow(image if masks is None else coloured(image, masks[number]), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for index, (x0, y0, x1, y1) in enumerate(() if boxes is None else boxes[number]):
        colour, x, y = COLOURS[index % 6], np.array([x0, x1, x1, x0, x0]), np.array([y0, y0, y1, y1, y0])
        axes.plot(x - 0.5, y - 0.5, color="white", linewidth=2.2)  # a pixel's middle is a whole number here
        axes.plot(x - 0.5, y - 0.5, color=colour, linewidth=1.2)
        if names is not None:
            above = max(y0 - 0.5, image.shape[0] / 14)  # inside the picture, even if the box begins at its edge
            axes.text(x0 - 0.5, above, names[number][index], fontsize=5, color="white", va="bottom",
                      bbox={"facecolor": colour, "edgecolor": "none", "pad": 0.6}, clip_on=True)
    axes.set_xlim(-0.5, image.shape[1] - 0.5)
    axes.set_ylim(image.shape[0] - 0.5, -0.5)
    if texts is not None:
        axes.set_xlabel(textwrap.fill(texts[number], 26), fontsize=7)


def coloured(image, mask):
    """A picture with the pixels of each number of a mask in the colour of that number.    -> float (H, W, 3)"""
    from matplotlib.colors import to_rgb
    palette = np.array([to_rgb(colour) for colour in COLOURS[:6]])       # (6, 3)
    colours = np.where((mask == 255)[..., None], GREY, palette[(mask - 1) % 6])  # (H, W, 3)
    return np.where((mask > 0)[..., None], OPAQUE * colours + (1 - OPAQUE) * image / 255, image / 255)
