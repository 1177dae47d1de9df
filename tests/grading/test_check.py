"""What the student sees: a row an answer, a hint at a time, exit code 0 at full marks only."""

import argparse
import json

import nbformat
import pytest

from minivit.grading import check
from minivit.grading.cli import add_commands
from minivit.grading.exercise import load_exercise as load
from minivit.grading.exercise import load_for_students
from minivit.grading.verdict import Verdict


@pytest.fixture
def path(tiny, submission, tmp_path):
    """A student's notebook: one answer right, one wrong, one not attempted."""
    notebook = submission(tiny, double="solution", softmax="def softmax(x):\n    return x")
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    return tmp_path / "mine.ipynb"


def test_the_report_names_the_first_thing_to_look_at(path, tiny):
    exercise, verdicts, flags = check.check(path, tiny)
    lines = check.report(exercise, verdicts, flags)
    assert [verdict.status for verdict in verdicts.values()] == ["passed", "wrong", "not attempted"]
    assert any("largest difference" in line for line in lines)
    assert lines[-2:] == ["retype 20/70, transfer 0/30", "20 of 100 points; a hint: python -m minivit check 90 --hint"]


def test_of_many_messages_the_rest_is_counted_and_named(tiny, monkeypatch):
    exercise = load("90", tiny)
    messages = ["Sum over the last axis.", *(f"{name}: 23 is not it" for name in ("one", "two", "three"))]
    verdicts = {"softmax": Verdict("wrong", 0, 50, messages, kind="retype")}
    monkeypatch.setattr(check, "SHOWN", 2)
    assert check.report(exercise, verdicts, [])[1:4] == [
        "    Sum over the last axis.", "    one: 23 is not it", "    and 2 more: two, three"]
    verdicts = {"softmax": Verdict("wrong", 0, 50, messages[:2], kind="retype")}
    assert not any("more" in line for line in check.report(exercise, verdicts, []))


def test_hints_come_one_after_the_other(path, tiny):
    assert check.next_hint(path, "softmax", tiny)[0].startswith("hint 1 of 3 for softmax: ")
    assert check.next_hint(path, "softmax", tiny) == ["hint 2 of 3 for softmax: Second hint."]
    assert check.next_hint(path, "softmax", tiny)[0].endswith("exponentials over their sum")
    assert len(check.next_hint(path, "softmax", tiny)) == 1 + 3  # none is left: all once more
    with pytest.raises(ValueError, match="there are double, softmax, both"):
        check.next_hint(path, "nothing", tiny)


def test_for_a_hint_a_notebook_is_run_only_if_its_answers_have_changed(path, tiny, submission, monkeypatch):
    runs, run = [], check.check
    monkeypatch.setattr(check, "check", lambda *given: runs.append(given) or run(*given))
    assert check.next_hint(path, None, tiny)[0].startswith("hint 1 of 3 for softmax")
    assert check.next_hint(path, None, tiny) == ["hint 2 of 3 for softmax: Second hint."]
    check.next_hint(path, "both", tiny)
    assert len(runs) == 1
    nbformat.write(submission(tiny, double="solution", softmax="solution"), path)
    assert check.next_hint(path, None, tiny)[0].startswith("hint 2 of")  # of `both`, whose first was asked for by name
    nbformat.write(submission(tiny, **dict.fromkeys(load("90", tiny).answers, "solution")), path)
    assert check.next_hint(path, None, tiny) == []
    assert len(runs) == 3


def test_an_exercise_is_found_by_number_name_and_path(tiny, path):
    assert check.locate("90", tiny) == check.locate("90_tiny", tiny) == tiny / "90_tiny.ipynb"
    assert check.locate(str(path), tiny) == path
    with pytest.raises(ValueError, match="there are 90"):
        check.locate("91", tiny)


