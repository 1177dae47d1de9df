"""A lesson as slides for the lecture hall: one HTML file, which needs no network.

What stands on a slide is written into the metadata of a cell of the lesson (docs/slides.md), and nothing else appears.
"""

import html
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import nbformat
from nbconvert.filters import markdown2html

from ..viz.alt import alt_of_output
from .slide_parts import FIGURES, code, lines_of, paragraphs, size

TEMPLATE = Path(__file__).with_name("slides.html.j2")
BAR = "%|"  # of progress, as tqdm draws it
FIELDS = {"slide_type", "title", "text", "code_lines", "highlight", "printed", "figure", "finding", "demo", "predict",
          "notes"}


@dataclass
class Slide:
    """One slide: a sentence as title, pieces of HTML below it, some of which wait for a key, and what is said.

    kind : "first", "slide", "predict" (a question before its answer), or "break" (a question to end with).
    parts : [(HTML, whether it waits)]
    """

    title: str
    notes: str
    kind: str = "slide"
    parts: list = field(default_factory=list)


def slides(path, assets, demo=None):
    """The HTML text of a notebook's slides.

    Parameters
    ----------
    path : Path
    assets : dict
        As `minivit.lessons.assets.assets` returns it.
    demo : callable, optional
        demo(name) -> the HTML text of a live demo, or None. Without it a slide tells the command that opens the demo.

    Raises
    ------
    ValueError
        If the metadata of a cell is wrong, with the cell's name and what was expected.
    """
    from ..viz.palette import css
    notebook = nbformat.read(path, as_version=4)
    scripts = {name: text.replace("</script", "<\\/script") for name, text in assets.items()}
    lesson = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)
    environment.filters |= {"inline": inline, "markdown": markdown2html}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        lesson=lesson, slides=deck(notebook.cells, demo), assets=scripts, colours=css())


def deck(cells, demo=None):
    """The slides of a lesson, one for each cell whose metadata says so, and one for each question before it."""
    shown = []
    for cell in cells:
        given = cell.metadata.get("slideshow", {})
        try:
            add(shown, cell, given, demo)
        except ValueError as error:
            raise ValueError(f"slides: cell {cell.id}: {error}") from error
    if not shown:
        raise ValueError("slides: no cell of this lesson has slide_type in its metadata; docs/slides.md tells how")
    shown[0].kind = "first"
    if shown[-1].title.endswith("?"):
        shown[-1].kind = "break"
    return shown


def add(shown, cell, given, demo):
    """Add to the slides `shown` what the metadata `given` of a cell asks for."""
    if unknown := set(given) - FIELDS:
        raise ValueError(f"slideshow has {', '.join(map(repr, sorted(unknown)))}, expected {', '.join(sorted(FIELDS))}")
    kind = given.get("slide_type", "skip")
    if kind not in ("slide", "fragment", "skip"):
        raise ValueError(f"slide_type: expected 'slide', 'fragment' or 'skip', got {kind!r}")
    if kind == "skip":
        return
    if kind == "fragment":
        if not shown:
            raise ValueError("slide_type: a fragment needs a slide before it")
        shown[-1].parts += [(part, True) for part, _ in parts(cell, given, demo)]
        shown[-1].notes += "\n\n" + given.get("notes", "")
        return
    for name in ("title", "notes"):
        if not given.get(name, "").strip():
            raise ValueError(f"{name}: a slide needs a {name}")
    if question := given.get("predict"):
        title, _, rest = question.partition("\n")
        shown.append(Slide(title, "Read the question out, wait until everybody has an answer, let two or three say it. "
                                  "Then go on.", "predict", paragraphs(rest)))
    shown.append(Slide(given["title"], given["notes"], parts=parts(cell, given, demo)))


def parts(cell, given, demo):
    """The pieces of HTML of a slide, and whether each waits for a key: [(text, bool)].

    What code prints waits, and so does the sentence that says what a figure shows: first everybody looks.
    """
    pieces = paragraphs(given.get("text", ""))
    if "code_lines" in given:
        pieces.append((code(cell.source, given["code_lines"], given.get("highlight", "")), False))
    if "printed" in given:
        pieces.append((printed(cell, given["printed"]), "code_lines" in given))
    if "figure" in given:
        pieces.append((figure(cell, given["figure"], given.get("title", "")), False))
    if "demo" in given:
        pieces.append((embedded(given["demo"], demo), False))
    return pieces + [(part, True) for part, _ in paragraphs(given.get("finding", ""))]


def printed(cell, wanted):
    """The lines that a cell prints: all of them if `wanted` is True, or some, as "1-3, 5"; no progress bars."""
    text = "".join(output.text for output in cell.get("outputs", []) if output.get("name") == "stdout")
    said = [line.rstrip() for line in text.rstrip("\n").split("\n") if text and BAR not in line]
    chosen = said if wanted is True else [said[number - 1] for number in lines_of(wanted, len(said), "printed")]
    if not chosen:
        raise ValueError("printed: the cell prints nothing")
    text = "\n".join(chosen)
    return f'<pre class="printed" style="font-size: {size(text)}px">{html.escape(text)}</pre>'


def figure(cell, wanted, title):
    """A figure of a cell, the first if `wanted` is True, else the one with this number; SVG where there is SVG."""
    found = [output.data for output in cell.get("outputs", []) if FIGURES.keys() & output.get("data", {}).keys()]
    number = int(wanted)
    if not 1 <= number <= len(found):
        raise ValueError(f"figure: the cell has {len(found)} figures, asked for number {number}")
    kind, show = next((kind, show) for kind, show in FIGURES.items() if kind in found[number - 1])
    alt = html.escape(alt_of_output(found[number - 1], title))
    return f'<div class="figure">{show(found[number - 1][kind], alt)}</div>'


def embedded(name, demo):
    """A live demo in a frame of its own, or the command that opens it."""
    page = demo(name) if demo else None
    if page is None:
        return f"<p>Live: <code>python -m minivit demo {html.escape(name)}</code></p>"
    return f'<iframe class="demo" title="demo {html.escape(name)}" srcdoc="{html.escape(page)}"></iframe>'


def inline(text):
    """A line of Markdown as HTML without a paragraph around it."""
    return markdown2html(text).strip().removeprefix("<p>").removesuffix("</p>")
