"""What is reached, against what it costs."""

from .figure import new_figure
from .style import COLOURS


def against_costs(points):
    """Accuracy over each cost, a panel for each, every point with its name; groups have colours and marks.

    Parameters
    ----------
    points : list of dict
        "name", "group", "accuracy" from 0 to 1, and the costs by what their axes are to say.
    """
    costs = [key for key in points[0] if key not in ("name", "group", "accuracy")]
    groups = list(dict.fromkeys(point["group"] for point in points))
    figure = new_figure(12, 5 * ((len(costs) + 1) // 2))
    panels = figure.subplots((len(costs) + 1) // 2, 2, squeeze=False, sharey=True).reshape(-1)
    for axes, cost in zip(panels, costs, strict=False):
        for number, group in enumerate(groups):
            members = [point for point in points if point["group"] == group]
            axes.scatter([point[cost] for point in members], [100 * point["accuracy"] for point in members],
                         color=COLOURS[number % len(COLOURS)], marker="osD^vPX"[number % 7], label=group)
        for point in points:
            axes.annotate(point["name"], (point[cost], 100 * point["accuracy"]), xytext=(4, 3),
                          textcoords="offset points", fontsize=9)
        axes.set(xlabel=cost, ylabel="test accuracy (%)")
        axes.grid(alpha=0.3)
    for axes in panels[len(costs):]:
        axes.set_visible(False)
    panels[0].legend()
    return figure
