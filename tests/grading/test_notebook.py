"""Which cells are answers, and which helpers they use: whole, split, twice, without ids, of an older format, none."""

import contextlib
import json

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minivit.grading import marking
from minivit.grading.exercise import load_exercise
from minivit.grading.notebook import Written, read_notebook

WHOLE = "def double(x):\n    return 2 * x"
STUB = 'def double(x):\n    """y = 2 x"""\n    raise NotImplementedError("90.double: two times x")'


def cells(*sources):
    """A notebook of cells: (id, source), or a source of a cell that is the student's own."""
    made = [{"cell_type": "code", "id": source[0], "source": source[1]} if isinstance(source, tuple) else
            {"cell_type": "code", "id": f"own{i}", "source": source} for i, source in enumerate(sources)]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def answer(source, name="double"):
    return f"answer-90-{name}", source


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"cells": 3}', b'{"cells": [1, null]}', b"\xff\xfe", b"null",
                                     b"3", b"[" * 100_000, b'{"cells": [{"id": 3}, {"id": "answer-90-x"}]}',
                                     b'{"worksheets": 3}',
                                     b'{"worksheets": [{"cells": [{"cell_type": "code"}]}], "nbformat": 3}'])
def test_what_is_no_notebook_is_a_value_error(content):
    with pytest.raises(ValueError, match="not a notebook|no answer cell"):
        read_notebook(content)


@pytest.mark.parametrize("given, graded, said", [
    ([answer(WHOLE)], WHOLE, ""),
    ([answer(STUB), answer(WHOLE)], WHOLE, "2 cells have this answer's id"),
    ([answer(WHOLE), answer(WHOLE + " + 0")], WHOLE, "the first whole one is graded"),
    ([answer("def double(x:"), answer(WHOLE)], WHOLE, "2 cells"),
    ([answer(STUB), WHOLE], WHOLE, "another cell does"),
    ([answer(""), WHOLE], WHOLE, "another cell does"),
    ([answer("double = None"), "scratch = 1"], "double = None", ""),
    ([answer("def double(x):\n    y = 2 * x"), "    return y"], "def double(x):\n    y = 2 * x\n    return y", "split"),
    ([answer("def double(x):"), "    return 2 * x"], "def double(x):\n    return 2 * x", "split"),
    ([answer("%%time\n" + WHOLE)], "%%time\n" + WHOLE, ""),
    ([answer(STUB)], STUB, ""),
    ([answer("x" * 60_000)], None, "not a text of at most"),
    ([answer([3])], None, "not a text")])
def test_the_first_whole_answer_is_graded_and_told(given, graded, said):
    number, answers, flags = read_notebook(cells(*given))
    assert number == "90"
    assert (answers["double"].source if "double" in answers else None) == graded
    assert said in "; ".join(flags)
    assert bool(said) == bool(flags)


def test_helper_cells_above_an_answer_are_used_where_they_are_needed():
    content = cells("# helper\ndef twice(x):\n    return 2 * x",
                    "# Helper: more\nimport math\ndef again(x): return twice(x)",
                    "# helper\ndef unused(): pass", "def unmarked(x): pass",
                    answer("def double(x):\n    return again(x)"),
                    answer("def both(x):\n    return x", "both"), "# helper\ndef below(x): pass",
                    answer("def softmax(x):\n    return below(unmarked(x))", "softmax"))
    _, answers, flags = read_notebook(content)
    assert [source.split("\n")[0] for source in answers["double"].helpers] == ["# helper", "# Helper: more"]
    assert answers["both"] == Written("def both(x):\n    return x")
    assert answers["softmax"].helpers == ["# helper\ndef below(x): pass"]
    assert not flags


def test_notebooks_without_ids_and_of_format_3_are_read(tiny_exercise, submission, tiny):
    right = submission(tiny, **dict.fromkeys(tiny_exercise.answers, "solution"))
    older = json.loads(json.dumps(right))
    for cell in older["cells"]:
        del cell["id"]
    colab = json.loads(json.dumps(right))
    for cell in colab["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
    third = json.loads(nbformat.writes(nbformat.convert(nbformat.from_dict(older), 3), version=3))
    assert third["nbformat"] == 3
    _, expected, _ = read_notebook(json.dumps(right).encode())
    for notebook in (older, colab, third):
        number, answers, flags = read_notebook(json.dumps(notebook).encode())
        assert (number, {name: answers[name] for name in expected}) == ("90", expected)
        assert bool(flags) == (notebook is not colab)


def test_a_lone_surrogate_can_be_written_to_a_file():
    assert read_notebook(cells(answer("'\ud800'")))[1]["double"].source == "'?'"


def test_a_notebook_that_is_a_burden_is_refused_soon():
    with pytest.raises(ValueError, match="characters of code"):
        read_notebook(cells(*("x = 1\n" * 8_000 for _ in range(40))))
    read_notebook(cells(answer("%time\n" * 5_000), *("(" * 3_000 for _ in range(300)),
                        *(answer("x", f"n{i}") for i in range(900))))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12)
cell = st.fixed_dictionaries({}, optional={
    "cell_type": st.sampled_from(["code", "markdown", "raw", None, 3]) | json_values,
    "id": st.sampled_from(["answer-90-double", "answer-90-softmax", "check-90-double", "answer-91-x"]) | json_values,
    "source": st.sampled_from(["def double(x): return 2 * x", "", "def (", "\x00", "\ud800", "# helper", "  x",
                               "%%time",
                               "!ls", "np?", "python -m minivit check 90"]) | json_values,
    "metadata": json_values, "outputs": json_values})


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(json_values | st.dictionaries(st.sampled_from(["cells", "metadata", "nbformat", "worksheets"]),
                                     st.lists(cell | json_values, max_size=6) | json_values))
def test_no_notebook_stops_the_grader(tiny_exercise, content):
    try:
        _, answers, _ = read_notebook(json.dumps(content).encode())
    except ValueError:
        return
    verdicts, attempts, _ = marking.sort_out(tiny_exercise, answers, 7)
    assert verdicts.keys() | attempts.keys() == tiny_exercise.answers.keys()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_no_file_stops_the_grader(content):
    with contextlib.suppress(ValueError):
        read_notebook(content)


def test_an_unknown_exercise_is_named():
    with pytest.raises(ValueError, match="'77' does not exist"):
        load_exercise("77")
