"""What was handed in is read, whatever it is: archives of both systems, links, lies, and noise."""

import contextlib
import json
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minivit.grading import assess
from minivit.grading.exercise import load
from minivit.grading.submissions import FILE_BYTES, collect, read, who


def notebook(**answers):
    cells = [{"cell_type": "code", "id": f"answer-90-{name}", "source": text} for name, text in answers.items()]
    return json.dumps({"cells": cells}).encode()


@pytest.mark.parametrize("name, expected", [
    ("Jane Doe_1234567_assignsubmission_file_/03_attention.ipynb", ("Jane Doe", "1234567")),
    ("Jane Doe_1234567_assignsubmission_file_03_attention.ipynb", ("Jane Doe", "1234567")),
    ("doejane_12345_678901_03_attention-1.ipynb", ("doejane", "12345")),
    ("doejane_LATE_12345_678901_03_attention.ipynb", ("doejane", "12345")),
    ("jane/03_attention.ipynb", ("jane", "")), ("jane.ipynb", ("jane", "")),
    ("Jane Doe_1_assignsubmission_file_/Bob Roe_2_assignsubmission_file_x.ipynb", ("Jane Doe", "1")),
    ("doejane_1_22_roebob_2_assignsubmission_file_.ipynb", ("doejane", "1"))])
def test_students_are_known_by_the_names_that_moodle_and_canvas_give(name, expected):
    assert who(name) == expected


def test_an_archive_is_read_without_unpacking_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("Jane Doe_7_assignsubmission_file_/x.ipynb", notebook(double="a"))
        archive.writestr("../../outside.ipynb", notebook(double="b"))
        archive.writestr("/absolute.ipynb", notebook(double="c"))
        archive.writestr("C:\\windows.ipynb", notebook(double="d"))
        archive.writestr("__MACOSX/x.ipynb", b"")
        archive.writestr("huge/x.ipynb", b" " * (FILE_BYTES + 10), compress_type=zipfile.ZIP_DEFLATED)
        archive.writestr("broken/x.ipynb", b"{")
        archive.writestr("packed/x.zip", b"")
    found, complaints = collect(tmp_path / "all.zip")
    assert {submission.student: bool(submission.sources) for submission in found} == \
        {"Jane Doe": True, "huge": False, "broken": False}
    assert sum("leads out of the archive" in complaint for complaint in complaints) == 3
    assert "packed/x.zip: an archive in an archive" in complaints
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]


def test_folders_links_and_later_versions(tmp_path):
    for name, text in (("a/x-2.ipynb", "old"), ("a/x-10.ipynb", "new"), ("b/y.ipynb", "b")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(notebook(double=text))
    (tmp_path / "c.ipynb").symlink_to(tmp_path / "b/y.ipynb")
    (tmp_path / "d.zip").write_bytes(b"not a zip")
    found, complaints = collect(tmp_path)
    assert [(s.student, s.sources["double"]) for s in found] == [("a", "new"), ("b", "b")]
    assert "more than once" in found[0].flags[0]
    assert any("link" in complaint for complaint in complaints)
    with pytest.raises(ValueError, match="a folder, a notebook or a zip archive"):
        collect(tmp_path / "b/nothing.txt")


def test_two_students_of_one_name_are_two(tmp_path):
    for name in ("Jane Doe_1_assignsubmission_file_", "Jane Doe_2_assignsubmission_file_",
                 "carl/Jane Doe_3_assignsubmission_file_"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.ipynb").write_bytes(notebook(double="a"))
    found, _ = collect(tmp_path)
    assert [(s.student, s.identifier) for s in found] == [("Jane Doe", "1"), ("Jane Doe", "2"), ("Jane Doe", "3")]
    assert [s.flags for s in found] == [[], [], ["the student's name and number stand inside of carl"]]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [1, null]}', b"\xff\xfe",
                                     b"[" * 100_000, b'{"cells": [{"id": 3}, {"id": "answer-90-x"}]}'])
def test_what_is_no_notebook_is_a_value_error(content):
    with pytest.raises(ValueError, match="not a notebook|no answer cell"):
        read(content)


def test_duplicates_lists_and_lengths():
    twice = json.loads(notebook(double="1", both=["a", "b"], softmax="x" * 100_000))
    twice["cells"].append(dict(twice["cells"][0]))
    number, sources, flags = read(json.dumps(twice).encode())
    assert (number, sources) == ("90", {"both": "ab"})
    assert len(flags) == 2


def test_a_lone_surrogate_can_be_written_to_a_file():
    assert read(notebook(double="'\ud800'"))[1] == {"double": "'?'"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12)
cell = st.fixed_dictionaries({}, optional={
    "cell_type": st.sampled_from(["code", "markdown", "raw", None, 3]) | json_values,
    "id": st.sampled_from(["answer-90-double", "answer-90-softmax", "check-90-double", "answer-91-x"]) | json_values,
    "source": st.sampled_from(["def double(x): return 2 * x", "", "def (", "\x00", "\ud800"]) | json_values,
    "metadata": json_values, "outputs": json_values})


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(json_values | st.dictionaries(st.sampled_from(["cells", "metadata", "nbformat"]),
                                     st.lists(cell | json_values, max_size=6) | json_values))
def test_no_notebook_stops_the_grader(tiny_exercise, content):
    try:
        number, sources, flags = read(json.dumps(content).encode())
    except ValueError:
        return
    verdicts, notebooks, _ = assess.before(tiny_exercise, sources, 7)
    assert verdicts.keys() | notebooks.keys() == tiny_exercise.answers.keys()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_no_file_stops_the_grader(content):
    with contextlib.suppress(ValueError):
        read(content)


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="'77' does not exist"):
        load("77")
