"""docs/claims.md: every claim of every paper that the course tests, what was found, and where."""

from pathlib import Path
from urllib.parse import quote

from ..files import write_if_changed

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
HEAD = """# What papers claim, and what this course found

Written by `python -m minivit results` from the outputs of the lessons' committed runs. *Shown* and *opposite* mean that
the 95 % interval of the mean difference over seeds, paired, lies on one side of 0 (`minivit.lessons.verdict` says what
three seeds can and cannot do), or that a claim without chance (a shape, an equality, a cost) was asserted; *equal
within x* that the interval lies inside a band that was stated beforehand; *open* that these runs cannot tell. The runs
are short and the models small: a verdict is about them, not about the paper's.
"""
COLUMNS = """| claim | source | verdict | numbers | where |
|---|---|---|---|---|
"""


def page(lessons):
    """The text of docs/claims.md.

    Parameters
    ----------
    lessons : {str: list of dict}
        The records of `read_lessons`.
    """
    text = HEAD
    claims = {name: [record for record in records if record["kind"] == "claim"] for name, records in lessons.items()}
    for name, records in claims.items():
        if records:
            text += f"\n## {name.replace('_', ' ')}\n\n{COLUMNS}{''.join(row(record) for record in records)}"
    without = [name.replace("_", " ") for name, records in claims.items() if not records]
    if without:
        text += f"\nNot recorded yet: {', '.join(without)}.\n"
    return text


def row(record):
    """A line of a table."""
    cells = [record["claim"], linked(record["source"]), f"**{record['verdict']}**", record["numbers"],
             f"[{record['heading']}](../lessons/{record['lesson']}.ipynb#{anchor(record['heading'])})"]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def linked(source):
    """A source whose arXiv ids are links."""
    return " ".join(arxiv_link(word) if word.startswith("arXiv:") else word for word in source.split(" "))


def arxiv_link(word):
    """arXiv:2010.11929 as a link, without the comma that may follow it."""
    name = word.rstrip(",;.")
    return f"[{name}](https://arxiv.org/abs/{name.removeprefix('arXiv:')}){word[len(name):]}"


def anchor(heading):
    """The id that Jupyter gives to a heading, as a link may have it: without brackets, which would end it."""
    return quote(heading.replace(" ", "-"), safe=",.:?'")


def write(lessons):
    """Write the page; returns whether it was another one."""
    return write_if_changed(PAGE, page(lessons))
