"""Code in narrow lines, so that a slide can show it in large type."""

import re
from io import StringIO
from textwrap import wrap
from tokenize import COMMENT, generate_tokens, tok_name

WIDTH = 84
WORDS = {"for", "if", "else", "and", "or", "+", "-", "*", "/", "@", "==", "<", ">", "|"}  # which a line may end before
LITERAL = re.compile(r'(f?")((?:[^"\\]|\\.)*)"')


def break_lines(source, width=WIDTH):
    """The same program in lines of at most `width` characters, where brackets, strings and comments let them be broken.

    A comment that does not fit behind its line moves above it; in a docstring, shapes behind four spaces move below.
    """
    lines, (comments, docstrings, breaks) = [], places(source)
    for number, line in enumerate(source.splitlines(), 1):
        indent = re.match(" *", line)[0]
        if len(line) <= width:
            lines.append(line)
        elif number in docstrings:
            sentences = re.split(r"(?<=\S) {4,}(?=\S)", line.strip())
            lines += [indent + part for each in sentences for part in wrap(each, width - len(indent))]
        else:
            code, comment = line[:comments.get(number)].rstrip(), line[comments.get(number, len(line)):]
            *above, last = broken(code, breaks.get(number, []), width)
            behind = f"{last}  {comment}".rstrip()
            lines += [*above, behind] if len(behind) <= width or not comment else [indent + comment, *above, last]
    return "\n".join(lines)


def broken(line, breaks, width):
    """A line, cut where the fewest brackets are open, the later the better; its rest is indented by eight."""
    fitting = [(-depth, column, quote) for depth, column, quote in breaks if width / 3 < column < width]
    if len(line) <= width or not fitting:
        return [line]
    _, column, quote = max(fitting)
    rest = re.match(" *", line)[0] + 8 * " " + quote + (line[column:] if quote else line[column:].lstrip())
    moved = len(rest) - len(line)
    later = [(depth, at + moved, other) for depth, at, other in breaks if at > column]
    return [line[:column] + '"' if quote else line[:column].rstrip(), *broken(rest, later, width)]


def places(source):
    """By line: the column of a comment behind code; lines with a docstring; where the line may be broken.

    A break is (open brackets, column, what opens the rest of a string there); a string counts as one more bracket.
    """
    comments, docstrings, breaks, depth, quoted = {}, set(), {}, 0, 0
    for kind, text, (number, start), (_, end), line in generate_tokens(StringIO(source).readline):
        name, found = tok_name[kind], []
        if name in ("STRING", "FSTRING_START") and not quoted and (literal := LITERAL.match(line, start)):
            found = [(depth + 1, literal.start(2) + space.end(), literal[1]) for space in re.finditer(" ", literal[2])
                     if depth and literal[2][:space.end()].count("{") == literal[2][:space.end()].count("}")]
        quoted += (name == "FSTRING_START") - (name == "FSTRING_END")  # from Python 3.12 on, its parts are tokens
        if kind == COMMENT and line[:start].strip():
            comments[number] = start
        elif name == "STRING" and text.startswith('"""') and not line[:start].strip():
            docstrings.add(number)
        elif name in ("OP", "NAME") and not quoted:
            depth += (text in tuple("([{")) - (text in tuple(")]}"))
            if depth and text == ",":
                found = [(depth, end, "")]
            elif depth and text in WORDS and line[start - 1] == line[end] == " ":
                found = [(depth - (text == "for") / 2, start, "")]  # rather than within what it runs over
        breaks.setdefault(number, []).extend(found)
    return comments, docstrings, breaks
