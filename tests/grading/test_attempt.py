"""One answer, one process: what comes out of it, and how its end is noticed. The code is ours: no sandbox is needed."""

import json
import sys
import time

import numpy as np
import pytest

from minivit.grading import inside, marking
from minivit.grading.attempt import Attempt, NotGraded, Outcome, StandIns, make, outcome
from minivit.grading.notebook import Written
from minivit.grading.sandbox import Limits, Sandbox
from minivit.grading.verdict import CHANGED, HELPER, NONE, Judge

LIMITS = Limits(processor=2, deadline=6.0)
GIVEN = "import numpy as np\nfrom minivit.grading.show import show"
RIGHT = "def double(x):\n    return 2 * x"
unix = pytest.mark.skipif(sys.platform == "win32", reason="limits are those of Unix")


def run(source, check="show(y=double(np.arange(3.0)))", limits=LIMITS, earlier=(), box=None):
    """The Outcome of an answer called `double`; earlier: {name: source} of what stands in for earlier answers."""
    box = box or Sandbox("none")
    cells = [("given", GIVEN), *(("stand-in", text) for text in dict(earlier).values())]
    calls = StandIns(box, limits, cells)
    try:
        attempt = Attempt("double", [("given", GIVEN), ("answer", source), ("check", check)], [*dict(earlier)])
        return make(attempt, box, limits, calls)
    finally:
        calls.close()


@pytest.mark.parametrize("source", [
    RIGHT, "import sys\nprint('debug')\nprint('noise', file=sys.stderr)\n" + RIGHT, "%matplotlib inline\n" + RIGHT,
    "%time 1\nnp?\n%config InlineBackend.figure_format = 'svg'\n" + RIGHT, "%%time\n" + RIGHT, "%precision 3\n" + RIGHT,
    "%load_ext autoreload\n%autoreload 2\n" + RIGHT, RIGHT + "\n%timeit -n1 -r1 double(1)", "%%capture out\n" + RIGHT,
    "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()\n" + RIGHT,
    "from IPython.display import display, HTML\ndisplay(HTML('x'))\n" + RIGHT,
    "import random, math, itertools\n" + RIGHT,
    "from minivit.grading.show import show\n" + RIGHT, "await __import__('asyncio').sleep(0)\n" + RIGHT,
    "import concurrent.futures as c\nwith c.ThreadPoolExecutor(2) as p: list(p.map(abs, [1]))\n" + RIGHT])
def test_what_notebooks_usually_hold_works(source, found_box):
    for box in filter(None, [Sandbox("none"), found_box]):
        came = run(source, box=box)
        assert (came.error, came.ended, came.values) == ("", "", {"y": {"shape": [3], "data": [0.0, 2.0, 4.0]}})


@pytest.mark.parametrize("source, name, text, line", [
    ("def double(x):\n    y = helper(x)\n    return y", "NameError", "name 'helper' is not defined", "y = helper(x)"),
    ("\n  \ndef double(x):\n    1 / 0", "ZeroDivisionError", "division by zero", "1 / 0"),
    ("def double(x:", "SyntaxError", "", "def double(x:"), ("%time 1 / 0", "ZeroDivisionError", "division by zero", ""),
    ("import torch", "ModuleNotFoundError", "answers have NumPy, matplotlib and Python's own modules", "import torch"),
    ("import minivit.ops", "ModuleNotFoundError", "No module named 'minivit.ops'", "import minivit.ops"),
    ("import os\nos.system('ls')", "PermissionError", "it may not start another", "os.system('ls')"),
    ("import subprocess\nsubprocess.run(['ls'])", "PermissionError", "one process", "subprocess.run(['ls'])"),
    ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "PermissionError", "no network", ""),
    ("raise SystemExit(0)", "SystemExit", "", ""), ("input()", "EOFError", "", "input()")])
def test_errors_are_the_same_with_and_without_a_sandbox(source, name, text, line, found_box):
    for box in filter(None, [Sandbox("none"), found_box]):
        came = run(source, box=box)
        assert (came.error_name, came.values, came.ended) == (name, {}, "")
        assert text in came.error
        assert came.line == line or not line


