"""A class from end to end: solutions, untouched notebooks, correct variants; resuming; every report."""

import argparse
import csv
import json
from xml.etree import ElementTree

import nbformat
import pytest

from minivit.grading import feedback, grade, reports
from minivit.grading.cli import add_commands
from minivit.grading.exercise import ANSWER_ID, FOLDER
from minivit.grading.exercise import load_exercise as load
from minivit.grading.sandbox import Sandbox
from minivit.grading.students import strangers
from minivit.grading.verdict import NOT_GRADED, PASSED, Verdict

NUMBERS = [path.name[:2] for path in sorted((FOLDER / "pristine").glob("*.ipynb"))]
VARIANTS = {  # right answers that do not look like the reference
    "softmax": """
import warnings
def softmax(x):
    warnings.warn("look out")
    print("debug", x.shape, "\\n" * 3)
    y = np.zeros(x.shape)
    for i in np.ndindex(x.shape[:-1]):
        row = [np.exp(v - max(x[i])) for v in x[i]]
        y[i] = [v / sum(row) for v in row]
    return y""",
    "attention": "def attention(q, k, v):\n    q, k, v = (a.astype(np.float32) for a in (q, k, v))\n"
                 "    w = softmax(np.einsum('...id,...jd->...ij', q, k) / np.float32(q.shape[-1]) ** 0.5)\n"
                 "    return np.einsum('...ij,...jd->...id', w, v), w",
    "attention_backward": "%config InlineBackend.figure_format = 'svg'\n"
                          "def helper(a): return np.swapaxes(a, -1, -2)\n"
                          "def attention_backward(dy, q, k, v, weights):\n"
                          "    s = weights * (dy @ helper(v) - (dy * (weights @ v)).sum(-1, keepdims=True))\n"
                          "    s = s / q.shape[-1] ** .5\n"
                          "    return s @ k, helper(s) @ q, helper(weights) @ dy",
    "attention_to_some": "def attention_to_some(q, k, v, lengths):\n"
                         "    pairs = [attention(q[b], k[b, :n], v[b, :n]) for b, n in enumerate(lengths)]\n"
                         "    return [y for y, _ in pairs], [np.pad(w, ((0, 0), (0, k.shape[1] - w.shape[1])))\n"
                         "                                   for _, w in pairs]",
    "merge": "def merge(first, second):\n    (y, m, s), (other, n, t) = first, second\n"
             "    most = np.where(m > n, m, n)\n    s, t = np.exp(m - most) * s, np.exp(n - most) * t\n"
             "    share = (s / (s + t)).reshape(-1, 1)\n    return share * y + (1 - share) * other, most, s + t",
    "multi_head": """
def multi_head(x, qkv_weight, out_weight, heads):
    import sys
    sys.stderr.write("noise\\n")
    d = x.shape[-1] // heads
    q, k, v = np.split(x @ qkv_weight, 3, axis=-1)
    parts = [attention(q[..., i:i + d], k[..., i:i + d], v[..., i:i + d])[0] for i in range(0, x.shape[-1], d)]
    return np.concatenate(parts, axis=-1) @ out_weight""",
    "half_the_weight": "import math\ndef half_the_weight():\n"
                       "    return {'gap_16': math.log(15), 'gap_196': math.log(195), 'width': 28}",
    "read_influence": "def read_influence():\n    return dict(zip(('reverses', 'own_value', 'averages', "
                      "'wrong_heads', 'heads'), ['C', 'D', 'A', 'B', 3]))",
}


@pytest.fixture(scope="module")
def graded(submission, grade_class):
    """Records of a class: every solution, an untouched notebook, correct variants, each stub alone."""
    students = {f"solution{number}": submission(FOLDER, number, **dict.fromkeys(load(number).answers, "solution"))
                for number in NUMBERS}
    students["untouched"] = nbformat.read(next(FOLDER.glob("03_*.ipynb")), as_version=4)
    students["variants"] = submission(FOLDER, "03", **VARIANTS)
    students["variants"].cells.insert(3, nbformat.v4.new_code_cell("scratch = 1 / 0"))
    for stub in ("softmax", "attention"):
        answers = {name: "solution" for name in load("03").answers if name != stub}
        students[f"without_{stub}"] = submission(FOLDER, "03", **answers)
    return grade_class(students, FOLDER)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_solution_scores_all(graded, number):
    assert graded[f"solution{number}"]["points"] == 100, graded[f"solution{number}"]["answers"]


