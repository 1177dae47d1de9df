"""Several runs side by side, over the time that they took."""

from .figure import new_figure
from .level import level_line
from .style import COLOURS


def race(runs, chance=None):
    """Accuracy on the test set over the minutes of training, a line for each run, the best one first in the legend.

    Parameters
    ----------
    runs : {str: (list of dict, float)}
        By its name, the lines of a run's metrics.jsonl, and its minutes from the first step to the last, through
        which its steps are spread evenly.
    chance : float, optional
        The accuracy of guessing: a dashed line.
    """
    figure = new_figure(9, 5)
    axes = figure.subplots()
    lines = {}
    for number, (name, (metrics, minutes)) in enumerate(runs.items()):
        tested = {line["step"]: 100 * line["test_accuracy"] for line in metrics if "test_accuracy" in line}
        *_, last = tested
        lines[tested[last], name], = axes.plot(
            [minutes * step / last for step in tested], list(tested.values()), marker="osD^vPX"[number % 7],
            color=COLOURS[number % len(COLOURS)], label=f"{name}: {tested[last]:.1f} %")
    handles = [lines[key] for key in sorted(lines, reverse=True)]
    if chance is not None:
        handles.append(level_line(axes, 100 * chance, "chance"))
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(xlabel="minutes of training", ylabel="test accuracy (%)", ylim=(0, 100), xlim=(0, None),
             title="What the kept models reached on the test set")
    axes.grid(alpha=0.3)
    return figure
