"""How the parts of a block are wired: what lies on the residual path, and what beside it."""

from .figure import new_figure
from .style import COLOURS

WIDTH, STEP, BESIDE = 1.7, 1.0, 2.1  # of a part, from one part to the next, from the path to a branch


def wirings(blocks):
    """Blocks side by side, each with its input at the bottom.

    Parameters
    ----------
    blocks : dict
        From a title to the parts, from the bottom to the top. A name is a part on the path itself; a tuple of names is
        a branch, which leaves the path, passes through these parts, and is added to it:
        {"pre-norm": [("norm", "attention"), ("norm", "MLP")]}. Parts with the same name have the same colour.
    """
    figure = new_figure(11, 4.8)
    names = dict.fromkeys(name for parts in blocks.values() for part in parts
                          for name in ([part] if isinstance(part, str) else part))
    colours = dict(zip(names, COLOURS, strict=False))
    for axes, (title, parts) in zip(figure.subplots(1, len(blocks), sharex=True, sharey=True), blocks.items(),
                                    strict=True):
        height = 0.0
        for part in parts:
            if isinstance(part, str):
                height += STEP
                _box(axes, 0, height, part, colours[part])
            else:
                height = _branch(axes, height, part, colours)
        axes.plot([0, 0], [0, height + STEP], color="black", lw=2.5, marker="^", markevery=[1], zorder=1)
        axes.text(0, -0.1, "x", ha="center", va="top")
        axes.set_title(title)
        axes.set_xlim(-WIDTH / 2 - 0.3, BESIDE + WIDTH / 2 + 0.1)
        axes.set_axis_off()
    return figure


def _branch(axes, bottom, names, colours):
    """Draw a branch that leaves the path above `bottom`; return the height at which it is added."""
    leaves, added = bottom + STEP / 2, bottom + (len(names) + 1) * STEP
    axes.plot([0, BESIDE, BESIDE], [leaves, leaves, added], color="gray", lw=1.5, zorder=1)
    axes.annotate("", (0.2, added), (BESIDE, added), arrowprops={"arrowstyle": "->", "color": "gray", "lw": 1.5})
    for index, name in enumerate(names):
        _box(axes, BESIDE, bottom + (index + 1) * STEP, name, colours[name])
    axes.text(0, added, "+", ha="center", va="center", zorder=3,
              bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": "black"})
    return added


def _box(axes, x, y, name, colour):
    from matplotlib.patches import FancyBboxPatch
    axes.add_patch(FancyBboxPatch((x - WIDTH / 2, y - 0.28), WIDTH, 0.56, boxstyle="round,pad=0.02,rounding_size=0.1",
                                  facecolor=colour, edgecolor="none", zorder=2))
    axes.text(x, y, name, ha="center", va="center", color="white", zorder=3)
