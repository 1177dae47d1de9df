"""A sheet as SVG, in the colours of the palette, which follow a light or a dark page."""

import drawsvg

from ..palette import css
from .sheet import MARGIN, Arrow, Sheet, Text

RADIUS, HEAD = 8, 7
MEANINGS = {"positions": "position", "query_positions": "position", "class_token": "class-token", "query": "query",
            "key": "key", "value": "value"}
STYLE = {
    "text": 'font-family:"Helvetica Neue",Arial,"Liberation Sans",sans-serif;fill:var(--quiet);paint-order:stroke;'
            "stroke:var(--page);stroke-width:4px;stroke-linejoin:round",
    ".title": "font-weight:600;fill:var(--ink)",
    ".section": "font-weight:600",
    ".inside": "stroke:none",
    ".page": "fill:var(--page)",
    ".box": "fill:var(--page);stroke:var(--ink);stroke-width:1.2px",
    ".frame": "fill:var(--ink);fill-opacity:.05;stroke:none",
    ".learned": "stroke-width:3px",
    ".position": "stroke:var(--position)",
    ".class-token": "stroke:var(--class-token)",
    ".query": "stroke:var(--query)",
    ".key": "stroke:var(--key)",
    ".value": "stroke:var(--value)",
    ".box.highlighted": "stroke:var(--new);fill:color-mix(in srgb,var(--new) 16%,var(--page))",
    ".frame.highlighted": "stroke:var(--new);stroke-width:2px;fill:var(--new);fill-opacity:.1",
    ".line": "fill:none;stroke:var(--quiet);stroke-width:1.6px;stroke-linejoin:round",
    ".head": "fill:var(--quiet)",
}


def svg(sheet: Sheet, scale: float, title: str, description: str) -> str:
    """The text of an SVG file, shown at a scale."""
    width, height = sheet.size
    drawing = drawsvg.Drawing(round(width * scale, 1), round(height * scale, 1), role="img", class_="architecture")
    drawing.view_box = (0, 0, width, height)
    drawing.append_title(title)
    drawing.append(drawsvg.Raw(f"<desc>{_escaped(description)}</desc>"))
    drawing.append_css(_style())
    drawing.append(drawsvg.Rectangle(0, 0, width, height, class_="page"))
    group = drawsvg.Group(transform=f"translate({MARGIN + sheet.left:.1f} {MARGIN})")
    drawing.append(group)
    for shape in sheet.shapes:
        classes = ["frame" if shape.box.inside else "box"]
        classes += ["learned"] if shape.box.learned and not shape.box.inside else []
        classes += [MEANINGS[part] for part in shape.box.title.split() if part in MEANINGS and not shape.box.inside]
        classes += ["highlighted"] if shape.box.highlighted else []
        corner = 10 if shape.box.inside else 4 if shape.box.kind == "module" else shape.height / 2
        group.append(drawsvg.Rectangle(round(shape.x, 1), round(shape.y, 1), round(shape.width, 1), shape.height,
                                       rx=corner, class_=" ".join(classes)))
    for arrow in sheet.arrows:
        _append_arrow(group, arrow)
    for shape in sheet.shapes:
        for text in shape.texts:
            _append_text(group, text, inside=True)
    for text in sheet.texts:
        _append_text(group, text)
    return drawing.as_svg()


def _style():
    """The rules, for this drawing alone: in a notebook, slides or a page it stands among others."""
    colours = css().replace(":root", ".architecture")
    for side in (".light", ".dark"):
        colours = colours.replace(f"{side}{{", f"{side} .architecture{{")
    return colours + "\n".join(f".architecture {what}{{{rule}}}" for what, rule in STYLE.items())


def _escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _append_text(group, text: Text, inside=False):
    group.append(drawsvg.Text(text.text, text.size, round(text.x, 1), round(text.y, 1), text_anchor=text.anchor,
                              class_=text.style + (" inside" if inside else "")))


def _append_arrow(group, arrow: Arrow):
    """A line with round corners, and its head."""
    points = [p for i, p in enumerate(arrow.points) if not i or p != arrow.points[i - 1]]
    (x0, y0), (x, y) = points[-2:]
    length = abs(x - x0) + abs(y - y0) or 1
    along = ((x - x0) / length, (y - y0) / length)
    tip = points[-1]
    if arrow.head:
        points = [*points[:-1], (x - along[0] * HEAD, y - along[1] * HEAD)]
    path = drawsvg.Path(class_="line").M(*_rounded(points[0]))
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        path.L(*_towards(corner, before)).Q(*_rounded(corner), *_towards(corner, after))
    group.append(path.L(*_rounded(points[-1])))
    if arrow.head:
        across = (-along[1] * HEAD * 0.6, along[0] * HEAD * 0.6)
        back = (tip[0] - along[0] * HEAD * 1.3, tip[1] - along[1] * HEAD * 1.3)
        group.append(drawsvg.Lines(*_rounded(tip), *_rounded((back[0] + across[0], back[1] + across[1])),
                                   *_rounded((back[0] - across[0], back[1] - across[1])), close=True, class_="head"))


def _towards(corner, other):
    """The place on the way from a corner where its curve ends."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1
    step = min(RADIUS, length / 2) / length
    return _rounded((corner[0] + dx * step, corner[1] + dy * step))


def _rounded(point):
    return tuple(round(value, 1) for value in point)
