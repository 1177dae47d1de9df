"""A lesson as slides for the lecture hall: one HTML file, which needs no network.

A heading starts a column of slides, and below it stand, one idea each: paragraphs, tables, short code with what it
prints, figures with the sentence that says what to see in them. Where a cell's metadata has `slideshow.slide_type`
(slide, subslide, fragment, skip, notes), that decides.
"""

import re
from copy import deepcopy
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter
from nbformat.v4 import new_markdown_cell

from .break_lines import break_lines

TEMPLATE = Path(__file__).with_name("slides.html.j2")
LETTERS = 520  # of text on a slide in large type
LINES = 18, 24  # of code on a slide, longer code is cut at an empty line; with what it prints
SHORT = 250, 14  # letters, and lines of code and what it prints, that go onto one slide
BRIEF = 80, 3  # letters above a table, lines below a figure
FIGURE = ("image/png", "image/svg+xml", "image/jpeg")


def slides(path, assets):
    """The HTML text of a notebook's slides.

    Parameters
    ----------
    path : Path
    assets : dict
        As `minivit.lessons.assets.assets` returns it.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = arrange(notebook.cells)
    exporter = SlidesExporter(raw_template=TEMPLATE.read_text(encoding="utf-8"))
    title = re.sub(r"[#*`]", "", notebook.cells[0].source.partition("\n")[0]).strip()
    scripts = {name: text.replace("</script", "<\\/script") for name, text in assets.items()}
    html, _ = exporter.from_notebook_node(notebook, {"slides": {"title": title, "assets": scripts}})
    return html


def arrange(cells):
    """The cells of the slides, each with its slide_type."""
    arranged = []
    for cell in cells:
        given = cell.metadata.get("slideshow", {}).get("slide_type")
        if given:
            arranged.append(typed(deepcopy(cell), given))
        elif cell.cell_type == "markdown":
            shown = arranged[-1].get("outputs", []) if arranged else []
            arranged += text_slides(cell.source, follows_figure=any(map(has_figure, shown)))
        elif cell.cell_type == "code":
            arranged += code_slides(cell, arranged[-1] if arranged else None)
    for number, cell in enumerate(arranged):
        cell["id"] = f"slide-{number}"
    return arranged


def text_slides(source, follows_figure=False):
    """Markdown as slides: a new one at each heading, table and hidden answer, and where the last one is full."""
    slides, letters, whole = [], 0, True
    for block in finding_first(blocks(source)) if follows_figure else blocks(source):
        finding = follows_figure and not slides and re.match(r"\*[^*]", block)
        if block.startswith("#"):
            kind, letters = "slide" if re.match(r"##? ", block) else "subslide", 0
        elif finding:
            kind = "-"
        elif slides and whole and letters <= room_above(block):
            slides[-1].source += f"\n\n{block}"
            kind = None
        else:
            kind, letters = "subslide", 0
        if kind:
            slides.append(typed(new_markdown_cell(block), kind))
        letters += len(block)
        whole = not finding and not alone(block)
    return slides


def room_above(block):
    """How many letters may stand above a block on its slide; a formula belongs to the words before it."""
    return BRIEF[0] if alone(block) else LETTERS if block.startswith("$$") else LETTERS - len(block)


def finding_first(blocks):
    """The sentence that says what to see in a figure apart from a long text after it: the figure needs the space."""
    sentence = re.match(r"(\*[^*]+\*)\s+(?=\S)", blocks[0]) if blocks and len(blocks[0]) > SHORT[0] else None
    return [sentence[1], blocks[0][sentence.end():], *blocks[1:]] if sentence else blocks


def blocks(source):
    """The paragraphs, lists, tables, formulas and <details> of a Markdown text."""
    return [block.rstrip() for block in re.findall(
        r"<details>.*?</details>|```.*?```|(?:(?!<details>)[^\n]+(?:\n|$))+", source, flags=re.DOTALL)]


def alone(block):
    """Whether a block has a slide for itself, or below a few words: a long table, an answer, code."""
    return block.startswith(("<details>", "```")) or block.startswith("|") and len(block) > LETTERS / 2


def code_slides(cell, before):
    """A code cell as slides: short code with what it prints, below a short text before it; figures for themselves."""
    outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    if not outputs and re.match(r"(import|from) ", cell.source):
        return []
    source = break_lines(re.sub(r"(\S) {3,}#", r"\1  #", cell.source))  # aligned comments would make long lines
    if any(map(has_figure, outputs)):
        return [code_slide(cell, source, group, "folded") for group in around_figures(outputs)]
    *above, last = parts(source)
    slides = [code_slide(cell, part, [], "plain") for part in above] + [code_slide(cell, last, outputs, "plain")]
    if last.count("\n") + sum(map(printed_lines, outputs)) > LINES[1]:
        slides[-1:] = [code_slide(cell, last, [], "plain"), code_slide(cell, last, outputs, "folded")]
    lines = slides[0].source.count("\n") + sum(map(printed_lines, slides[0].outputs))
    if before and before.cell_type == "markdown" and len(before.source) < SHORT[0] and lines < SHORT[1]:
        typed(slides[0], "-")
    return slides


def parts(source):
    """Code cut at empty lines between definitions, where it is longer than a slide."""
    cut = [""]
    for piece in re.split(r"\n\n+(?=\S)", source):
        joined = f"{cut[-1]}\n\n{piece}".strip("\n")
        cut[-1:] = [joined] if not cut[-1] or joined.count("\n") < LINES[0] else [cut[-1], piece]
    return cut


def around_figures(outputs):
    """What a cell shows, in its order, by slides: each figure with the few lines printed beside it."""
    groups = [[]]
    for output in outputs:
        joined = [*groups[-1], output]
        fits = sum(map(has_figure, joined)) <= 1 and sum(map(printed_lines, joined)) <= BRIEF[1]
        groups[-1:] = [joined] if fits or not groups[-1] else [groups[-1], [output]]
    return groups


def code_slide(cell, source, outputs, look):
    """Code with what it shows; `look` is plain, or folded: code behind a button."""
    copy = deepcopy(cell)
    copy.source, copy.outputs = source, outputs
    copy.metadata["tags"] = [look]
    return typed(copy, "subslide")


def typed(cell, slide_type):
    """The cell with its slide_type."""
    cell.metadata["slideshow"] = {"slide_type": slide_type}
    return cell


def has_figure(output):
    """Whether an output is a figure."""
    return any(kind in output.get("data", {}) for kind in FIGURE)


def printed_lines(output):
    """How many lines an output prints."""
    return output.get("text", "").count("\n")