def test_the_untouched_notebook_scores_nothing(graded):
    assert graded["untouched"]["points"] == 0
    assert {answer["status"] for answer in graded["untouched"]["answers"].values()} == {"not attempted"}


def test_correct_variants_pass(graded):
    assert graded["variants"]["points"] == 100, graded["variants"]["answers"]


@pytest.mark.parametrize("stub", ["softmax", "attention"])
def test_a_stub_fails_its_own_check_only(graded, stub):
    answers = graded[f"without_{stub}"]["answers"]
    assert [name for name, answer in answers.items() if answer["status"] != "passed"] == [stub]


@pytest.fixture(scope="module")
def small(tiny, submission, grade_class):
    """A class with a mutant, a wrong value, an error, a helper outside, and hostile names."""
    right = dict.fromkeys(load("90", tiny).answers, "solution")
    mutant = load("90", tiny).answers["softmax"].mutants["wrong_axis"][0]
    return grade_class({
        "=cmd()": submission(tiny, **{**right, "softmax": mutant}),
        "<script>alert(1)": submission(tiny, **{**right, "double": "def double(x):\n    return 0 * x"}),
        "error": submission(tiny, **{**right, "double": "def double(x):\n    y = helper(x)\n    return y"}),
        "leak": submission(tiny, **{**right, "double": "class Leak(Exception): pass\n"
                                                       "def double(x): raise Leak('input' + f's: {x.tolist()}')"}),
        "broken": b"{"}, tiny)


def test_the_hint_of_the_mutant_is_given(small):
    answer = small["=cmd()"]["answers"]["softmax"]
    assert (answer["mutant"], answer["messages"][0]) == ("wrong_axis", "Sum over the last axis.")


def test_an_error_is_found_in_the_student_s_own_line(small):
    messages = small["error"]["answers"]["double"]["messages"]
    assert "NameError: name 'helper' is not defined in the line `y = helper(x)`" in messages[0]
    assert "`# helper`" in messages[1]


def test_no_page_shows_a_hidden_number(small):
    wrong = small["<script>alert(1)"]["answers"]["double"]
    hidden = wrong["messages"][0].split("instead of ")[1].split(";")[0]
    for record in small.values():
        page = feedback.page(record)
        assert hidden[:6] not in page
        assert "inputs:" not in page
        assert "<script" not in page
    assert "inputs: [[" in small["leak"]["answers"]["double"]["messages"][0]
    assert "an exception of its own" in feedback.page(small["leak"])


