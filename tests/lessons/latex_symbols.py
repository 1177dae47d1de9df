"""The symbols of a formula in LaTeX: which letters stand on its line, and which below it, as indices."""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]|\d[\d.]*|\S")
GREEK = set(re.findall(r"\\\w+", r"""
    \alpha \beta \gamma \delta \epsilon \zeta \eta \theta \iota \kappa \lambda \mu \nu \xi \pi \rho \sigma \tau
    \upsilon \phi \varphi \chi \psi \omega \Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega"""))
PREFIXES = {r"\hat", r"\tilde", r"\bar", r"\mathbf", r"\Delta"}  # part of the symbol: \hat x is not x
WORDS = {r"\mathrm", r"\text", r"\operatorname"}  # their argument is a word, as in \mathrm{softmax}
DELIMITED = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", flags=re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`", flags=re.DOTALL)


@dataclass
class Symbols:
    """What stands on the line of a formula or as a power, and what stands below it."""

    line: set = field(default_factory=set)
    index: set = field(default_factory=set)


def formulas(markdown):
    """What stands between dollars, in order; code is left out."""
    return [double or single for double, single in DELIMITED.findall(CODE.sub("", markdown))]


def symbols(formula, compounds=()):
    r"""The symbols of one formula, without its dollars.

    A letter counts by itself: `N D^2` holds N and D. A `d` right before a letter or an accent is the mark of a
    gradient and belongs to no symbol: `dx` holds x. An `e` with a power is the exponential. Names of functions and
    other commands are skipped.

    Parameters
    ----------
    formula : str
        In LaTeX, such as `y = g \hat x + e_0`.
    compounds : collection of str
        Symbols with scripts that mean something of their own, such as `e_0` or `z^t`; all others are taken apart.

    Returns
    -------
    Symbols
    """
    found = Symbols()
    _read(_tokens(formula), found.line, found, compounds)
    return found


def _tokens(formula):
    """Pairs: a token, and whether it follows its predecessor without a space."""
    matches = list(TOKEN.finditer(formula))
    ends = [None, *(match.end() for match in matches)]
    return [(match.group(), match.start() == end) for match, end in zip(matches, ends, strict=False)]


def _is_letter(text):
    return text.isalpha() or text in GREEK


def _text(tokens):
    return "".join(text for text, _ in tokens)


def _argument(tokens, place):
    """The group or the single token at a place, without braces; and the place behind it."""
    if tokens[place][0] != "{":
        return tokens[place:place + 1], place + 1
    depth, end = 1, place + 1
    while depth:
        depth += {"{": 1, "}": -1}.get(tokens[end][0], 0)
        end += 1
    return tokens[place + 1:end - 1], end


def _scripts(tokens, place):
    """{"_" or "^": tokens} of what hangs on the symbol before a place, in either order; and the place behind it."""
    scripts = {}
    while tokens[place][0] in ("_", "^"):
        kind = tokens[place][0]
        scripts[kind], place = _argument(tokens, place + 1)
    return scripts, place


def _symbol(tokens, place):
    """The symbol that begins at a place, or "" where there is none; and the place behind it."""
    text, (after, touches) = tokens[place][0], tokens[place + 1]
    if text in WORDS:
        return "", _argument(tokens, place + 1)[1]
    if text == "d" and touches and (_is_letter(after) or after in PREFIXES):
        return "", place + 1
    if text in PREFIXES and _is_letter(after):
        return f"{text} {after}", place + 2
    if text in ("_", "^"):
        return "", place
    return text if _is_letter(text) else "", place + 1


def _read(tokens, into, found, compounds):
    """Add the symbols of some tokens to the set `into`, and their indices to found.index."""
    tokens, place = [*tokens, ("", False), ("", False)], 0
    while tokens[place][0]:
        symbol, place = _symbol(tokens, place)
        scripts, place = _scripts(tokens, place)
        for kind in [kind for kind in scripts if symbol + kind + _text(scripts[kind]) in compounds]:
            symbol += kind + _text(scripts.pop(kind))
        if symbol and not (symbol == "e" and "^" in scripts):
            into.add(symbol)
        _read(scripts.get("_", []), found.index, found, compounds)
        _read(scripts.get("^", []), into, found, compounds)
