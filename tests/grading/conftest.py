"""A class to grade: notebooks made from sources of answers, and the exercise of three answers in tiny/."""

import json
from pathlib import Path
from unittest import mock

import nbformat
import pytest

pytest.importorskip("nbval")
pytest.importorskip("jupytext")

from minivit.grading import build, exercise, grade, sandbox, source  # noqa: E402

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with the pristine notebook of the tiny exercise."""
    folder = tmp_path_factory.mktemp("exercises")
    pristine = source.read_source(TINY / "source/90_tiny.py")
    build.write(folder / "pristine/90_tiny.ipynb", pristine)
    exercise_ = exercise.from_pristine(pristine)
    build.write(folder / "90_tiny.ipynb", build.student(build.plain(pristine), exercise_))
    return folder


@pytest.fixture(scope="session")
def tiny_exercise(tiny):
    """The tiny Exercise."""
    return exercise.load("90", tiny)


@pytest.fixture(scope="session")
def submission():
    """Function: an exercise's folder and number, and {answer: source or "solution"}, to a student's notebook."""
    def make(folder, number="90", **answers):
        pristine = exercise.load(number, folder)
        path, = Path(folder).glob(f"{number}_*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            name = cell.id.partition(f"answer-{number}-")[2]
            if name in answers:
                right = answers[name] == "solution"
                cell.source = pristine.answers[name].reference if right else answers[name]
        return notebook
    return make


@pytest.fixture(scope="session")
def found_box():
    """The sandbox that works here, or None."""
    return sandbox.available()


@pytest.fixture(scope="session")
def box(found_box):
    """A sandbox; tests that need one are skipped where there is none."""
    if found_box is None:
        pytest.skip("neither bubblewrap nor Linux namespaces work here")
    return found_box


@pytest.fixture(scope="session")
def grade_class(tmp_path_factory, found_box):
    """Function: {student: notebook or bytes} graded to {student: record}, in a sandbox where there is one."""
    def run(students, folder, seed=2024, limits=None, **settings):
        handed_in, out = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("results")
        for student, notebook in students.items():
            (handed_in / student).mkdir()
            content = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
            (handed_in / student / "exercise.ipynb").write_bytes(content)
        with mock.patch.object(grade, "available", return_value=found_box):
            records, _ = grade.grade(handed_in, out, seed=seed, folder=folder, limits=limits, trust=found_box is None,
                                     **settings)
        return {record["student"]: record for record in records}
    return run