@unix
@pytest.mark.parametrize("source, ended", [
    ("import os\ndef double(x): os._exit(0)", "died"), ("def double(x):\n    while True: pass", "timeout"),
    ("import time\ndef double(x): time.sleep(100)", "timeout"),
    ("def double(x):\n    while True: print('x' * 1000)", "output"),
    ("import os, signal\ndef double(x): os.kill(os.getpid(), signal.SIGKILL)", "killed"),
    ("import os, signal\ndef double(x): os.kill(os.getpid(), signal.SIGSEGV)", "died"),
    ("def double(x): return np.zeros((300, 1000))", "output")])
def test_ends_are_told_apart_and_come_in_time(source, ended):
    start = time.monotonic()
    assert run(source, limits=Limits(processor=2, deadline=4.0, message_bytes=10 ** 5)).ended == ended
    assert time.monotonic() - start < 10


def test_earlier_answers_stand_in_from_another_process():
    earlier = {"half": "def half(x, by=2):\n    '''secret'''\n    return x / by",
               "pair": "def pair(x): return x, {'n': len(x)}", "broken": "def broken(x): raise ValueError('no')"}
    came = run("""
def double(x):
    assert 'secret' not in (half.__doc__ or '')
    y, about = pair(x)
    assert about == {'n': 3} and type(about['n']) is int and type(half(np.float32(1))) is np.float32
    assert half(x.astype('f4')).dtype == np.float32 and half(4, by=4) == 1.0 and half(True) == .5
    y[0] = 0  # what comes is the caller's own
    try: broken(x)
    except ValueError as error: assert str(error) == 'no'
    try: half(print)
    except TypeError as error: assert 'cannot be handed' in str(error)
    return half(4 * x)""", earlier=earlier)
    assert (came.error, came.values) == ("", {"y": {"shape": [3], "data": [0.0, 2.0, 4.0]}})
    assert came.notes["calls"] == {"half": 5, "pair": 1, "broken": 1}


@unix
def test_a_call_that_is_too_much_for_an_earlier_answer_is_an_error_of_the_caller_and_the_next_is_answered():
    came = run("""
def double(x):
    try: grow(10 ** 12)
    except MemoryError: pass
    try: die(x)
    except MemoryError as error: print(error)
    return same(2 * x)""", earlier={"grow": "def grow(n): return np.ones(n)", "same": "def same(x): return x",
                                  "die": "import os\ndef die(x): os._exit(0)"})
    assert (came.error, came.values) == ("", {"y": {"shape": [3], "data": [0.0, 2.0, 4.0]}})


@pytest.mark.parametrize("value", [
    1, 1.5, True, None, "text", float("inf"), [1, [2, "x"]], (1, (2,)), {"a": 1, 2: (3,)}, np.float32(2), np.int64(3),
    np.arange(6.0).reshape(2, 3), np.arange(4, dtype=">i2"), np.zeros((0, 3), "c16"), np.ones(3, bool),
    [np.eye(2), (np.eye(1),)]])
def test_values_cross_between_processes_as_they_are(value):
    back = inside.decode(json.loads(json.dumps(inside.encode(value))))
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    assert not isinstance(value, np.ndarray) or (back.dtype, back.flags.writeable) == (value.dtype, True)


@pytest.mark.parametrize("value", [print, object(), np.array([None]), np.array(["x"]), {1}, slice(1), np.dtype("f4")])
def test_nothing_else_crosses(value):
    with pytest.raises(TypeError, match="cannot be handed"):
        inside.encode(value)


@pytest.mark.parametrize("message", [
    {"array": ["O", [1], "AAAAAAAAAAA=", False]}, {"array": ["<f8", [10 ** 9], "", False]},
    {"array": ["f8", [1], "A", False]},
    {"array": ["V8", [1], "AAAAAAAAAAA=", False]}, {"array": 3}, {"a": 1, "b": 2}, {"dict": [[[1], 2]]}, {}])
def test_a_forged_value_is_an_error_and_no_more(message):
    with pytest.raises((ValueError, TypeError)):
        inside.decode(message)


