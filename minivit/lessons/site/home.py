"""The first page: what the course is, and its map. Written lessons are cards, planned ones are folded away."""

from itertools import groupby

from ..course import COURSE
from .paths import toctree, with_links

HEAD = """# Vision transformers from scratch

An autograd engine in NumPy, every layer by hand, the architectures from ViT to DETR each in one readable file, checked
number for number against the official implementations and trained on CIFAR-10 on a laptop.

![A picture becomes patches, patches become tokens, and a trained model looks at them](docs/figures/overview.png)

Every lesson builds its subject in the notebook, checks it against the library, and tries what its paper claims. What
you read has the outputs of a full run. To work yourself, [set up](README.md); then `python -m minivit lesson 6` opens
lesson 06.
"""


def home(root, groups):
    """The first page, and the pictures on it.

    Parameters
    ----------
    root : Path
        Of the repository.
    groups : {str: [str]}
        What stands in the contents behind the lessons: pages by title.

    Returns
    -------
    {str: bytes or str}
    """
    text, contents = HEAD, ""
    for part, lessons in groupby(COURSE, key=lambda lesson: lesson.part):
        lessons = list(lessons)
        written = [lesson for lesson in lessons if lesson.path.exists()]
        planned = [lesson for lesson in lessons if not lesson.path.exists()]
        text += f"\n## {part}\n"
        if written:
            text += "\n::::{container} lesson-cards\n" + "\n".join(map(card, written)) + "\n::::\n"
            contents += toctree([f"lessons/{lesson.path.stem}" for lesson in written], part)
        if planned:
            text += folded(planned)
    for title, pages in groups.items():
        contents += toctree(pages, title)
    text, pictures = with_links(text + contents, "index.md", root)
    return {"index.md": text} | pictures


def card(lesson):
    """A written lesson: its picture, its title, its line."""
    page = f"lessons/{lesson.path.name}"
    return (f":::{{container}} lesson-card\n[![](lessons/pictures/{lesson.path.stem}.png)]({page})\n\n"
            f"**[]({page})**\n\n{lesson.line}.\n:::")


def folded(lessons):
    """Planned lessons, behind a line that opens."""
    count = f"{len(lessons)} lessons are planned" if len(lessons) > 1 else "One lesson is planned"
    lines = "\n".join(f"- {lesson.number} {lesson.name}: {lesson.line}" for lesson in lessons)
    return f'\n<details class="planned"><summary>{count}</summary>\n\n{lines}\n\n</details>\n'
