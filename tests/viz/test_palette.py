"""The colours can be read on the page that they are for, and are told apart."""

import itertools

import pytest
from matplotlib.colors import to_rgb

from minivit.viz.palette import PALETTE, css


def luminance(colour):
    """Relative luminance of sRGB, WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("meaning", [name for name in PALETTE if name != "page"])
def test_every_colour_stands_out_from_its_page(meaning, side):
    dark, bright = sorted(luminance(PALETTE[name][side]) for name in (meaning, "page"))
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("side", [0, 1])
def test_no_two_colours_are_near(side):
    for one, other in itertools.combinations(PALETTE, 2):
        a, b = (to_rgb(PALETTE[name][side]) for name in (one, other))
        assert max(abs(x - y) for x, y in zip(a, b, strict=True)) > 0.03, (one, other)


def test_the_style_sheet_has_every_meaning_light_and_dark():
    for meaning, colours in PALETTE.items():
        assert all(f"--{meaning}:{colour};" in css() for colour in colours)
