"""The house look: figures that can be read from the last row, in colours that colour-blind readers tell apart."""

from .alt import alt_text, described

# Okabe and Ito, Color Universal Design, 2008: the eight colours, without yellow, which is too pale for lines on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def style():
    """Set matplotlib's defaults for a notebook: large type, thick lines, COLOURS in this order, nothing cut off.

    A notebook keeps its figures as SVG, sharp on a projector, with PNG beside it for what cannot show SVG, and tells in
    words what stands in them.
    """
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    plt.rcParams.update({
        "axes.prop_cycle": plt.cycler(color=COLOURS), "image.cmap": "viridis", "lines.linewidth": 2,
        "font.size": 12, "axes.titlesize": 13, "axes.labelsize": 12, "legend.fontsize": 11, "figure.titlesize": 14,
        "grid.alpha": 0.3, "figure.figsize": (8, 4), "figure.dpi": 100, "figure.constrained_layout.use": True})
    if "inline" in plt.get_backend():
        from IPython import get_ipython
        get_ipython().display_formatter.mimebundle_formatter.for_type(Figure, with_words)


def with_words(figure):
    """What a notebook keeps of a figure beside its PNG, None if it is empty: {kind: text}."""
    from IPython.core.pylabtools import print_figure
    svg = print_figure(figure, "svg")
    if svg is None:
        return None
    words = alt_text(svg)
    return {"image/svg+xml": described(svg, words), "text/plain": words}
