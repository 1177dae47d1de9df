"""What a slide is made of: text with pauses, a few lines of code, figures."""

import base64
import re
import textwrap

from nbconvert.filters import markdown2html
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

LINES, WIDTH = 12, 80  # of code that can be read from the last row
PAUSE = re.compile(r"^\. \. \.$", flags=re.MULTILINE)
TYPE = 24, 36  # size of code in pixels on 1280 x 720, smallest and largest
AREA = 1172, 400  # pixels that code may take, width and height
ADVANCE, LEADING = 0.605, 1.35  # a letter's width and a line's height, as parts of the size


def drawing(svg, alt):
    """An SVG figure as HTML: inline if it takes the page's colours; else as a picture, whose names meet no other's."""
    if "var(--" in svg:
        return svg[svg.index("<svg"):]
    return f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" alt="{alt}">'


FIGURES = {  # kind of output: its HTML, the best first
    "image/svg+xml": drawing,
    "image/png": lambda data, alt: f'<img src="data:image/png;base64,{data.strip()}" alt="{alt}">',
    "image/jpeg": lambda data, alt: f'<img src="data:image/jpeg;base64,{data.strip()}" alt="{alt}">',
}


def paragraphs(text):
    """Markdown as pieces of HTML, and whether each waits for a key: what stands behind a line `. . .` does."""
    pieces = [piece.strip() for piece in PAUSE.split(text)]
    return [(f'<div class="text">{markdown2html(piece)}</div>', number > 0)
            for number, piece in enumerate(pieces) if piece]


def code(source, wanted, highlighted):
    """Lines of a program as HTML, in type as large as they allow.

    Parameters
    ----------
    source : str
    wanted, highlighted : str
        Numbers of its lines, as "2-9, 12": those that are shown, and those of them that stand out. Where lines are left
        out, three dots stand.

    Raises
    ------
    ValueError
        If there are more lines than a slide has, or one is too long for it.
    """
    lines = source.split("\n")
    numbers = lines_of(wanted, len(lines), "code_lines")
    marked = lines_of(highlighted, len(lines), "highlight") if highlighted else []
    if outside := sorted(set(marked) - set(numbers)):
        raise ValueError(f"highlight: lines {outside} are not among the code_lines {wanted!r}")
    rows = []  # (line, whether it stands out)
    for before, number in zip([numbers[0] - 1, *numbers], numbers, strict=False):
        if number > before + 1 and lines[before:number - 1] != [""] * (number - 1 - before):
            rows.append((re.match(" *", lines[before])[0] + "...", False))
        elif number > before + 1:
            rows.append(("", False))
        rows += [(row, number in marked) for row in fitted(lines[number - 1])]
    text = textwrap.dedent("\n".join(line for line, _ in rows))
    longest = max(map(len, text.split("\n")))
    if len(rows) > LINES or longest > WIDTH:
        raise ValueError(f"code_lines: {len(rows)} lines of up to {longest} characters; a slide has room for {LINES} "
                         f"lines of {WIDTH}")
    formatter = HtmlFormatter(hl_lines=[n for n, (_, stands_out) in enumerate(rows, 1) if stands_out])
    return f'<div class="code" style="font-size: {size(text)}px">{highlight(text, PythonLexer(), formatter)}</div>'


def size(text):
    """The largest size of type in pixels in which lines of code, or what code prints, fit into AREA."""
    lines = text.split("\n")
    fitting = min(AREA[0] / ADVANCE / max(1, *map(len, lines)), AREA[1] / LEADING / len(lines))
    return max(TYPE[0], min(TYPE[1], int(fitting)))


def fitted(line):
    """A line whose comment stands two spaces behind it, or above it where it would reach out of the slide."""
    program, comment = re.fullmatch(r"(.*?\S)?(?: {2,}(#.*))?\s*", line).groups()
    if not comment or not program:
        return [line]
    joined = f"{program}  {comment}"
    return [joined] if len(joined) <= WIDTH else [re.match(" *", line)[0] + comment, program]


def lines_of(text, count, name):
    """The numbers that "2-4, 7" means, [2, 3, 4, 7], of lines counted from 1.

    Raises
    ------
    ValueError
        If it cannot be read, or a number is not one of the `count` lines.
    """
    numbers = []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part)
        if not match:
            raise ValueError(f"{name}: expected line numbers such as '2-4, 7', got {text!r}")
        numbers += range(int(match[1]), int(match[2] or match[1]) + 1)
    if not numbers or numbers != sorted(set(numbers)) or not 1 <= numbers[0] <= numbers[-1] <= count:
        raise ValueError(f"{name}: expected growing numbers of {count} lines, got {text!r}")
    return numbers