@pytest.mark.parametrize("done", [None, 3, [], {}, {"values": 3, "notes": [], "error": {}, "line": None},
                                  {"error_name": "x" * 9999, "values": {"y": 1}}])
def test_whatever_a_process_says_is_an_outcome(done):
    came = outcome(done, {})
    assert isinstance(came, Outcome)
    assert isinstance(came.values, dict)
    assert len(came.error_name) <= 500


@pytest.mark.parametrize("source, words", [
    ("def double(x): print(2 * x)", NONE), ("def double(x):\n    x *= 3\n    return x", CHANGED),
    ("def double(x):\n    return helper(x)", HELPER),
    ("def double(x):\n    return np.ones((10 ** 6, 10 ** 6))", "too much memory"),
    ("def double(x):\n    return [[1], [2, 3]]", "array of the shape (2, 3)")])
def test_what_students_often_do_is_said_as_that(tiny_exercise, source, words):
    verdict = marking.mark(Judge(tiny_exercise, 3), {"double": Written(source)}, Sandbox("none"), LIMITS)["double"]
    assert verdict.points == 0
    assert words in "; ".join(verdict.messages)
    assert words in "; ".join(verdict.outline)


def test_a_right_answer_that_changes_its_argument_is_flagged_and_counts(tiny_exercise):
    source = "def double(x):\n    x *= 2\n    return x"
    verdict = marking.mark(Judge(tiny_exercise, 3), {"double": Written(source)}, Sandbox("none"), LIMITS)["double"]
    assert (verdict.points, verdict.flags) == (20, [CHANGED])


def test_a_helper_cell_is_used_and_its_errors_are_told(tiny_exercise):
    answer = Written("def double(x):\n    return twice(x)", ["# helper\ndef twice(x):\n    return 2 * x"])
    judge = Judge(tiny_exercise, 3)
    assert marking.mark(judge, {"double": answer}, Sandbox("none"), LIMITS)["double"].points == 20
    answer.helpers = ["# helper\ndef twice(x):\n    return x / 'a'"]
    verdict = marking.mark(judge, {"double": answer}, Sandbox("none"), LIMITS)["double"]
    assert "return x / 'a'` (of a helper cell)" in verdict.messages[0]
    answer.helpers = ["# helper\nimport scipy\ndef twice(x): return x"]
    assert marking.mark(judge, {"double": answer}, Sandbox("none"), LIMITS)["double"].status == "not allowed"


@unix
def test_a_process_killed_from_outside_is_tried_again_and_a_busy_machine_judges_nobody(tiny_exercise, monkeypatch):
    judge, real, ends = Judge(tiny_exercise, 3), marking.make, []

    def killed_once(attempt, *rest):
        ends.append(attempt.name)
        return Outcome(ended="killed") if len(ends) == 1 else real(attempt, *rest)

    monkeypatch.setattr(marking, "make", killed_once)
    assert marking.mark(judge, {"double": Written(RIGHT)}, Sandbox("none"), LIMITS)["double"].points == 20
    assert len(ends) == 3  # the answer, a known solution, the answer again
    monkeypatch.setattr(marking, "make", lambda *_: Outcome(ended="killed"))
    verdict = marking.mark(judge, {"double": Written(RIGHT)}, Sandbox("none"), LIMITS)["double"]
    assert (verdict.status, "a known solution of double fails" in verdict.messages[0]) == ("not graded", True)

    def slow(attempt, *rest):
        if "while" in str(attempt.cells):
            return Outcome(ended="timeout")
        time.sleep(1.6)
        return real(attempt, *rest)

    monkeypatch.setattr(marking, "make", slow)
    verdict = marking.mark(judge, {"double": Written("while True: pass")}, Sandbox("none"), LIMITS)["double"]
    assert (verdict.status, "too busy" in verdict.messages[0]) == ("not graded", True)


def test_a_sandbox_that_does_not_come_up_is_the_grader_s_fault(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false" if sys.platform != "win32" else "where")
    with pytest.raises(NotGraded, match="did not start|could not be started"):
        run(RIGHT)
