"""A submission's answers through nbval: one small notebook, one fresh kernel, for each answer."""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest import mock

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from .show import MIME

GIVEN, ANSWER, CHECK = range(3)  # the cells of such a notebook
COLOUR, ARROW = re.compile(r"\x1b\[[\d;]*m"), re.compile(r"^-+> *\d+ ")  # in IPython's tracebacks


@dataclass
class Outcome:
    """What came out of one answer's kernel: the values shown, the first error, and how the kernel ended, if it did."""

    values: dict = field(default_factory=dict)
    error: str = ""
    error_name: str = ""
    line: str = ""
    ended: str = ""


def notebook(exercise, name, source, seed=None):
    """What an answer builds on (with the reference for earlier answers), the answer, its check with another seed."""
    cells = ["\n\n".join(exercise.before(name)), source, exercise.check(name, seed)]
    return new_notebook(cells=[new_code_cell(cell, id=f"cell-{i}") for i, cell in enumerate(cells)])


class Recorder:
    """A pytest plugin that keeps the outputs of every cell as nbval hands them over."""

    def __init__(self, done):
        self.outcomes, self.done = {}, done

    def pytest_runtest_makereport(self, item, call):
        """Called by pytest after each phase of each cell."""
        outcome = self.outcomes.setdefault(item.path.stem, Outcome())
        kernel = item.parent.kernel
        if kernel is not None and getattr(kernel, "ended", None) not in (None, "stopped"):
            outcome.ended = kernel.ended
        if call.when == "call":
            for output in item.test_outputs or ():
                record(outcome, output, item.cell_num, item.parent.nb.cells[ANSWER].source)
        elif call.when == "setup" and call.excinfo is not None:
            outcome.ended = outcome.ended or "died"
        elif call.when == "teardown" and item.cell_num == CHECK:
            self.done(item.path.stem)


def record(outcome, output, cell, source):
    """Keep what matters of one output, whatever shape a hostile kernel gave it."""
    with contextlib.suppress(AttributeError, TypeError, KeyError, ValueError):
        if output["output_type"] == "error" and not outcome.error_name:
            outcome.error_name, outcome.error = str(output["ename"])[:100], str(output["evalue"])[:500]
            outcome.line = _line(output["traceback"], source)
        elif cell == CHECK and isinstance(output["data"].get(MIME), dict):
            outcome.values.update(output["data"][MIME])


def _line(traceback, source):
    """The last line of the answer that a traceback points at."""
    lines = {line.strip() for line in source.splitlines() if line.strip()}
    found = ""
    for text in COLOUR.sub("", "\n".join(map(str, traceback))).splitlines():
        line = ARROW.sub("", text).strip()
        if line in lines:
            found = line
    return found[:200]


@contextlib.contextmanager
def kernels(sandbox, limits):
    """A function from a folder to the next kernel: a fork of a warm one on Linux, a process of its own elsewhere."""
    from .kernel import LocalKernel, SandboxedKernel
    from .server import Server
    if sys.platform == "linux":
        with Server(sandbox, limits) as server:
            yield lambda folder: SandboxedKernel(server)
    else:
        library = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        with mock.patch.dict(os.environ, PYTHONPATH=library):
            yield lambda folder: LocalKernel(limits, folder)


def run(notebooks, sandbox, limits, done=lambda name: None):
    """{name: Outcome} of notebooks {name: notebook}; `done(name)` is called after each."""
    import nbval.plugin
    import pytest
    recorder = Recorder(done)
    with tempfile.TemporaryDirectory(prefix="mv-") as folder, kernels(sandbox, limits) as kernel:
        (Path(folder) / "pytest.ini").touch()
        paths = []
        for name, content in notebooks.items():
            paths.append(Path(folder) / f"{name}.ipynb")
            nbformat.write(content, paths[-1])
        options = ["--nbval", "-p", "no:cacheprovider", "-c", str(Path(folder) / "pytest.ini"), "--rootdir", folder,
                   "-q", "--nbval-cell-timeout", str(limits.wall_time), *map(str, paths)]
        with (mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
              mock.patch("nbval.plugin.RunningKernel", side_effect=lambda *_, cwd, **__: kernel(cwd)),
              contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())):
            pytest.main(options, plugins=[nbval.plugin, recorder])
    return {name: recorder.outcomes.get(name, Outcome(ended="died")) for name in notebooks}


def to_json(outcomes):
    """Outcomes as text: what crosses from the process that met the submission to the one that judges."""
    return json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()})


def from_json(text):
    """The way back."""
    return {name: Outcome(**fields) for name, fields in json.loads(text).items()}
