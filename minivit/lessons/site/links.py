"""What prose names becomes a link: papers by their arXiv numbers, written lessons by theirs."""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from ..course import COURSE

ARXIV = r"(?:arXiv:)?(?<![\d.,/])(?P<paper>(?:0[7-9]|[12]\d)(?:0[1-9]|1[0-2])\.\d{4,5})(?:v\d+)?(?![\d.]*\d)"
LESSON = r"[Ll]esson (?P<lesson>\d\d)(?!\d)"
NAMED = re.compile(f"{ARXIV}|{LESSON}")
PLAIN = (nodes.literal, nodes.literal_block, nodes.reference, nodes.title, nodes.raw, nodes.math, nodes.math_block,
         nodes.comment, addnodes.pending_xref, addnodes.desc_signature, addnodes.download_reference)
WRITTEN = {lesson.number: f"lessons/{lesson.path.stem}" for lesson in COURSE if lesson.path.exists()}


def pieces(text, page=""):
    """A text, as the text and reference nodes that it becomes on a page."""
    found, end = [], 0
    for match in NAMED.finditer(text):
        link = paper(match) if match["paper"] else lesson(match, page)
        if link is not None:
            found += [nodes.Text(text[end:match.start()]), link]
            end = match.end()
    return [node for node in [*found, nodes.Text(text[end:])] if node.astext()]


def paper(match):
    """arXiv:2010.11929, or the number alone, leads to the paper."""
    return nodes.reference("", match[0], refuri=f"https://arxiv.org/abs/{match['paper']}", classes=["paper"])


def lesson(match, page):
    """"lesson 03" leads to it, if it is written and is not this page."""
    target = WRITTEN.get(match["lesson"])
    if target in (None, page):
        return None
    return addnodes.pending_xref("", nodes.inline("", match[0]), reftype="doc", refdomain="std", refexplicit=True,
                                 reftarget=f"/{target}", refdoc=page, refwarn=True)


class Links(SphinxTransform):
    """Replace the names in all prose: not in headings, code and formulas."""

    default_priority = 500

    def apply(self, **kwargs):
        """Change the document."""
        for text in list(self.document.findall(nodes.Text)):
            if NAMED.search(text) and not any(isinstance(node, PLAIN) for node in ancestors(text)):
                text.parent.replace(text, pieces(text.astext(), self.env.docname))


def ancestors(node):
    """The nodes around a node, from within."""
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app):
    """Called by Sphinx."""
    app.add_transform(Links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
