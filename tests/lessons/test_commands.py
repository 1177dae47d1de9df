"""python -m minivit lesson: which notebook is meant, what a run leaves in it, what is said when something is wrong."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minivit.__main__ import main
from minivit.lessons import SMOKE_RUN, course, execute
from minivit.lessons.course import locate

ROOT = Path(__file__).parents[2]
PROGRESS = """
import sys
for n in range(3):
    print(f"bar {n}", end="\\r", file=sys.stderr, flush=True)
print("bar done", file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A course of which two lessons are written."""
    cells = [new_markdown_cell("# Try", metadata={"user": "me"}), new_code_cell("import minivit\nprint(6 * 7)"),
             new_code_cell(PROGRESS, metadata={"tags": ["nbval-ignore-output"], "ExecuteTime": {"start": "now"}})]
    for name in ("00_start_here", "06_vit"):
        notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "my-own", "display_name": "Mine"}})
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(course, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["6", "06", "06_vit", "vit", "06_vit.ipynb"])
def test_ways_to_name_a_lesson(folder, name):
    assert locate(name) == folder / "06_vit.ipynb"


def test_a_notebook_elsewhere_is_meant_by_its_path(folder):
    assert locate(str(folder / "00_start_here.ipynb")) == folder / "00_start_here.ipynb"
    assert locate("0") == folder / "00_start_here.ipynb"


@pytest.mark.parametrize(("name", "answer"), [
    ("1", "lesson 01 (autograd) is planned, not written yet; there are 00 start_here, 06 vit"),
    ("99", "lesson: '99' does not exist; there are 00 start_here, 06 vit"),
])
def test_a_lesson_that_is_not_there(folder, capsys, name, answer):
    assert main(["lesson", name]) == 2
    assert answer in capsys.readouterr().err


def test_run_stores_outputs_and_nothing_of_the_machine(folder, capsys):
    out = folder / "out.ipynb"
    assert main(["lesson", "6", "--run", "--out", str(out)]) == 0
    assert "1/2  import minivit" in capsys.readouterr().out
    notebook = nbformat.read(out, as_version=4)
    assert [cell.id for cell in notebook.cells] == ["06-00", "06-01", "06-02"]
    assert [cell.metadata for cell in notebook.cells] == [{}, {}, {"tags": ["nbval-ignore-output"]}]
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2]
    assert notebook.cells[1].outputs[0].text == "42\n"
    assert notebook.cells[2].outputs[0].text == "bar done\n"
    assert notebook.metadata.kernelspec.name == "python3"
    assert main(["lesson", "6", "--run"]) == 0
    assert (folder / "06_vit.ipynb").read_text() == out.read_text()


def test_a_cell_that_fails_is_shown_and_nothing_is_written(folder, capsys):
    path = folder / "06_vit.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].source = "print('before')\n1 / 0"
    nbformat.write(notebook, path)
    before = path.read_text()
    assert main(["lesson", "6", "--run"]) == 1
    said = capsys.readouterr().err
    assert "cell 2 of 2 fails" in said
    assert "ZeroDivisionError" in said
    assert "\x1b" not in said
    assert path.read_text() == before


def test_what_to_install(folder, capsys, monkeypatch):
    import importlib.util
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["lesson", "6"]) == 2
    remedy = "python -m pip install -r requirements-lessons.txt"
    assert f"opening a lesson needs jupyterlab: {remedy}" in capsys.readouterr().err
    assert main(["slides", "6"]) == 2
    assert f"writing slides needs nbconvert: {remedy}" in capsys.readouterr().err


def test_jupyterlab_is_started_at_the_lesson(folder, monkeypatch):
    import importlib.util
    import subprocess
    started = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)

    def run(command, **how):
        started.append((command, how))
        return subprocess.CompletedProcess(command, 0)
    monkeypatch.setattr(subprocess, "run", run)
    assert main(["lesson", "6"]) == 0
    (command, how), = started
    assert command == [sys.executable, "-m", "jupyterlab", str(folder / "06_vit.ipynb")]
    assert how["cwd"] == folder.parent
    assert str(ROOT) in how["env"]["PYTHONPATH"]


@pytest.fixture
def smoke(folder, tmp_path, monkeypatch):
    """The environment of a smoke run, in a working directory of its own."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("MINIVIT_BUDGET", "smoke")
    monkeypatch.setattr(execute, "COURSE", [SimpleNamespace(path=folder / "00_start_here.ipynb"),
                                            SimpleNamespace(path=folder / "06_vit.ipynb")])
    path = folder / "06_vit.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = "from minivit.lessons import budget\nprint(budget('full', smoke='seconds'))"
    nbformat.write(notebook, path)
    return path


def test_a_smoke_run_is_written_beside_and_says_what_it_is(smoke, capsys):
    before = smoke.read_bytes()
    assert main(["lesson", "6", "--run"]) == 0
    assert smoke.read_bytes() == before
    said = capsys.readouterr().out
    assert said.startswith(SMOKE_RUN)
    assert "written: 06_vit.smoke.ipynb" in said
    notebook = nbformat.read("06_vit.smoke.ipynb", as_version=4)
    assert notebook.cells[1].outputs[0].text == f"{SMOKE_RUN}\nseconds\n"


@pytest.mark.parametrize("out", ["../06_vit.ipynb", "../00_start_here.ipynb", "../elsewhere/../06_vit.ipynb",
                                 "link.ipynb"])
def test_a_smoke_run_replaces_no_lesson(smoke, capsys, out):
    if out == "link.ipynb":
        if os.name == "nt":
            pytest.skip("links need rights that a user of Windows may lack")
        Path(out).symlink_to(smoke)
    before = smoke.read_bytes()
    assert main(["lesson", "6", "--run", "--out", out]) == 2
    assert f"{out}: a smoke run does not replace a lesson" in capsys.readouterr().err
    assert smoke.read_bytes() == before
    with pytest.raises(ValueError, match="a smoke run does not replace a lesson"):
        execute.execute(smoke, smoke)


def test_a_full_run_says_nothing_of_smoke(smoke, capsys, monkeypatch):
    monkeypatch.delenv("MINIVIT_BUDGET")
    assert main(["lesson", "6", "--run"]) == 0
    assert nbformat.read(smoke, as_version=4).cells[1].outputs[0].text == "full\n"
    assert SMOKE_RUN not in capsys.readouterr().out


def test_out_needs_run(folder, capsys):
    assert main(["lesson", "6", "--out", "x.ipynb"]) == 2
    assert "--out belongs to --run" in capsys.readouterr().err


def test_the_map_has_every_number_once():
    assert [lesson.number for lesson in course.COURSE] == [f"{number:02}" for number in range(49)]
    assert len({lesson.name for lesson in course.COURSE}) == 49
    assert course.REPOSITORY == "" or course.REPOSITORY.count("/") == 1
