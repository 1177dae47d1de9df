"""Results over seeds, a row for each kind: dots for the seeds, no bars with whiskers for three."""

import numpy as np

from .style import COLOURS


def seed_dots(axes, results, *, label="one seed", colour=COLOURS[0], marker="o", shift=0.0):
    """Draw a dot for each seed and a stroke at their mean into matplotlib's axes, the first entry on top.

    Parameters
    ----------
    axes : matplotlib Axes
    results : {str: sequence of float}
        The results of each kind, which lie along x.
    label : str
        What a dot is, for the legend.
    colour, marker : str
        Of the dots.
    shift : float
        How much lower the dots lie than their row, where two groups share the rows.
    """
    for row, values in enumerate(results.values()):
        named = label if row == 0 else None  # once in the legend
        axes.plot(values, np.full(len(values), row + shift), marker, color=colour, alpha=0.7, label=named)
        axes.plot(np.mean(values), row + shift, "|", color="black", markersize=16, markeredgewidth=2)
    axes.set(yticks=range(len(results)), yticklabels=results, ylim=(len(results) - 0.5, -0.5))
