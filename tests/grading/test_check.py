"""What the student sees: a row an answer, a hint at a time, exit code 0 at full marks only."""

import argparse
import json

import nbformat
import pytest

from minivit.grading import check
from minivit.grading.cli import add_commands
from minivit.grading.exercise import load_exercise as load
from minivit.grading.exercise import load_for_students


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
    assert lines[-1].startswith("20 of 100 points")


def test_hints_come_one_after_the_other(path, tiny):
    exercise, verdicts, _ = load("90", tiny), {}, None
    assert len(check.next_hints(path, exercise, verdicts, "softmax")) == 1
    assert check.next_hints(path, exercise, verdicts, "softmax")[1] == "hint 2 of 2 for softmax: Second hint."
    assert len(check.next_hints(path, exercise, verdicts, "softmax")) == 2
    with pytest.raises(ValueError, match="there are double, softmax, both"):
        check.next_hints(path, exercise, verdicts, "nothing")


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
    assert "hint 1 of 2 for softmax" in capsys.readouterr().out
    nbformat.write(submission(tiny, **dict.fromkeys(load("90", tiny).answers, "solution")), path)
    args = parser.parse_args(["check", str(path)])
    assert args.run(args) == 0
    assert json.loads((tmp_path / ".hints.json").read_text()) == {"90.softmax": 1}
