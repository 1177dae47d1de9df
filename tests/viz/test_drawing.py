"""Masks, boxes and words over pictures: where they are drawn, in which colours, and what is refused."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from minivit import viz
from minivit.data import Drawing, scenes
from minivit.viz import COLOURS


@pytest.fixture(scope="module")
def drawn():
    return scenes.draw(3, np.random.default_rng(0))


def test_masks_get_colours_and_the_rest_stays(drawn):
    mask = np.array([[0, 1], [7, 255]], np.uint8)
    image = np.full((2, 2, 3), 100, np.uint8)
    found = viz.drawing.coloured(image, mask)
    np.testing.assert_allclose(found[0, 0], 100 / 255)
    np.testing.assert_allclose(found[0, 1], 0.55 * np.array(to_rgb(COLOURS[0])) + 0.45 * 100 / 255)
    np.testing.assert_allclose(found[1, 0], found[0, 1])  # six colours, then from the beginning
    np.testing.assert_allclose(found[1, 1], 0.55 * 0.5 + 0.45 * 100 / 255)


def test_boxes_names_and_texts_stand_where_they_belong(drawn):
    boxes = [boxes[kinds >= 0] for boxes, kinds in zip(drawn.boxes, drawn.object_classes, strict=True)]
    names = [[f"object {number}" for number in range(len(each))] for each in boxes]
    figure = viz.rows_of_pictures({"picture": drawn.images, "found": Drawing(
        drawn.images, masks=drawn.masks, boxes=boxes, names=names, texts=["one", "two", "three"])}, "a title")
    assert len(figure.axes) == 6
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "", "one", "two", "three"]
    for axes, each, called in zip(figure.axes[3:], boxes, names, strict=True):
        assert [text.get_text() for text in axes.texts] == called
        for line, (x0, y0, x1, y1) in zip(axes.lines[::2], each, strict=True):
            assert (line.get_xdata().min(), line.get_xdata().max()) == (x0 - 0.5, x1 - 0.5)
            assert (line.get_ydata().min(), line.get_ydata().max()) == (y0 - 0.5, y1 - 0.5)
    assert viz.png(figure)[:4] == b"\x89PNG"


@pytest.mark.parametrize(("given", "message"), [
    ({"texts": ["one"]}, "drawing: 3 pictures, but texts for 1"),
    ({"boxes": [np.zeros((2, 4))] * 3, "names": [["one"]] * 3}, "drawing: 2 boxes in a picture, but 1 names")])
def test_a_drawing_that_does_not_fit_its_pictures(drawn, given, message):
    with pytest.raises(ValueError, match=message):
        Drawing(drawn.images, **given)
