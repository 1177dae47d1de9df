"""A page shows every picture at its place; the style is set where figures are made."""

import numpy as np

from minivit import viz


def test_pictures_stand_in_reading_order():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((5, 6, 4, 3), np.uint8)
    axes, = viz.page(images, columns=3, rows=["above", "below"], title="five").axes
    canvas = axes.images[0].get_array()
    assert canvas.shape == (6 + 2 + 6, 3 * 4 + 2 * 2, 3)
    assert [canvas[3, left, 0] for left in (0, 6, 12)] == [0, 1, 2]
    assert [canvas[8 + 3, left, 0] for left in (0, 6, 12)] == [3, 4, 255]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["above", "below"]


def test_names_stand_above_their_pictures():
    axes, = viz.page(np.zeros((3, 9, 5, 3), np.uint8), columns=2, names=["a", "b", "c"]).axes
    canvas = axes.images[0].get_array()
    assert canvas.shape == ((3 + 9 + 2) * 2 - 2, 12, 3)
    assert [(text.get_text(), *text.get_position()) for text in axes.texts] == [
        ("a", 2.5, 1), ("b", 9.5, 1), ("c", 2.5, 15)]
    assert (canvas[:3] == 255).all()
    assert (canvas[3:12, :5] == 0).all()


def test_style_makes_type_larger():
    import matplotlib as mpl
    with mpl.rc_context():
        viz.style()
        assert mpl.rcParams["font.size"] == 12
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(viz.COLOURS)
