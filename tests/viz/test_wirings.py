"""A diagram shows each part of each block, and one sum for each branch."""

from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch

from minivit import viz

BLOCKS = {"pre-norm": [("norm", "attention"), ("norm", "MLP")],
          "post-norm": [("attention",), "norm", ("MLP",), "norm"], "plain": ["attention", "MLP"]}


def boxes(axes):
    """The parts of a block from the bottom to the top, each with its place beside the path and its colour."""
    patches = sorted((patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)), key=FancyBboxPatch.get_y)
    return [(patch.get_x() + patch.get_width() / 2, to_hex(patch.get_facecolor())) for patch in patches]


def test_parts_lie_on_the_path_or_beside_it():
    figure = viz.wirings(BLOCKS)
    pre, post, plain = figure.axes
    assert [axes.get_title() for axes in figure.axes] == list(BLOCKS)
    norm, attention, mlp = (to_hex(colour) for colour in viz.COLOURS[:3])
    assert [colour for _, colour in boxes(pre)] == [norm, attention, norm, mlp]
    assert [place > 1 for place, _ in boxes(pre)] == [True] * 4
    assert [(place > 1, colour) for place, colour in boxes(post)] == [
        (True, attention), (False, norm), (True, mlp), (False, norm)]
    assert [place for place, _ in boxes(plain)] == [0, 0]


def test_each_branch_is_added_once():
    sums = [sum(text.get_text() == "+" for text in axes.texts) for axes in viz.wirings(BLOCKS).axes]
    assert sums == [2, 2, 0]
    assert viz.png(viz.wirings(BLOCKS)).startswith(b"\x89PNG")
