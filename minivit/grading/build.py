"""From one source three notebooks: the student's, the solution, and the grader's pristine copy."""

import copy
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell

from .exercise import FOLDER, from_pristine
from .expected import survivors
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
        solution = execute(plain(pristine))
        for path, notebook in [(folder / "pristine" / f"{source.stem}.ipynb", pristine),
                               (folder / "solutions" / f"{source.stem}.ipynb", solution),
                               (folder / f"{source.stem}.ipynb", student(solution, exercise))]:
            yield path, write(path, notebook)


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
    return notebook


def execute(notebook):
    """Run all cells; what they output is stored."""
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": "."}},
                   record_timing=False).execute()
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def student(solution, exercise):
    """The notebook to fill in: stubs for answers, the solution's outputs at the checks, a last cell that checks."""
    notebook = copy.deepcopy(solution)
    for cell in notebook.cells:
        if cell.id.startswith("answer-"):
            name = cell.id.split("-", 2)[2]
            cell.update(source=exercise.answers[name].stub, outputs=[], execution_count=None)
    number = exercise.number
    notebook.cells += [
        new_markdown_cell("## How far are you?\n\nOnly what is written in the answer cells is graded: a helper "
                          "function belongs into the cell of the answer that uses it.", id=f"given-{number}-last"),
        new_code_cell(LAST.format(number=number), id=f"check-{number}")]
    return notebook


def write(path, notebook):
    """Write a notebook unless the file already says the same; returns whether it changed."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
