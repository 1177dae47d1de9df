"""The drawing of a graph: every node at its place, gradients where they are known, the active node's arrows turned."""

import pytest

from minivit import viz

ARGUMENTS = {"u": [("x", "2"), ("w", "3")], "v": [("u", "1"), ("b", "1")], "L": [("u", "7"), ("v", "6")]}


def step(active=(), done=(), gradients=None):
    return {"title": "a step", "values": {"u": "6", "v": "7"}, "gradients": gradients or {}, "active": active,
            "done": done}


def texts(axes):
    """{text: its place}"""
    return {text.get_text(): text.get_position() for text in axes.texts}


def test_results_stand_right_of_their_arguments_and_inputs_before_their_first_use():
    places = texts(viz.graph_steps(ARGUMENTS, [step()]).axes[0])
    column = {name[0]: place[0] for name, place in places.items() if "\n" in name}
    assert column == {"x": 0, "w": 0, "u": 1, "b": 1, "v": 2, "L": 3}
    assert len({place for name, place in places.items() if "\n" in name}) == 6


def test_values_gradients_and_labels_are_shown():
    figure = viz.graph_steps(ARGUMENTS, [step(), step(active=["L"], gradients={"v": "41"})])
    first, second = figure.axes
    assert {"u\n6", "v\n7", "7"} <= texts(first).keys()
    assert "41" in texts(second)
    assert "41" not in texts(first)
    assert first.get_title() == "a step"


def test_the_active_node_passes_backward():
    axes = viz.graph_steps(ARGUMENTS, [step(active=["L"])]).axes[0]
    arrows = [text.arrowprops["arrowstyle"] for text in axes.texts if getattr(text, "arrowprops", None)]
    assert sorted(arrows) == ["-|>"] * 4 + ["<|-"] * 2


@pytest.mark.parametrize("arguments", [{"b": [("a", "1"), ("a", "1")]}])
def test_an_argument_that_is_used_twice_has_two_arrows(arguments):
    axes = viz.graph_steps(arguments, [step()]).axes[0]
    arrows = {text.arrowprops["connectionstyle"] for text in axes.texts if getattr(text, "arrowprops", None)}
    assert len(arrows) == 2
    assert len(viz.png(viz.graph_steps(arguments, [step()] * 3))) > 1000
