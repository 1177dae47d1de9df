"""What is drawn on a page, and where: shapes with their texts, and arrows."""

from dataclasses import dataclass, field
from functools import lru_cache

from .boxes import Box

TITLE, DETAIL = 18, 15  # pixels
MARGIN = 20


@dataclass
class Text:
    """A line of text: where it starts, ends or has its middle (`anchor`), on which line it stands."""

    x: float
    y: float
    text: str
    size: int = DETAIL
    anchor: str = "start"
    style: str = "quiet"

    @property
    def sides(self) -> tuple[float, float]:
        """Its left and right end."""
        width = text_width(self.text, self.size, self.style == "title")
        left = self.x - {"start": 0, "middle": width / 2, "end": width}[self.anchor]
        return left, left + width


@dataclass
class Shape:
    """A box that is drawn, with its texts."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    texts: list[Text] = field(default_factory=list)


@dataclass
class Arrow:
    """A line through points; with a head, or leading into a frame."""

    points: list[tuple[float, float]]
    head: bool


@dataclass
class Sheet:
    """What is drawn, around an axis at x = 0, from y = 0 down.

    Attributes
    ----------
    left, right, height : float
        How far it extends.
    begin, end : float
        The upper edge of its first box on the axis, the lower edge of its last one.
    ways_in, ways_out : list of float
        Where, on its upper and lower edge, lines go through.
    """

    shapes: list[Shape] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    left: float = 0
    right: float = 0
    height: float = 0
    begin: float = 0
    end: float = 0
    ways_in: list[float] = field(default_factory=list)
    ways_out: list[float] = field(default_factory=list)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height with a margin."""
        return self.left + self.right + 2 * MARGIN, self.height + 2 * MARGIN

    def take(self, other: "Sheet", x: float, y: float) -> None:
        """Take in another sheet, moved."""
        for shape in other.shapes:
            shape.x, shape.y = shape.x + x, shape.y + y
            for text in shape.texts:
                text.x, text.y = text.x + x, text.y + y
        for text in other.texts:
            text.x, text.y = text.x + x, text.y + y
        for arrow in other.arrows:
            arrow.points = [(a + x, b + y) for a, b in arrow.points]
        self.shapes += other.shapes
        self.arrows += other.arrows
        self.texts += other.texts


@lru_cache(maxsize=4)
def _font(size, bold):
    from matplotlib import get_data_path
    from PIL import ImageFont
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf", size)


@lru_cache(maxsize=4096)
def text_width(text: str, size: int, bold: bool = False) -> float:
    """Pixels that a text takes at most: in a wide font, as systems have others."""
    return _font(size, bold).getlength(text)


def shape_text(shape: tuple) -> str:
    """A shape as it is written in docstrings: (B, 64, 128)."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def times(box: Box, before: str = "") -> str:
    """How often a box stands in a row: "× 12", or nothing for once."""
    return f"{before}× {box.count}" if box.count > 1 else ""
