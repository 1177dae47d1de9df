"""Speeds side by side."""

from .figure import new_figure


def speed_bars(rows, title=""):
    """A group of bars for each case: how much arithmetic each library does in a second.

    Parameters
    ----------
    rows : list of dict
        With "case", "side" and "gflops", as python -m benchmarks writes them; one row for each case and side.
    """
    cases = list(dict.fromkeys(row["case"] for row in rows))
    sides = list(dict.fromkeys(row["side"] for row in rows))
    figure = new_figure(2 + 1.8 * len(cases), 4)
    axes = figure.subplots()
    width = 0.8 / len(sides)
    for index, side in enumerate(sides):
        speeds = {row["case"]: row["gflops"] for row in rows if row["side"] == side}
        places = [cases.index(case) + (index - (len(sides) - 1) / 2) * width for case in speeds]
        axes.bar_label(axes.bar(places, speeds.values(), width, label=side), fmt="%.0f")
    axes.set_xticks(range(len(cases)), cases)
    axes.set_ylabel("GFLOP/s")
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=len(sides))
    return figure
