"""The outputs of an exercise's figures: pictures, and numbers that are to be read. They run where it is built."""

import base64
import contextlib
import io
from unittest import mock

from nbformat.v4 import new_output

from . import show as showing
from .exercise import from_pristine


def figure_outputs(pristine):
    """{cell's id: outputs} of the figure cells of a pristine notebook; each sees the given code above it."""
    exercise, found, given = from_pristine(pristine), {}, []
    for cell in pristine.cells:
        kind = cell.metadata.get("minivit", {}).get("kind")
        if kind == "figure":
            found[cell.id] = run("\n\n".join(given), cell, exercise.number)
        elif kind is None and cell.cell_type == "code":
            given.append(cell.source)
    return found


def run(given, cell, number):
    """The outputs of one figure cell: what it shows and prints, and its pictures as PNG with the alt text."""
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    outputs, printed, namespace = [], io.StringIO(), {"__name__": "__main__"}

    def display(data, raw):
        outputs.append(new_output("display_data", data))

    with matplotlib.rc_context(), mock.patch.object(showing, "display", display), contextlib.redirect_stdout(printed):
        exec(compile(given, f"<{number}, given>", "exec"), namespace)
        exec(compile(cell.source, f"<{number}, {cell.id}>", "exec"), namespace)
        for figure in map(plt.figure, plt.get_fignums()):
            stream = io.BytesIO()
            figure.savefig(stream, format="png", bbox_inches="tight", metadata={"Software": None})
            text = cell.metadata["minivit"]["shows"]
            outputs.append(new_output("display_data", {"image/png": base64.b64encode(stream.getvalue()).decode(),
                                                       "text/plain": f"Figure: {text}"}))
        plt.close("all")
    if printed.getvalue():
        outputs.insert(0, new_output("stream", name="stdout", text=printed.getvalue()))
    return outputs
