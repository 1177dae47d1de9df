"""A graph of operations, drawn once for every step of a walk over it."""

from .figure import new_figure

COLOURS = {"waiting": "white", "active": "gold", "done": "lightgray"}


def graph_steps(arguments, steps):
    """One panel for each step: what was computed from what, the values so far, the gradients so far.

    Parameters
    ----------
    arguments : dict of str to list of (str, str)
        For each result, in the order of computing, its arguments and what to write on the arrow from each. Names that
        are no result are inputs.
    steps : list of dict
        With "title"; "values" and "gradients", {name: text}, written into and under a node; "active" and "done", names
        of the nodes to fill with a colour.
    """
    places = _places(arguments)
    width, height = (1 + max(axis) - min(axis) for axis in zip(*places.values(), strict=True))
    columns = min(2, len(steps))
    rows = -(-len(steps) // columns)
    figure = new_figure(columns * 1.4 * (width + 0.2), rows * (0.4 + 1.4 * (height + 0.1)))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, step in zip(panels, steps, strict=False):
        _draw(axes, arguments, places, step)
        axes.set_title(step["title"], fontsize=11)
        axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.55 - (height - 1) / 2, (height - 1) / 2 + 0.35), aspect="equal")
    return figure


def _places(arguments):
    """{name: (column, row)}: a result stands right of its arguments, an input in the column before its first use."""
    column = {}
    for name, used in arguments.items():
        column[name] = 1 + max(column.get(argument, 0) for argument, _ in used)
    for name, used in arguments.items():
        for argument, _ in used:
            if argument not in arguments:
                column[argument] = min(column.get(argument, column[name] - 1), column[name] - 1)
    members = {}
    for name in sorted(column, key=lambda name: name in arguments):
        members.setdefault(column[name], []).append(name)
    return {name: (place, (len(names) - 1) / 2 - row) for place, names in members.items()
            for row, name in enumerate(names)}


def _draw(axes, arguments, places, step):
    for name, used in arguments.items():
        origins = [argument for argument, _ in used]
        for index, (argument, label) in enumerate(used):
            start, end, twice = places[argument], places[name], origins.count(argument) > 1
            around = 0.45 if start[1] < end[1] else -0.45  # past the nodes of the columns between
            bend = (0.3 if index else -0.3) if twice else around if end[0] - start[0] > 1 else 0
            passed = name in step["active"]
            axes.annotate("", end, start, arrowprops={
                "arrowstyle": "<|-" if passed else "-|>", "color": "tab:red" if passed else "gray", "shrinkA": 21,
                "shrinkB": 21, "connectionstyle": f"arc3,rad={bend}"})
            middle = ((start[0] + end[0] + bend * (end[1] - start[1])) / 2,  # of the arc that matplotlib draws
                      (start[1] + end[1] - bend * (end[0] - start[0])) / 2)
            axes.text(*middle, label, ha="center", va="center", fontsize=9, color="tab:red" if passed else "dimgray",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
    for name, place in places.items():
        state = "active" if name in step["active"] else "done" if name in step["done"] else "waiting"
        axes.text(*place, f"{name}\n{step['values'].get(name, '')}", ha="center", va="center", fontsize=10,
                  bbox={"boxstyle": "circle,pad=0.35", "facecolor": COLOURS[state], "edgecolor": "black"})
        axes.text(place[0], place[1] - 0.36, step["gradients"].get(name, ""), ha="center", va="center", fontsize=10,
                  color="tab:red", weight="bold")
