"""Docstrings are written for people who read the code: here they become what Sphinx takes for the same thing.

An indented table of symbols or formulas stays as it stands, in one width. Shapes at the end of a sentence get a line of
their own. What is only punctuation in a formula (|x|, x_, *, a@b) is not taken for markup.
"""

import re
from itertools import groupby

SECTION = re.compile(r"^(?P<title>\w[\w ]*)\n-{3,}$", re.MULTILINE)  # numpydoc's, which Sphinx's napoleon reads
ITEM = re.compile(r"(-|\d+\.) ")
SHAPES = re.compile(r"^(?P<text>\S.*?\S) {3,}(?P<shapes>\(.*-> .*)$")
QUOTED = re.compile(r"(``.*?``|`[^`]*`)")
PUNCTUATION = re.compile(r"(\*|\||(?<=\w)_(?!\w)|(?<=\w)@(?=\w))")


def readable(lines):
    """The lines of a docstring as reStructuredText; entries of sections keep their form, for napoleon."""
    section = SECTION.search("\n".join(lines))
    length = "\n".join(lines)[:section.start()].count("\n") if section else len(lines)
    made = []
    for blank, group in groupby(lines[:length], key=lambda line: not line.strip()):
        paragraph = list(group)
        made += paragraph if blank else as_it_stands(paragraph, made) or prose(paragraph)
    return made + [line if is_entry(line) else escaped(line) for line in lines[length:]]


def as_it_stands(paragraph, before):
    """A literal block, if a paragraph is indented or has columns; else None."""
    if ITEM.match(paragraph[0]) or not any(line.startswith("  ") for line in paragraph):
        return None
    if paragraph[0].startswith(" ") and any(line.startswith(" ") for line in before[-2:]):
        return paragraph  # the block goes on
    indent = "" if paragraph[0].startswith(" ") else "    "
    return ["::", "", *[indent + line for line in paragraph]]


def prose(paragraph):
    """Text with its punctuation escaped, and its shapes apart."""
    made = []
    for line in paragraph:
        match = SHAPES.match(line)
        made += [escaped(match["text"]), "", f"``{match['shapes'].strip()}``", ""] if match else [escaped(line)]
    return made


def is_entry(line):
    """Whether a line of a section names an entry, "x : array", or is the section's heading."""
    return " : " in line or line.startswith(("*", "---"))


def escaped(line):
    """The line, with a backslash before punctuation outside of backquotes."""
    return "".join(part if part.startswith("`") else PUNCTUATION.sub(r"\\\1", part) for part in QUOTED.split(line))


def process(app, what, name, value, options, lines):
    """Called by autodoc for each docstring, before napoleon."""
    lines[:] = readable(lines)


def setup(app):
    """Called by Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
