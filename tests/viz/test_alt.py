"""What a figure says in words is what stands in it, and a notebook keeps both."""

import io
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from minivit import viz
from minivit.viz.alt import alt_of_output, alt_text, described
from minivit.viz.figure import new_figure

TWO_RUNS = 'The figure "Two runs" shows "train" with axes "step" and "loss" and legend "AdamW", "SGD".'


def svg(figure):
    """The file of a figure, as text."""
    file = io.StringIO()
    figure.savefig(file, format="svg")
    return file.getvalue()


def two_runs():
    figure = new_figure(4, 3)
    figure.suptitle("Two runs")
    axes = figure.subplots()
    for name in ("AdamW", "SGD"):
        axes.plot([1, 2], label=name)
    axes.set(title="train", xlabel="step", ylabel="loss")
    axes.legend()
    return figure


def test_one_part():
    assert alt_text(svg(two_runs())) == TWO_RUNS


def test_several_parts():
    figure = new_figure(6, 3)
    bars, picture, _, grid = figure.subplots(1, 4)
    bars.bar(["sine", "none,\nnot even $x^2$"], [1e-3, 2e-3])
    bars.set_ylabel("right (%)")
    picture.set_axis_off()
    picture.set_title("a < b & \"c\"")
    grid.text(0, 0, "0.5")
    grid.text(1, 1, "here")
    grid.set_title("answers")
    figure.text(0, 0, "seed 0")
    assert alt_text(svg(figure)) == (
        'The figure "seed 0" has 4 parts: axes ("sine", "none, not even x^2") and "right (%)"; "a < b & "c""; '
        '"answers", "here"; 1 without words.')


def test_logarithms_and_powers_of_ten_are_numbers():
    figure = new_figure(6, 3)
    left, right = figure.subplots(1, 2)
    left.loglog([1, 1000], [1, 1e6])
    right.plot([1e8, 2e8])
    left.set_xlabel(r"$\Delta x$")
    assert alt_text(svg(figure)) == 'The figure has 2 parts: axis "Delta x"; 1 without words.'


def test_subfigures_are_parts_of_the_whole():
    figure = new_figure(6, 3)
    figure.suptitle("Whole")
    for name, below in zip("AB", figure.subfigures(1, 2), strict=True):
        below.suptitle(f"Side {name}")
        below.subplots().set_xlabel(name)
    assert alt_text(svg(figure)) == 'The figure "Whole" has 2 parts: axis "A"; axis "B"; "Side A"; "Side B".'


def test_a_figure_without_words_says_so():
    figure = new_figure(4, 3)
    figure.subplots().set_axis_off()
    assert alt_text(svg(figure)) == "The figure shows a picture without words."


def test_a_drawing_describes_itself():
    from minivit.nn import Linear
    drawing = viz.architecture(Linear(2, 3), level=0, shape=(1, 2))
    assert alt_text(drawing.svg) == drawing.alt


def test_a_picture_without_svg_is_called_as_what_stands_beside_it():
    assert alt_of_output({"image/png": "..."}, "Loss falls") == "Loss falls"
    lines = svg(two_runs()).splitlines(keepends=True)  # as a notebook's file has them
    assert alt_of_output({"image/png": "...", "image/svg+xml": lines}, "Loss falls") == TWO_RUNS


def test_a_described_figure_is_a_picture_with_a_name():
    root = ElementTree.fromstring(described(svg(two_runs()), TWO_RUNS))
    assert (root.get("role"), root.get("aria-label")) == ("img", TWO_RUNS)


def test_a_notebook_keeps_svg_and_words(monkeypatch):
    IPython = pytest.importorskip("IPython")
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.pylabtools import select_figure_formats
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    select_figure_formats(shell, {"png"})  # as the inline backend does
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(plt, "get_backend", lambda: "inline")
    with mpl.rc_context():
        viz.style()
    data, _ = shell.display_formatter.format(two_runs())
    assert sorted(data) == ["image/png", "image/svg+xml", "text/plain"]
    assert data["text/plain"] == TWO_RUNS
    assert ElementTree.fromstring(data["image/svg+xml"]).get("aria-label") == TWO_RUNS
    empty, _ = shell.display_formatter.format(new_figure(4, 3))
    assert "image/svg+xml" not in empty
