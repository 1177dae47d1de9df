"""What a figure says, as a sentence for those who do not see it: the words that stand in it, read from its SVG."""

import re
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr, unescape

SVG = "{http://www.w3.org/2000/svg}"


def alt_text(svg):
    """The words of a figure as one sentence.

    Parameters
    ----------
    svg : str
        As matplotlib writes it, where letters are shapes and comments say what they spell; or one with a description,
        <desc>, of its own.

    Returns
    -------
    str
        That description, or for each part of the figure its title and texts, axes and legend. Of the numbers in it
        only those that stand beside words.

    Examples
    --------
    'The figure "Two runs" shows "train" with axes "step" and "loss" and legend "AdamW", "SGD".'
    """
    root = ElementTree.fromstring(svg, ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True)))
    if description := root.findtext(f"{SVG}desc"):
        return description
    parts = [part(axes) for axes in groups(root.iter(), "axes_")]
    figures = [*groups(root, "figure_"), *groups(root.iter(), "subfigure_")]
    whole = [text for figure in figures for text in texts(figure)]
    subject = " ".join(["The figure", *map(quoted, whole[:1])])
    told = [*filter(None, parts), *map(quoted, whole[1:])]
    if len(parts) < 2:
        return f"{subject} shows {'; '.join(told) or 'a picture without words'}."
    told += [f"{silent} without words"] if (silent := parts.count("")) else []
    return f"{subject} has {len(parts)} parts: {'; '.join(told)}."


def described(svg, words):
    """The SVG file of a figure, which says these words to a screen reader; a <title> would pop up under the mouse."""
    return svg.replace("<svg", f'<svg role="img" aria-label={quoteattr(words)}', 1)


def alt_of_output(data, otherwise):
    """The alt text of a picture in a notebook: what its SVG says, or what is given if there is only PNG.

    Parameters
    ----------
    data : dict
        Of the output, by kind.
    otherwise : str
    """
    return alt_text("".join(data["image/svg+xml"])) if "image/svg+xml" in data else otherwise


def part(axes):
    """What one part of a figure says, "" if nothing: its title, which is drawn last, before its other texts."""
    said = [text for text in texts(axes) if not is_number(text)]
    names = list(filter(None, map(axis, groups(axes, "matplotlib.axis_"))))
    labels = [text for legend in groups(axes, "legend_") for text in texts(legend)]
    title = ", ".join(map(quoted, dict.fromkeys(said[-1:] + said[:-1])))
    rest = [f"{'axes' if len(names) > 1 else 'axis'} {' and '.join(names)}"] if names else []
    rest += [f"legend {', '.join(map(quoted, labels))}"] if labels else []
    return " with ".join(filter(None, [title, " and ".join(rest)]))


def axis(group):
    """What an axis says, "" if nothing: its label, and the names that stand in the place of numbers."""
    label = "".join(quoted(text) for text in texts(group) if not is_number(text))
    ticks = [quoted(text) for tick in group for text in texts(tick) if not is_number(text)]
    return " ".join(filter(None, [label, f"({', '.join(ticks)})" if ticks else ""]))


def groups(nodes, name):
    """Those of the nodes that are groups of matplotlib's, by the name before their number."""
    identity = re.compile(re.escape(name) + r"\d+")
    return [node for node in nodes if node.tag == f"{SVG}g" and identity.fullmatch(node.get("id", ""))]


def texts(group):
    """The texts that stand directly in a group, each in one line, without the marks of TeX."""
    found = [" ".join(line.text for line in text.iter(ElementTree.Comment)) for text in groups(group, "text_")]
    return [" ".join(re.sub(r"\\(mathdefault)?|[${}]", "", unescape(text)).split()) for text in found]


def is_number(text):
    """Whether a text has no letters, or is a number such as 1e-3."""
    return not re.search(r"[^\W\d_]", text) or bool(re.fullmatch(r"[-+\d.]+e[-+\d]+", text))


def quoted(text):
    """A text in the marks of a quotation."""
    return f'"{text}"'
