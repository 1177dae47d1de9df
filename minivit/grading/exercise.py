"""An exercise as the grader sees it, read from the pristine notebook."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from ..names import expect
from .kinds import CONSTANT
from .seal import SLACK

FOLDER = Path(__file__).parents[2] / "exercises"
ANSWER_ID = re.compile(r"answer-(\d\d)-(\w+)")


@dataclass
class Answer:
    """One graded function: its reference, its check cell, and how to compare and help.

    kind: one of kinds.KINDS. formula: numeric differences are no solution, and are remarked. step: an answer
    that is a value of its own is right if it rounds to the right step; rtol and atol are the tolerances of the others.
    mutants is {name: (source, hint)}: wrong answers that students write, and what to tell those who do.
    """

    name: str
    stub: str
    reference: str
    check: str = ""
    points: int = 0
    rtol: float = 1e-4
    atol: float = 1e-6
    forbid: tuple = ()
    formula: bool = False
    hints: tuple = ()
    mutants: dict = field(default_factory=dict)
    kind: str = "retype"
    step: float = 0.0

    @property
    def is_constant(self):
        """Whether the answer is a value, which no seed changes and no file may show."""
        return self.kind in CONSTANT


@dataclass
class Exercise:
    """Cells in their order as (kind, text): kind is "code", "answer" or "check", text a source or an answer's name."""

    number: str
    name: str
    cells: list
    answers: dict

    @property
    def points(self):
        """The points of all answers."""
        return sum(answer.points for answer in self.answers.values())

    def before(self, name):
        """(kind, text) of the cells that an answer builds on: given code, and names of earlier answers."""
        cells = []
        for kind, text in self.cells:
            if kind == "answer" and text == name:
                break
            if kind != "check":
                cells.append((kind, text))
        return cells

    def earlier(self, name):
        """The names of the answers before an answer."""
        return [text for kind, text in self.before(name) if kind == "answer"]

    def given(self, name):
        """The given code before an answer, as one source."""
        return "\n\n".join(text for kind, text in self.before(name) if kind == "code")

    def check(self, name, seed=None):
        """The source of an answer's check cell, with its own seed or another."""
        if seed is None or self.answers[name].is_constant:
            return self.answers[name].check
        source, found = re.subn(r"^SEED = \d+$", f"SEED = {seed}", self.answers[name].check, flags=re.MULTILINE)
        if found != 1:
            raise ValueError(f"{self.number}.{name}: a check cell sets SEED exactly once, not {found} times")
        return source


def from_pristine(notebook):
    """An Exercise from a pristine notebook."""
    cells, answers = [], {}
    for cell in notebook.cells:
        about = cell.metadata.get("minivit", {})
        if cell.cell_type != "code":
            continue
        kind, name = about.get("kind", "code"), about.get("answer")
        if kind == "answer":
            mutants = {mutant: tuple(text) for mutant, text in about["mutants"].items()}
            answers[name] = Answer(name, about["stub"], cell.source, kind=about["asks"], forbid=tuple(about["forbid"]),
                                   formula=about["formula"], hints=tuple(about["hints"]), mutants=mutants)
        elif kind == "check":
            answer = answers[name]
            answer.check, answer.points = cell.source, about["points"]
            answer.rtol, answer.atol = about.get("rtol", answer.rtol), about.get("atol", answer.atol)
            if answer.is_constant:
                answer.step = about.get("step", 1.0)
                answer.rtol, answer.atol = 0.0, answer.step * (0.5 + SLACK)
        elif kind == "figure":
            continue
        cells.append((kind, cell.source if kind == "code" else name))
    about = notebook.metadata.minivit
    return Exercise(about.number, about.name, cells, answers)


def numbers(folder=FOLDER):
    """{number: path of the pristine notebook} of all exercises that are built."""
    return {path.name[:2]: path for path in sorted((Path(folder) / "pristine").glob("[0-9][0-9]_*.ipynb"))}


def load_exercise(number, folder=FOLDER):
    """The Exercise of a number such as "05", with its references."""
    found = numbers(folder)
    expect("exercise", number, list(found) or ["none: build them first (python -m minivit exercises build)"])
    return from_pristine(nbformat.read(found[number], as_version=4))


def load_for_students(number, folder=FOLDER):
    """(Exercise without references, {answer: expected values}, {answer: {mutant: values}}) for the public seed."""
    found = {path.name[:2]: path for path in sorted((Path(folder) / "expected").glob("[0-9][0-9]_*.json"))}
    expect("exercise", number, list(found) or ["none: build them first (python -m minivit exercises build)"])
    about = json.loads(found[number].read_text(encoding="utf-8"))
    answers, expected, wrong = {}, {}, {}
    for name, known in about["answers"].items():
        mutants = known.pop("mutants")
        expected[name] = known.pop("expected")
        wrong[name] = {mutant: text["values"] for mutant, text in mutants.items()}
        hints = {mutant: ("", text["hint"]) for mutant, text in mutants.items()}
        answers[name] = Answer(name, reference="", mutants=hints, **known)
    return Exercise(about["number"], about["name"], about["cells"], answers), expected, wrong
