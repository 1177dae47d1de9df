"""Answers that are to be debugged, measured and read: what the student gets, and what nobody can read there."""

import json
from pathlib import Path

import nbformat
import pytest

from minivit.grading import build, check, feedback, reports, seal
from minivit.grading.exercise import load_exercise
from minivit.grading.kinds import by_kind, said
from minivit.grading.source import read_source

SOURCE = Path(__file__).parent / "tiny/source/91_kinds.py"
RIGHT = {"middle": "solution", "share": "solution", "tallest": "solution"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the built exercise 91."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "source").mkdir()
    (folder / "source/91_kinds.py").write_bytes(SOURCE.read_bytes())
    list(build.build(folder))
    return folder


@pytest.fixture
def checked(folder, submission, tmp_path):
    """Function: {answer: source or "solution"} to {answer: Verdict}, by `check`."""
    def run(**answers):
        nbformat.write(submission(folder, "91", **answers), tmp_path / "mine.ipynb")
        return check.check(tmp_path / "mine.ipynb", folder)
    return run


def constant(name, **values):
    """An answer that returns these values."""
    return f"def {name}():\n    return {values!r}"


def test_the_student_sees_kinds_points_time_and_rubric(folder):
    cells = nbformat.read(folder / "91_kinds.ipynb", as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert texts[0].endswith("Time: about 8 minutes after the lesson (estimated, not yet timed).")
    assert "| debug | 40 | the code runs and is wrong" in texts[1]
    assert "## 1. A wrong mean · debug, 40 points" in texts
    assert any("not graded by machine" in text and "for this: the number and why.)" in text for text in texts)


def test_code_to_debug_is_the_mutant_and_untouched_it_is_not_attempted(folder, checked):
    answer = load_exercise("91", folder).answers["middle"]
    assert answer.stub.startswith("# This runs, and is wrong.")
    assert answer.stub.endswith("return x.sum(axis=-1) / x.size")
    assert answer.hints == ("a row has m entries: divide by the length of the last axis",)
    _, verdicts, _ = checked()
    assert verdicts["middle"].status == "not attempted"
    _, verdicts, _ = checked(middle=answer.stub + "\n# I looked at it")
    assert verdicts["middle"].status == "wrong"
    assert verdicts["middle"].messages[0] == "A row has fewer entries than the whole."


@pytest.mark.parametrize("found, side, status", [
    (0.14, "more", "passed"), (0.1428, "more", "passed"), (0.145, "more", "passed"), (0.15, "more", "wrong"),
    (0.14, "less", "wrong"), (float("nan"), "more", "wrong"), ("0.14", "more", "wrong"), ([0.14], "more", "wrong")])
def test_a_value_is_right_if_it_rounds_to_the_right_step(checked, found, side, status):
    _, verdicts, _ = checked(share=f"nan = float('nan')\n{constant('share', found=found, side=side)}")
    assert verdicts["share"].status == status


def test_every_wrong_value_of_a_measure_gets_its_own_hint(checked):
    _, verdicts, _ = checked(share=constant("share", found=143, side="less"))
    assert verdicts["share"].mutant == "count, less"
    assert verdicts["share"].messages[:2] == ["That is the number, not the share.", "A seventh is more than a tenth."]
    _, verdicts, _ = checked(share=constant("share", found=0.9, side="less"))
    assert (verdicts["share"].mutant, verdicts["share"].messages[1]) == ("less", "found: 0.9 is not it")


def test_an_error_that_a_mutant_raises_gets_its_hint(folder, checked, submission, grade_class):
    wrong = "def middle(x):\n    return x.sum(axis=-1) / x.shape[2]"
    _, verdicts, _ = checked(middle=wrong)
    assert (verdicts["middle"].status, verdicts["middle"].mutant) == ("error", "third_axis")
    assert verdicts["middle"].messages[0] == "x has two axes: 0 and 1."
    graded = grade_class({"one": submission(folder, "91", middle=wrong)}, folder)["one"]["answers"]["middle"]
    assert (graded["mutant"], graded["outline"][0]) == ("third_axis", "x has two axes: 0 and 1.")
    _, verdicts, _ = checked(middle="def middle(x):\n    return x.sum(axis=2)")
    assert (verdicts["middle"].status, verdicts["middle"].mutant) == ("error", "")


def test_check_and_grade_agree_on_values(folder, submission, grade_class, checked):
    answers = [constant("share", found=found, side="more") for found in (0.14, 0.145, 0.1451, 143, 0.1349)]
    notebooks = {f"student{i}": submission(folder, "91", share=answer) for i, answer in enumerate(answers)}
    graded = grade_class(notebooks, folder)
    for i, answer in enumerate(answers):
        verdict, mine = graded[f"student{i}"]["answers"]["share"], checked(share=answer)[1]["share"]
        assert (verdict["status"], verdict["mutant"]) == (mine.status, mine.mutant)
    assert graded["student3"]["answers"]["share"]["mutant"] == "count"


def test_no_file_of_the_student_says_a_value_that_is_the_answer(folder):
    about = json.loads((folder / "expected/91_kinds.json").read_text())["answers"]
    for name in ("share", "tallest"):
        shown = [about[name]["expected"], *(mutant["values"] for mutant in about[name]["mutants"].values())]
        assert not any("data" in numbers for values in shown for numbers in values.values())
    cells = {cell.id: cell for cell in nbformat.read(folder / "91_kinds.ipynb", as_version=4).cells}
    assert cells["check-91-share"].outputs == cells["check-91-tallest"].outputs == []
    assert cells["check-91-middle"].outputs
    solution = {cell.id: cell for cell in nbformat.read(folder / "solutions/91_kinds.ipynb", as_version=4).cells}
    assert solution["check-91-share"].outputs


def test_a_figure_is_stored_and_not_graded(folder):
    cells = nbformat.read(folder / "91_kinds.ipynb", as_version=4).cells
    figure = next(cell for cell in cells if "plt.bar" in cell.source)
    assert figure.metadata["tags"] == ["nbval-ignore-output"]
    assert [output.get("name") or next(iter(output.data)) for output in figure.outputs] == [
        "stdout", "application/vnd.minivit.values+json", "image/png"]
    assert figure.outputs[-1].data["text/plain"] == "Figure: three bars"
    assert "plt.bar" not in load_exercise("91", folder).given("tallest")


def test_a_source_whose_kinds_are_wrong_is_refused(tmp_path):
    for old, new, words in [('kind="read"', 'kind="reed"', "did you mean 'read'"),
                            ('bug="by_size"', 'bug="size"', "did you mean 'by_size'"),
                            ('minutes="estimated 8"', 'minutes="some"', "minutes='some'")]:
        (tmp_path / "91_kinds.py").write_text(SOURCE.read_text().replace(old, new))
        with pytest.raises(ValueError, match=words):
            read_source(tmp_path / "91_kinds.py")


def test_a_value_that_is_no_multiple_of_its_step_is_refused():
    with pytest.raises(ValueError, match="no multiple of the step 0.1"):
        seal.sealed({"shape": [], "data": [0.25]}, 0.1, "91.share.found")


def test_equal_values_have_different_digests():
    one, other = (seal.sealed({"shape": [2], "data": [3, 3]}, 1, where)["sealed"] for where in ("a", "b"))
    assert len({*one, *other}) == 4


def test_reports_tell_points_by_kind(folder, submission, grade_class, tmp_path, checked):
    answers = {**RIGHT, "tallest": constant("tallest", bar=0)}
    record = grade_class({"a": submission(folder, "91", **answers)}, folder)["a"]
    assert reports.kinds(record) == {"debug": (40, 40), "measure": (30, 30), "read": (0, 30)}
    reports.write_all(tmp_path, [record])
    header, row = (tmp_path / "grades-91.csv").read_text(encoding="utf-8-sig").splitlines()
    assert "middle,share,tallest,debug,measure,read,graded" in header
    assert "70,40,30,0,40,30,0,yes" in row
    tests = json.loads((tmp_path / "gradescope" / record["key"] / "results.json").read_text())["tests"]
    assert [test["tags"] for test in tests] == [["debug"], ["measure"], ["read"]]
    assert "(debug 40/40, measure 30/30, read 0/30)" in feedback.page(record)
    assert "debug 40/40, measure 30/30, read 0/30" in check.report(*checked(**answers))


def test_points_by_kind_come_in_one_order():
    assert said(by_kind([("read", 0, 5), ("retype", 3, 3), ("read", 5, 5), ("", 1, 1)])) == "retype 3/3, read 5/10"
