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

TEMPLATE = Path(__file__).with_name("slides.html.j2")
LETTERS = 520  # of text on a slide in large type
LINES = 15  # of code on a slide; longer code hides behind what it prints
SHORT = 250, 14  # letters, and lines of code and what it prints, that go onto one slide
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
            arranged += text_slides(cell.source, follows_figure=bool(arranged) and is_figure(arranged[-1]))
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
        elif slides and re.fullmatch(r"#+ .*", slides[-1].source) and alone(block):
            slides[-1].source += f"\n\n{block}"
            kind = None
        elif not slides or not whole or alone(block) or letters + len(block) > LETTERS:
            kind, letters = "subslide", 0
        else:
            slides[-1].source += f"\n\n{block}"
            kind = None
        if kind:
            slides.append(typed(new_markdown_cell(block), kind))
        letters += len(block)
        whole = not finding and not alone(block)
    return slides


def finding_first(blocks):
    """The sentence that says what to see in a figure apart from a long text after it: the figure needs the space."""
    sentence = re.match(r"(\*[^*]+\*)\s+(?=\S)", blocks[0]) if blocks and len(blocks[0]) > SHORT[0] else None
    return [sentence[1], blocks[0][sentence.end():], *blocks[1:]] if sentence else blocks


def blocks(source):
    """The paragraphs, lists, tables, formulas and <details> of a Markdown text."""
    return [block.strip() for block in re.findall(
        r"<details>.*?</details>|```.*?```|(?:(?!<details>)[^\n]+(?:\n|$))+", source, flags=re.DOTALL)]


def alone(block):
    """Whether a block has a slide for itself."""
    return block.startswith(("|", "<details>", "```"))


def code_slides(cell, before):
    """A code cell as slides: short code with what it prints, below a short text before it; figures for themselves."""
    outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    figures = [output for output in outputs if any(kind in output.get("data", {}) for kind in FIGURE)]
    printed = [output for output in outputs if output not in figures]
    if not outputs and re.match(r"(import|from) ", cell.source):
        return []
    slides = []
    if printed or not figures:
        folded = printed and (figures or cell.source.count("\n") >= LINES)
        slides.append(code_slide(cell, printed, "folded" if folded else "plain"))
        lines = sum(output.get("text", "").count("\n") for output in printed) + cell.source.count("\n") * (not folded)
        if before and before.cell_type == "markdown" and len(before.source) < SHORT[0] and lines < SHORT[1]:
            typed(slides[0], "-")
    return slides + [code_slide(cell, [figure], "folded") for figure in figures]


def code_slide(cell, outputs, look):
    """A copy of a code cell with some of its outputs; `look` is plain, or folded: code behind a button."""
    copy = deepcopy(cell)
    copy.source = re.sub(r"(\S) {3,}#", r"\1  #", copy.source)  # aligned comments would make small type
    copy.outputs = outputs
    copy.metadata["tags"] = [look]
    return typed(copy, "subslide")


def typed(cell, slide_type):
    """The cell with its slide_type."""
    cell.metadata["slideshow"] = {"slide_type": slide_type}
    return cell


def is_figure(cell):
    """Whether a slide ends with a figure."""
    return any(kind in output.get("data", {}) for output in cell.get("outputs", []) for kind in FIGURE)