def table(path):
    with open(path, encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def test_every_report_is_written(small, tmp_path):
    records = list(small.values())
    roster = [{"Identifier": "Participant 5", "Full name": "error", "Email address": "e@x.org",
               "Last modified (grade)": "Friday, 20 November 2026, 10:00 AM"}]
    reports.write_all(tmp_path, records, roster)
    rows = table(tmp_path / "grades-90.csv")
    assert {row["student"]: row["points"] for row in rows}["'=cmd()"] == "70"
    assert "not a notebook" in next(row["flags"] for row in rows if row["student"] == "broken")
    assert rows[0].keys() >= {"double", "softmax", "both"}
    moodle = table(tmp_path / "moodle-90.csv")
    assert ("Participant 5", "80", "Friday, 20 November 2026, 10:00 AM") in [
        (row["Identifier"], row["Grade"], row["Last modified (grade)"]) for row in moodle]
    canvas = table(tmp_path / "canvas-90.csv")
    assert canvas[0].keys() >= {"Student", "ID", "SIS User ID", "Exercise 90"}
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert sum(int(suite.get("failures")) for suite in suites) == 4
    results = json.loads((tmp_path / "gradescope" / small["error"]["key"] / "results.json").read_text())
    assert results["score"] == 80
    assert {test["status"] for test in results["tests"]} == {"passed", "failed"}
    assert any("broken" in line and "not a notebook" in line for line in reports.table(records))


def test_resuming_runs_nothing_twice_and_keeps_the_seed(found_box, tiny, submission, tmp_path, monkeypatch):
    handed_in, out = tmp_path / "in", tmp_path / "out"
    handed_in.mkdir()
    trust = found_box is None
    monkeypatch.setattr(grade, "choose_sandbox", lambda trust, limits: found_box or Sandbox("none"))
    right = submission(tiny, **dict.fromkeys(load("90", tiny).answers, "solution"))
    nbformat.write(right, handed_in / "one.ipynb")
    first, _ = grade.grade(handed_in, out, folder=tiny, trust=trust)
    nbformat.write(right, handed_in / "two.ipynb")
    nbformat.write(submission(tiny, double="solution"), handed_in / "three.ipynb")
    grade.grade(handed_in / "three.ipynb", out, resume=True, folder=tiny, trust=trust)
    nbformat.write(right, handed_in / "three.ipynb")
    asked = []
    original = grade.verdicts_on
    monkeypatch.setattr(grade, "verdicts_on", lambda submission, *rest: (asked.append(submission.student),
                                                                         original(submission, *rest))[1])
    second, _ = grade.grade(handed_in, out, resume=True, folder=tiny, trust=trust)
    assert sorted(asked) == ["three", "two"]  # the first is done; the third was handed in again
    assert [record["points"] for record in second] == [100, 100, 100]
    assert first[0]["seed"] == second[1]["seed"] == json.loads((out / "grading.json").read_text())["seed"]
    third, _ = grade.grade(handed_in, tmp_path / "again", seed=first[0]["seed"], folder=tiny, trust=trust)
    assert third == second
    with pytest.raises(ValueError, match="there is a grading already"):
        grade.grade(handed_in, out, folder=tiny, trust=trust)
    with pytest.raises(ValueError, match="has the seed"):
        grade.grade(handed_in, out, resume=True, seed=1, folder=tiny, trust=trust)


def test_canvas_gets_its_own_column_back_and_its_row_of_possible_points_is_nobody(tmp_path):
    record = {"student": "doejane", "identifier": "7", "points": 55, "answers": {}, "imitated": False}
    roster = [{"Student": "    Points Possible", "ID": "", "Exercise 90 (1234)": "100"},
              {"Student": "Doe, Jane", "ID": "7", "SIS Login ID": "jane", "Exercise 90 (1234)": ""}]
    reports.canvas(tmp_path / "canvas.csv", [record], roster, "90")
    assert table(tmp_path / "canvas.csv") == [{"Student": "Doe, Jane", "ID": "7", "SIS User ID": "", "Section": "",
                                               "SIS Login ID": "jane", "Exercise 90 (1234)": "55"}]
    assert strangers([record], roster) == []


def test_the_grade_command_writes_everything(tiny, submission, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grade.grade, "__kwdefaults__", {**grade.grade.__kwdefaults__, "folder": tiny})
    monkeypatch.setattr(grade, "self_test", lambda *_: "")
    monkeypatch.setattr(grade, "mark", lambda judge, *_, **__: {
        name: Verdict("error", 0, answer.points) for name, answer in judge.exercise.answers.items()})
    (tmp_path / "in").mkdir()
    nbformat.write(submission(tiny, double="solution"), tmp_path / "in/Jane Doe.ipynb")
    (tmp_path / "in/Bob.ipynb").write_text("{")
    (tmp_path / "roster.csv").write_text("Full name,Email address\nJane Doe,j@x.org\nSam Same,s@x.org\n")
    words = ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--trust-submissions", "--seed", "3"]
    assert command([*words, "--roster", str(tmp_path / "roster.csv")]) == 0
    printed = capsys.readouterr().out
    assert "look at: Bob.ipynb: not a notebook" in printed
    assert "warning: every answer may do what you may do" in printed
    assert "nothing came from Sam Same" in printed
    assert "not on the roster: Bob" in printed
    out = tmp_path / "out"
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written == {"grading.json", "grades-90.csv", "moodle-90.csv", "canvas-90.csv", "junit.xml",
                       "records/Jane_Doe-90.json", "records/Bob-unreadable.json", "feedback/Jane_Doe-90.html",
                       "feedback/Bob-unreadable.html", "gradescope/Jane_Doe-90/results.json",
                       "gradescope/Bob-unreadable/results.json"}
    with pytest.raises(ValueError, match="--jobs: 0; at least 1"):
        command([*words, "--jobs", "0"])


def command(words):
    """The exit code of a command."""
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(words)
    return args.run(args)


def test_a_machine_s_fault_is_no_zero_and_is_repaired_by_resuming(tiny, submission, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grade.grade, "__kwdefaults__", {**grade.grade.__kwdefaults__, "folder": tiny})
    (tmp_path / "in").mkdir()
    right = dict.fromkeys(load("90", tiny).answers, "solution")
    for student in ("a", "b", "c"):
        nbformat.write(submission(tiny, **right), tmp_path / f"in/{student}.ipynb")
    start, calls = Sandbox.start, []

    def fails_later(sandbox, *rest):
        calls.append(1)
        if len(calls) > 9:  # the self-test is through, and so is a part of the class
            raise OSError(28, "No space left on device")
        return start(sandbox, *rest)

    words = ["grade", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--trust-submissions", "--jobs", "1"]
    monkeypatch.setattr(Sandbox, "start", fails_later)
    assert command(words) == 2
    printed = capsys.readouterr().out
    assert "No space left on device" in printed
    assert "--resume" in printed
    rows = table(tmp_path / "out/grades-90.csv")
    assert {row["graded"] for row in rows} == {"yes", NOT_GRADED}
    assert {row["points"] for row in rows if row["graded"] == NOT_GRADED} == {""}
    assert "" in {row["Grade"] for row in table(tmp_path / "out/moodle-90.csv")}
    monkeypatch.setattr(Sandbox, "start", start)
    assert command([*words, "--resume"]) == 0
    assert [row["points"] for row in table(tmp_path / "out/grades-90.csv")] == ["100", "100", "100"]


def test_a_grader_that_does_not_work_does_not_begin(tiny, submission, tmp_path, monkeypatch):
    nbformat.write(submission(tiny, double="solution"), tmp_path / "a.ipynb")
    monkeypatch.setattr(Sandbox, "start", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RuntimeError, match="the grader does not work here: the known solution.*No space left"):
        grade.grade(tmp_path / "a.ipynb", tmp_path / "out", folder=tiny, trust=True)
    monkeypatch.undo()
    monkeypatch.setattr("minivit.grading.verdict.compare", lambda *_: [])
    monkeypatch.setattr("minivit.grading.verdict.MISSING", PASSED)
    with pytest.raises(RuntimeError, match="the known blank"):
        grade.grade(tmp_path / "a.ipynb", tmp_path / "out2", folder=tiny, trust=True)


def test_an_error_of_the_grader_itself_costs_nobody_else(tiny, submission, tmp_path, monkeypatch):
    for student in ("a", "b"):
        nbformat.write(submission(tiny, double="solution"), tmp_path / f"{student}.ipynb")
    mark, broken = grade.mark, []

    def breaks_once(*given, **named):
        if not broken:
            broken.append(1)
            raise ZeroDivisionError("a mistake")
        return mark(*given, **named)

    monkeypatch.setattr(grade, "mark", breaks_once)
    records, _ = grade.grade(tmp_path, tmp_path / "out", folder=tiny, trust=True, jobs=1)
    assert sorted(reports.graded(record) for record in records) == [False, True]
    assert "a mistake" in reports.why_not(next(record for record in records if not reports.graded(record)))


@pytest.mark.parametrize("folder", ["x" * 65, "with space", "ünï"])
def test_a_long_or_odd_tmpdir_changes_nothing(found_box, tiny, submission, tmp_path, monkeypatch, grade_class, folder):
    (tmp_path / folder).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    records = grade_class({"a": submission(tiny, **dict.fromkeys(load("90", tiny).answers, "solution"))}, tiny)
    assert records["a"]["points"] == 100
    assert not list((tmp_path / folder).iterdir())


def test_without_a_sandbox_it_refuses_and_says_how_to_get_one(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "find_sandbox", lambda works: None)
    with pytest.raises(RuntimeError, match="apt-get install bubblewrap.*--trust-submissions"):
        grade.grade(tmp_path, tmp_path / "out", folder=tiny)


def test_file_names_of_records_are_harmless():
    class Odd:
        """What slug looks at."""

        student, number, file, identifier = "../../etc/x\x00 Ünï", "03", "f", ""

    key = grade.slug(Odd, set())
    assert "/" not in key
    assert grade.slug(Odd, {key.upper()}) != key
    Odd.student = "\U0001f600é" * 200
    assert len(grade.slug(Odd, set()).encode()) < 200
    assert ANSWER_ID.fullmatch("answer-03-softmax")
