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


def test_style_makes_type_larger():
    import matplotlib as mpl
    with mpl.rc_context():
        viz.style()
        assert mpl.rcParams["font.size"] == 12
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(viz.COLOURS)
