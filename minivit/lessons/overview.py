"""lessons/README.md: the map of the course, made from the list of lessons and from the notebooks that are written."""

import base64
import io
import json
from itertools import groupby

from ..files import write_atomically
from .course import COURSE, FOLDER, PARTS, REPOSITORY

COLAB = "https://colab.research.google.com/github/{repository}/blob/main/lessons/{file}"
WIDTH, HEIGHT, GAP = 104, 44, 6  # of a tile of the map, in pixels
PICTURE_WIDTH = 320

HEAD = """# The lessons

Written by `python -m minivit course --write`. Every lesson has a graded exercise of the same number in `exercises/`.

![The map: written lessons in blue, planned ones in grey](pictures/map.svg)

| | |
|---|---|
| read | here on the web: every notebook has the outputs of a full run |
| set up | `python -m pip install -r requirements-lessons.txt`, in the folder of the repository |
| work | `python -m minivit lesson 6` opens lesson 06 in JupyterLab |
| run | `python -m minivit lesson 6 --run`, in ten minutes; with `MINIVIT_BUDGET=smoke`, a copy in thirty seconds |
| show | `python -m minivit slides 6` writes it as slides for the lecture hall, one file without a network |
| practise | `exercises/06_vit.ipynb`, then `python -m minivit check 06` |
"""
IN_COLAB = """
In Colab, run `%pip install -q git+https://github.com/{repository}` in a cell of its own first.
"""


def readme():
    """The text of README.md."""
    text = HEAD + (IN_COLAB.format(repository=REPOSITORY) if REPOSITORY else "")
    for part, lessons in groupby(COURSE, key=lambda lesson: lesson.part):
        text += f"\n## {part}\n"
        for written, group in groupby(lessons, key=lambda lesson: lesson.path.exists()):
            group = list(group)
            text += "\n" + (table(group) if written else planned(group))
    return text


def table(lessons):
    """Written lessons: a picture and a line each."""
    rows = ["| | |", "|---|---|"]
    for lesson in lessons:
        file, title = lesson.path.name, f"{lesson.number} {lesson.name}"
        link = f" [Open in Colab]({COLAB.format(repository=REPOSITORY, file=file)})" if REPOSITORY else ""
        rows.append(f'| <a href="{file}"><img src="pictures/{lesson.path.stem}.png" width="{PICTURE_WIDTH}" '
                    f'alt="{title}"></a> | **[{title}]({file})**<br>{lesson.line}.{link} |')
    return "\n".join(rows) + "\n"


def planned(lessons):
    """Planned lessons, as a quotation: GitHub and Jupyter show it in grey."""
    return "\n".join(f"> {lesson.number} {lesson.name}: {lesson.line}  " for lesson in lessons) + "\n"


def map_svg():
    """A tile for each lesson, a row for each part."""
    tiles = []
    for row, (part, lessons) in enumerate(groupby(COURSE, key=lambda lesson: lesson.part)):
        top = row * (HEIGHT + 20 + GAP)
        tiles.append(f'<text x="0" y="{top + 14}" fill="#57606a">{part}</text>')
        for column, lesson in enumerate(lessons):
            left, fill, ink = column * (WIDTH + GAP), *(("#0072B2", "white") if lesson.path.exists()
                                                        else ("#e4e7eb", "#8c959f"))
            tiles.append(f'<rect x="{left}" y="{top + 20}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{fill}"/>'
                         f'<text x="{left + 7}" y="{top + 38}" font-weight="bold" fill="{ink}">{lesson.number}</text>'
                         f'<text x="{left + 7}" y="{top + 55}" fill="{ink}">{lesson.name}</text>')
    width = max(map(len, PARTS.values())) * (WIDTH + GAP)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {len(PARTS) * (HEIGHT + 20 + GAP)}" '
            f'font-family="Helvetica, Arial, sans-serif" font-size="12">\n' + "\n".join(tiles) + "\n</svg>\n")


def cover(path):
    """The PNG file that stands for a notebook: the figure of the cell tagged "cover", else the first figure."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cells.sort(key=lambda cell: "cover" not in cell["metadata"].get("tags", []))
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                return base64.b64decode("".join(output["data"]["image/png"]))
    raise ValueError(f"{path.name}: no figure to show in the map; run it with python -m minivit lesson {path.name[:2]} "
                     "--run")


def small(png):
    """A PNG file, PICTURE_WIDTH pixels wide."""
    from PIL import Image
    with Image.open(io.BytesIO(png)) as image:
        height = round(image.height * PICTURE_WIDTH / image.width)
        file = io.BytesIO()
        image.convert("RGB").resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS).save(file, "PNG", optimize=True)
    return file.getvalue()


def write_overview():
    """Write README.md and its pictures; returns the paths."""
    pictures = {FOLDER / "pictures" / f"{lesson.path.stem}.png": small(cover(lesson.path))
                for lesson in COURSE if lesson.path.exists()}
    files = pictures | {FOLDER / "pictures" / "map.svg": map_svg().encode(), FOLDER / "README.md": readme().encode()}
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    return list(files)
