"""Figures that belong to nobody: no window, no global state."""

import io


def new_figure(width, height):
    """An empty figure, its size in inches."""
    from matplotlib.figure import Figure
    figure = Figure((width, height), layout="constrained")
    figure._repr_png_ = lambda: png(figure)  # a notebook shows it, whether pyplot has drawn before or not
    return figure


def png(figure):
    """The bytes of a figure as a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return file.getvalue()
