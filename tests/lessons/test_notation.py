"""NOTATION.md has every symbol of every lesson and no other; GLOSSARY.md's terms stand where it says."""

import json
import re

import pytest

from minivit.lessons.course import FOLDER
from tests.lessons.latex_symbols import Symbols, formulas, symbols

LESSONS = {path.stem[:2]: path for path in sorted(FOLDER.glob("*.ipynb"))}
NOTATION = (FOLDER / "NOTATION.md").read_text(encoding="utf-8")
GLOSSARY = (FOLDER / "GLOSSARY.md").read_text(encoding="utf-8")
TERM = re.compile(r"^- \*\*(?P<term>[^*]+)\*\* \(\[(?P<lesson>\d\d)\]\((?P<link>[^)]+)\), section (?P<section>\d+)\): "
                  r"(?P<told>(?:.|\n  )+)$", flags=re.MULTILINE)


def table(page, heading):
    """The rows of the table whose first column has this name, as lists of cells, without the two lines of its head."""
    block = next(block for block in page.split("\n\n") if block.startswith(f"| {heading} |"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]


def written(cell):
    """The symbols that a cell of a table names, each as the tokenizer spells it."""
    return [formula.replace("{", "").replace("}", "") for formula in formulas(cell)]


SYMBOLS = [(symbol, lesson) for row in table(NOTATION, "symbol") for symbol in written(row[0])
           for lesson in row[3].split()]
ALSO = [(symbol, row[0]) for row in table(NOTATION, "lesson") for symbol in written(row[1])]
INDICES = [(symbol, lesson) for row in table(NOTATION, "index") for symbol in written(row[0])
           for lesson in row[2].split()]
NAMES = [(name, row[2].split()) for row in table(NOTATION, "name") for name in row[0].split(", ")]
COMPOUNDS = {symbol for symbol, _ in SYMBOLS if "_" in symbol or "^" in symbol}


def markdown(lesson):
    """The texts of a lesson, cell by cell."""
    notebook = json.loads(LESSONS[lesson].read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def used(lesson):
    """All symbols of a lesson's formulas."""
    every = [symbols(formula, COMPOUNDS) for text in markdown(lesson) for formula in formulas(text)]
    return Symbols(set().union(*(one.line for one in every)), set().union(*(one.index for one in every)))


def of(lesson, pairs):
    return {symbol for symbol, where in pairs if where == lesson}


@pytest.mark.parametrize("formula, line, index", [
    (r"y = g \hat x + e_0", r"y g \hat~x e_0", ""),
    (r"\frac{\partial a_i}{\partial s_j} = a_i (\delta_{ij} - a_j)", r"a s \delta", "i j"),
    (r"d\hat x = r\,(c - \overline{dc})", r"\hat~x r c", ""),
    ("4 N d + dX", "N d X", ""),
    (r"\arg\max_k z^t_k / T", "z^t T", "k"),
    (r"e^{z_{bk}} + e", "z e", "b k"),
    (r"\mathrm{Var}(q \cdot k) = \sum_{c=1}^d \mathrm{Var}(q_c)", "q k d", "c"),
    (r"2^n x^\top \mathbf{x}_{b,N}", "n x", "b N"),
    (r"\text{index}_{ij} = (\Delta y + M - 1)(2M - 1)", r"\Delta~y M", "i j"),
])
def test_a_formula_is_taken_apart(formula, line, index):
    found = symbols(formula, {"e_0", "z^t"})
    assert {symbol.replace(" ", "~") for symbol in found.line} == set(line.split())
    assert found.index == set(index.split())


def test_code_and_prices_are_no_formulas():
    assert formulas("`$a$` and $b$, then $$c\n= d$$") == ["b", "c\n= d"]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_symbol_of_a_lesson_is_in_the_notation(lesson):
    found, known = used(lesson), of(lesson, SYMBOLS) | of(lesson, ALSO)
    assert not found.line - known - of(lesson, INDICES), "add these to lessons/NOTATION.md"
    assert not found.index - known - of(lesson, INDICES), "add these indices to lessons/NOTATION.md"


@pytest.mark.parametrize("lesson", LESSONS)
def test_nothing_is_listed_that_a_lesson_does_not_use(lesson):
    found = used(lesson)
    assert not (of(lesson, SYMBOLS) | of(lesson, ALSO)) - found.line, "lessons/NOTATION.md says that it is used there"
    assert not of(lesson, INDICES) - found.line - found.index, "lessons/NOTATION.md says that it is used there"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lessons_own_table_of_symbols_is_covered(lesson):
    rows = [row for text in markdown(lesson) if "| symbol |" in text for row in table(text, "symbol")]
    assert rows
    known = of(lesson, SYMBOLS) | of(lesson, ALSO) | of(lesson, INDICES)
    for symbol, *_ in rows:
        for formula in formulas(symbol):
            assert symbols(formula, COMPOUNDS).line <= known, symbol
        words = re.findall(r"\w+", re.sub(r"\$[^$]+\$", "", symbol))
        assert all((word, True) in [(name, lesson in lessons) for name, lessons in NAMES] for word in words), symbol


def test_one_letter_has_one_meaning():
    names = [symbol for row in table(NOTATION, "symbol") for symbol in written(row[0])]
    assert len(names) == len(set(names))
    assert not set(SYMBOLS) & set(ALSO), "a symbol has its own meaning in a lesson, or another one"
    assert {symbol for symbol, _ in ALSO} <= set(names) | {symbol for symbol, _ in INDICES}


def sections(lesson):
    """{number: text} of a lesson's numbered sections, with what stands in code and in outputs of code."""
    notebook = json.loads(LESSONS[lesson].read_text(encoding="utf-8"))
    text = "\n\n".join("".join(cell["source"]) for cell in notebook["cells"])
    parts = re.split(r"^## (\d+)\. ", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def spaced(text):
    """In small letters, every break of a line or run of spaces one space."""
    return re.sub(r"\s+", " ", text).casefold()


def test_the_glossary_is_one_list_in_order():
    terms = [match["term"] for match in TERM.finditer(GLOSSARY)]
    assert len(terms) == GLOSSARY.count("\n- ") > 60
    assert terms == sorted(set(terms), key=str.casefold)


@pytest.mark.parametrize("entry", list(TERM.finditer(GLOSSARY)), ids=lambda entry: entry["term"])
def test_a_term_stands_where_the_glossary_says(entry):
    assert entry["link"] == LESSONS[entry["lesson"]].name
    assert re.search(rf"\b{re.escape(spaced(entry['term']))}", spaced(sections(entry["lesson"])[entry["section"]]))
    assert re.fullmatch(r"[^.]+\.", re.sub(r"\d\.\d|`[^`]+`", "", entry["told"])), "one sentence"
