"""From one source three notebooks (the student's, the solution, the grader's pristine copy), and what `check` needs."""

import copy
import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from ..files import write_if_changed
from .exercise import FOLDER, from_pristine
from .expected import mutant_values, output, survivors, values
from .figures import figure_outputs
from .seal import sealed
from .source import read_source

LAST = """# Save the notebook, then run this cell.
import sys

command = f'"{{sys.executable}}" -m minivit check {number}'
!cd .. && {{command}}"""


def build(folder=FOLDER, numbers=()):
    """Write the notebooks of all exercises, or of some; yields (path, whether it changed)."""
    folder = Path(folder)
    sources = sorted((folder / "source").glob("[0-9][0-9]_*.py"))
    for source in sources:
        if numbers and source.stem[:2] not in numbers:
            continue
        pristine = read_source(source)
        exercise = from_pristine(pristine)
        examine(exercise)
        solution = with_outputs(plain(pristine), exercise, figure_outputs(pristine))
        for path, content in [(folder / "pristine" / f"{source.stem}.ipynb", as_text(pristine)),
                              (folder / "solutions" / f"{source.stem}.ipynb", as_text(solution)),
                              (folder / f"{source.stem}.ipynb", as_text(student(solution, exercise))),
                              (folder / "expected" / f"{source.stem}.json", expected_file(exercise))]:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path, write_if_changed(path, content)


def examine(exercise):
    """Refuse an exercise that could not be graded fairly."""
    for name, answer in exercise.answers.items():
        if not answer.check:
            raise ValueError(f"{exercise.number}.{name}: no check cell")
        if not answer.hints or len(answer.mutants) < 3:
            raise ValueError(f"{exercise.number}.{name}: at least one hint and three mutants are needed")
        alive = survivors(exercise, name)
        if alive:
            raise ValueError(f"{exercise.number}.{name}: the check does not notice the mutants {', '.join(alive)}")
    if exercise.points != 100:
        raise ValueError(f"{exercise.number}: {exercise.points} points in all; 100 are expected")


def plain(pristine):
    """A copy without what only the grader knows."""
    notebook = copy.deepcopy(pristine)
    for cell in notebook.cells:
        kind = cell.metadata.pop("minivit", {}).get("kind")
        if kind == "check":
            cell.metadata.update(editable=False, deletable=False)
        elif kind == "answer":
            cell.metadata.update(deletable=False)
        elif kind == "figure":
            cell.metadata.update(tags=["nbval-ignore-output"])
    return notebook


def with_outputs(notebook, exercise, figures):
    """Numbers for all code cells, and for checks and figures what they put out; nbval compares those of the checks.

    figures: {cell's id: outputs}
    """
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            if cell.id.startswith("check-"):
                cell.outputs = [new_output("display_data", output(exercise, cell.id.split("-", 2)[2]))]
            cell.outputs = figures.get(cell.id, cell.outputs)
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def expected_file(exercise):
    """What `check` needs besides the student's notebook: cells, hints, right and typically wrong values; no answer."""
    answers = {}
    for name, answer in exercise.answers.items():
        wrong = mutant_values(exercise, name)
        answers[name] = {"stub": answer.stub, "check": answer.check, "points": answer.points, "rtol": answer.rtol,
                         "atol": answer.atol, "forbid": answer.forbid, "formula": answer.formula, "hints": answer.hints,
                         "kind": answer.kind, "step": answer.step,
                         "expected": hidden(answer, values(exercise, name), exercise.number),
                         "mutants": {mutant: {"hint": answer.mutants[mutant][1],
                                              "values": hidden(answer, shown, exercise.number)}
                                     for mutant, shown in wrong.items()}}
    about = {"number": exercise.number, "name": exercise.name, "cells": exercise.cells, "answers": answers}
    return json.dumps(about) + "\n"


def hidden(answer, shown, number):
    """Values as a student's file may hold them: sealed where they are the answer itself; an exception as it is."""
    if not answer.is_constant or isinstance(shown, str):
        return shown
    return {name: sealed(numbers, answer.step, f"{number}.{answer.name}.{name}") for name, numbers in shown.items()}


def student(solution, exercise):
    """The notebook to fill in: stubs for answers, the solution's outputs at the checks, a last cell that checks.

    The output of a check is left out where it would be the answer.
    """
    notebook = copy.deepcopy(solution)
    for cell in notebook.cells:
        if cell.id.startswith("answer-"):
            name = cell.id.split("-", 2)[2]
            cell.update(source=exercise.answers[name].stub, outputs=[], execution_count=None)
        elif cell.id.startswith("check-") and exercise.answers[cell.id.split("-", 2)[2]].is_constant:
            cell.update(outputs=[], execution_count=None)
    number = exercise.number
    notebook.cells += [
        new_markdown_cell("## How far are you?\n\nOnly what is written in the answer cells is graded. A helper "
                          "function may stand in the cell of the answer that uses it, or above it in a cell of its own "
                          "whose first line is `# helper`.", id=f"given-{number}-last"),
        new_code_cell(LAST.format(number=number), id=f"check-{number}")]
    return notebook


def as_text(notebook):
    """A notebook as its file holds it."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"
