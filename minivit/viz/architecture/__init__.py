"""The architecture of a model, drawn from what happens in one forward pass."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from ...names import expect
from ...nn import Module
from .boxes import Highlight
from .graph import graph
from .page import scale_of, sheet_of
from .trace import trace
from .words import in_words


@dataclass(frozen=True)
class Drawing:
    """A drawing of a model, which a notebook shows.

    Attributes
    ----------
    svg : str
        The text of an SVG file, which follows a light or a dark page.
    alt : str
        The same in words, which the file holds too.
    width, height : float
        In pixels, as it is shown.
    """

    svg: str
    alt: str
    width: float
    height: float

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.alt}


def architecture(model: Module, highlight: str | type | Iterable[str | type] = (), level: int = 1,
                 shape: tuple[int, ...] | None = None, size: tuple[float, float] = (1280, 720)) -> Drawing:
    """Draw a model: boxes and arrows, with the shapes that flow; equal blocks in a row once, with their number.

    Boxes are modules, with thick edges where they learn something; round ones are operations between them. What only
    reshapes, and dropout, which hands everything on, is not drawn: arrows show the shape that arrives. Class tokens,
    positions, queries, keys and values have the colours that they have in all figures.

    Parameters
    ----------
    model : Module
        A whole model or a part of one. It is not changed; no weights are drawn for it, and nothing is computed but
        shapes. One that reads has a length `longest`, and is given words besides.
    highlight : str, class, or several of them
        What a lesson is about: names of modules ("attention", "blocks", "blocks.0.mlp"), of classes, of operations
        ("roll"). What is inside of a closed box marks the box.
    level : int
        0: blocks are single boxes; 1: blocks are open; 2 and more: what is inside of them is open too. A block is the
        outermost module that adds something to its own input. Where a block comes again with other sizes, as in later
        stages, it is a single box.
    shape : tuple of int, optional
        Of the input, its first length the batch, whatever that is; by default (1, *model.image_size, 3).
    size : (float, float)
        Width and height in pixels of the page: a tall model is set in columns, so that it is as large as can be. What
        would get too small to be read exceeds the page.

    Returns
    -------
    Drawing

    Raises
    ------
    TypeError
        For what is not a Module.
    ValueError
        For something to highlight that does not happen in the model, a level that it does not have, no shape.
    """
    if not isinstance(model, Module):
        raise TypeError(f"model: expected a Module, got {type(model).__name__}")
    if shape is None and not hasattr(model, "image_size"):
        raise ValueError(f"shape: expected the shape of what a {type(model).__name__} is given, as (1, 64, 128), since "
                         "it has no image_size")
    call = trace(model, tuple((1, *model.image_size, 3) if shape is None else shape)[1:])
    if level not in range(call.floors):
        raise ValueError(f"level: expected 0 to {call.floors - 1}, got {level!r}")
    wanted = Highlight([highlight] if isinstance(highlight, (str, type)) else highlight)
    scope = graph(call, level, wanted, list(inspect.signature(model.forward).parameters))
    for missing in wanted.missing:
        expect("highlight", getattr(missing, "__name__", missing), sorted(wanted.names))
    from .svg import svg  # its library is one of those for lessons
    sheet = sheet_of(scope, size)
    scale = scale_of(sheet, size)
    alt = f"{type(model).__name__}. {in_words(scope)}."
    width, height = sheet.size
    return Drawing(svg(sheet, scale, type(model).__name__, alt), alt, width * scale, height * scale)
