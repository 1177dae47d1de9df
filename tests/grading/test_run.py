"""One answer, one kernel: what comes out of it, and how soon its end is noticed. The code is ours: no sandbox."""

import sys
from pathlib import Path
from queue import Empty
from types import SimpleNamespace

import nbformat
import pytest

from minivit.grading import kernel, pool, run
from minivit.grading.sandbox import Limits, Sandbox
from minivit.grading.server import Ended

SOURCES = {
    "right": "def double(x):\n    return 2 * x",
    "noisy": "import sys\nprint('debug')\nprint('noise', file=sys.stderr)\ndef double(x):\n    return x + x",
    "wrong name": "def double(x):\n    y = helper(x)\n    return y",
    "exits": "def double(x):\n    import os\n    os._exit(0)",
    "endless": "def double(x):\n    while True: pass",
    "loud": "def double(x):\n    [print('x' * 100_000, flush=True) for _ in range(30)]",
    "after": "def double(x):\n    return 2.0 * x",
}
ENDED = {"exits": "died", "endless": "timeout", "loud": "output"}


@pytest.fixture
def notebooks(tiny_exercise):
    """The notebooks of SOURCES."""
    return {name: run.notebook(tiny_exercise, "double", source) for name, source in SOURCES.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")
def test_what_comes_out_of_a_kernel(notebooks):
    done = []
    outcomes = run.run(notebooks, Sandbox(None), Limits(cell_time=1.0), done.append)
    assert done == list(SOURCES)
    check_outcomes(outcomes)
    assert run.from_json(run.to_json(outcomes)) == outcomes


def test_a_kernel_that_dies_in_a_long_cell_is_noticed_after_the_next_short_wait():
    waits, lives = [], iter([True, True, True, False])

    class Kernel(kernel.WatchedKernel):
        """One that never says anything, and is dead when looked at for the fourth time."""

        def __init__(self):
            self.limits, self.kc = Limits(), SimpleNamespace(get_iopub_msg=self.wait)

        def wait(self, timeout):
            """A channel on which nothing comes."""
            waits.append(timeout)
            raise Empty

        def look(self):
            """What the real ones ask of the process or of the fork server."""
            if not next(lives):
                raise Ended("died")

        def kill(self):
            """There is nothing to kill."""

    silent = Kernel()
    with pytest.raises(Ended, match="died"):
        silent.get_message("iopub", timeout=30)
    assert (len(waits), silent.ended) == (4, "died")
    assert max(waits) <= 0.2


def test_elsewhere_every_answer_has_a_process_of_its_own(notebooks, monkeypatch):
    monkeypatch.setattr(run.sys, "platform", "another")
    chosen = {name: notebooks[name] for name in ("right", "wrong name", "exits", "after")}
    check_outcomes(run.run(chosen, Sandbox(None), Limits()))


def check_outcomes(outcomes):
    assert {name: outcome.ended for name, outcome in outcomes.items() if outcome.ended} == \
        {name: reason for name, reason in ENDED.items() if name in outcomes}
    assert outcomes["right"].values["y"]["shape"] == [2, 3]
    assert all(outcomes[name].values == outcomes["right"].values for name in ("noisy", "after") if name in outcomes)
    error = outcomes["wrong name"]
    assert (error.error_name, error.error) == ("NameError", "name 'helper' is not defined")
    assert error.line == "y = helper(x)"


@pytest.mark.parametrize("output", [None, {}, {"output_type": "error"}, {"output_type": "display_data", "data": None},
                                    {"output_type": "display_data", "data": {run.MIME: [1]}}])
def test_an_output_without_meaning_is_left_out(output):
    outcome = run.Outcome()
    run.record(outcome, output, run.CHECK, "")
    assert outcome.values == {}


class Connection:
    """A stand-in for a pipe's end."""

    def send_bytes(self, content):
        """Keep what is sent."""
        self.content = content


def test_a_worker_sends_what_its_notebooks_gave(monkeypatch, tmp_path):
    monkeypatch.setattr(pool, "run", lambda notebooks, *_: {name: run.Outcome(error="e") for name in notebooks})
    monkeypatch.setattr(pool.tempfile, "tempdir", None)
    connection = Connection()
    pool.work(connection, {"a": None}, Sandbox(None), Limits(), str(tmp_path))
    assert run.from_json(connection.content) == {"a": run.Outcome(error="e")}
    assert Path(pool.tempfile.tempdir) == tmp_path


def test_a_worker_that_breaks_costs_its_own_submission_only(tiny_exercise):
    tasks = {"broken": {"double": nbformat.v4.new_notebook()}, "unreadable": {"double": None},
             "whole": {"double": run.notebook(tiny_exercise, "double", SOURCES["right"])}}
    outcomes = dict(pool.run_all(tasks, Sandbox(None), Limits(), jobs=2))
    assert {key: answers["double"].ended for key, answers in outcomes.items()} == \
        {"broken": "died", "unreadable": "died", "whole": ""}
