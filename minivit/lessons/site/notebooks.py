"""A lesson as a page: the notebook with its stored outputs, its links, and what belongs to it."""

import json
import re

from ...viz.alt import alt_of_output
from ..outcome import MIME
from .demos import frame
from .paths import with_links

FILES = """:::{{container}} lesson-files
{links}
:::
"""


def lesson_page(lesson, root, demos):
    """The page of a lesson, and the files that it offers: the notebook and the exercise as they are in the repository.

    Parameters
    ----------
    lesson : Lesson
    root : Path
        Of the repository.
    demos : {str: module}
        By name; one stands where the slides show it.

    Returns
    -------
    {str: bytes or str}
    """
    page, original = f"lessons/{lesson.path.name}", lesson.path.read_bytes()
    notebook, cells, files, heading = json.loads(original), [], {}, lesson.name
    for cell in notebook["cells"]:
        cells.append(cell)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(MIME, None)  # for programs; a line of text stands beside it
        if alt := figures_in_words(cell, heading):
            cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
        if cell["cell_type"] == "markdown":
            heading = (re.findall(r"^#+ (.+)$", "".join(cell["source"]), re.MULTILINE) or [heading])[-1]
            cell["source"], copies = with_links("".join(cell["source"]), page, root)
            files |= copies
        demo = cell["metadata"].get("slideshow", {}).get("demo")
        if demo in demos:
            cells.append(markdown_cell(f"demo-{demo}", frame(demo, demos, "../")))
    offered = {"This notebook": page, "its exercise": f"exercises/{lesson.path.name}"}
    offered = {title: path for title, path in offered.items() if (root / path).exists()}
    links = [f"{{download}}`{title} <../files/{path}>`" for title, path in offered.items()]
    links.append(f"slides: `python -m minivit slides {int(lesson.number)}`")
    cells.insert(1, markdown_cell("lesson-files", FILES.format(links=" · ".join(links))))
    files |= {f"files/{path}": (root / path).read_bytes() for path in offered.values()}
    return files | {page: json.dumps(notebook | {"cells": cells}, ensure_ascii=False)}


def figures_in_words(cell, heading):
    """The alt text of a cell's figures, "" if there are none; that of a PNG is the title of its slide or section."""
    found = [output["data"] for output in cell.get("outputs", []) if is_picture(output)]
    title = cell["metadata"].get("slideshow", {}).get("title", heading)
    return " ".join(alt_of_output(data, title) for data in found)


def is_picture(output):
    """Whether a cell's output is one."""
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def markdown_cell(name, text):
    """A cell of a notebook."""
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text}
