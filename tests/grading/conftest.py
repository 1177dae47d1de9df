"""A class to grade: notebooks made from sources of answers, and the exercise of three answers in tiny/."""

import json
from pathlib import Path
from unittest import mock

import nbformat
import pytest

pytest.importorskip("nbval")
pytest.importorskip("jupytext")

from minivit.grading import build, exercise, grade, marking  # noqa: E402
from minivit.grading.sandbox import Limits, Sandbox, find_sandbox  # noqa: E402

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with the built tiny exercise."""
    folder = tmp_path_factory.mktemp("exercises")
    (folder / "source").mkdir()
    (folder / "source/90_tiny.py").write_bytes((TINY / "source/90_tiny.py").read_bytes())
    list(build.build(folder))
    return folder


@pytest.fixture(scope="session")
def tiny_exercise(tiny):
    """The tiny Exercise."""
    return exercise.load_exercise("90", tiny)


@pytest.fixture(scope="session")
def submission():
    """Function: an exercise's folder and number, and {answer: source or "solution"}, to a student's notebook."""
    def make(folder, number="90", **answers):
        pristine = exercise.load_exercise(number, folder)
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
    return find_sandbox(lambda box: not marking.walls_hold(box, Limits()))


@pytest.fixture(scope="session")
def box(found_box):
    """A sandbox; tests that need one are skipped where there is none."""
    if found_box is None:
        pytest.skip("bubblewrap does not work here; apt-get install bubblewrap")
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
        with mock.patch.object(grade, "choose_sandbox", return_value=found_box or Sandbox("none")):
            records, _ = grade.grade(handed_in, out, seed=seed, folder=folder, limits=limits, **settings)
        return {record["student"]: record for record in records}
    return run