def test_the_commands_exit_with_zero_at_full_marks_only(tmp_path, capsys, monkeypatch, tiny, submission, path):
    monkeypatch.setattr(check, "load_for_students", lambda number, folder: load_for_students(number, tiny))
    monkeypatch.setattr(check, "numbers", lambda folder: {})
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["check", str(path), "--hint"])
    assert args.run(args) == 1
    said = capsys.readouterr().out
    assert said.startswith("hint 1 of 3 for softmax")
    assert len(said.splitlines()) == 1
    nbformat.write(submission(tiny, **dict.fromkeys(load("90", tiny).answers, "solution")), path)
    args = parser.parse_args(["check", str(path)])
    assert args.run(args) == 0
    known = json.loads((tmp_path / ".hints.json").read_text())
    assert known["90.softmax"] == 1
    assert known["90"]["first"] is None


def test_nbval_judges_the_outputs_that_a_notebook_stores(tiny, submission, tmp_path, capsys):
    notebook = submission(tiny, **dict.fromkeys(load("90", tiny).answers, "solution"))
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    assert check.stored(tmp_path / "mine.ipynb") == [
        "run once more, every cell gives what your saved notebook shows below it: hand it in"]
    cell = next(cell for cell in notebook.cells if cell.id == "check-90-softmax")
    cell.outputs[0]["data"]["text/plain"] = "something else"
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    place = [cell.id for cell in notebook.cells if cell.cell_type == "code"].index("check-90-softmax") + 1
    assert f"below code cell {place}:" in check.stored(tmp_path / "mine.ipynb")[0]
    for cell in notebook.cells:
        cell.update({"outputs": []} if cell.cell_type == "code" else {})
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    assert "shows no outputs: run all cells" in check.stored(tmp_path / "mine.ipynb")[0]
    (tmp_path / "mine.ipynb").write_text("{}")


def test_check_works_where_solutions_and_pristine_copies_are_withheld(tiny, submission, tmp_path):
    folder = tmp_path / "exercises"
    folder.mkdir()
    (folder / "expected").mkdir()
    text = (tiny / "expected/90_tiny.json").read_text()
    (folder / "expected/90_tiny.json").write_text(text)
    exercise = load("90", tiny)
    for answer in exercise.answers.values():
        assert answer.reference not in json.loads(text).values()
        body = answer.reference.rpartition('"""')[2].strip()
        assert json.dumps(body)[1:-1] not in text
        assert not any(json.dumps(source)[1:-1] in text for source, _ in answer.mutants.values())
    right = dict.fromkeys(exercise.answers, "solution")
    nbformat.write(submission(tiny, **right), folder / "90_tiny.ipynb")
    _, verdicts, flags = check.check(check.locate("90", folder), folder)
    assert {verdict.status for verdict in verdicts.values()} == {"passed"}
    assert "use your own here" in flags[-1]
    wrong = exercise.answers["softmax"].mutants["wrong_axis"][0]
    nbformat.write(submission(tiny, **{**right, "softmax": wrong}), folder / "90_tiny.ipynb")
    _, verdicts, _ = check.check(folder / "90_tiny.ipynb", folder)
    assert [verdict.status for verdict in verdicts.values()] == ["passed", "wrong", "wrong"]
    assert verdicts["softmax"].messages[0] == "Sum over the last axis."  # the hint of the mutant is there


@pytest.mark.parametrize("before", [
    "%matplotlib inline", "import matplotlib.pyplot as plt\nplt.plot([1, 2])", "%time x = 1", "np?", "!ls",
    "%%bash\nls", "import torch", "import pandas", "import os\nos.system('true')",
    "import subprocess\nsubprocess.run(['ls'])",
    "%config InlineBackend.figure_format = 'retina'", "%pip install x", "open('nothing')", "import scipy",
    "raise SystemExit", "print('x' * 10 ** 7)", "import sys\nsys.exit(0)", "input()", "%run x.py",
    "x = np.interp(1, [0, 2], [0, 1])"])
def test_check_and_grade_agree(tiny, submission, tmp_path, grade_class, before):
    answers = {"double": "solution", "softmax": f"{before}\n{load('90', tiny).answers['softmax'].reference}"}
    notebook = submission(tiny, **answers)
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    _, mine, _ = check.check(tmp_path / "mine.ipynb", tiny)
    graded = grade_class({"a": notebook}, tiny)["a"]["answers"]
    assert [verdict.status for verdict in mine.values()] == [one["status"] for one in graded.values()]
    assert mine["softmax"].messages == graded["softmax"]["messages"]
