"""A bar goes to stderr, but in a notebook to stdout: there, stderr is shown on red."""

import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from minivit.bars import bar, in_notebook
from minivit.lessons.execute import kernel_environment

CELL = """
from minivit.bars import bar
from minivit.train.progress import progress_bar
for progress in (bar(total=3, desc="plain"), progress_bar(3, "pictures")):
    with progress:
        progress.update(3)
"""


def test_in_a_terminal(capsys):
    with bar(total=3, desc="plain") as progress:
        progress.update(3)
    said = capsys.readouterr()
    assert "plain: 100%" in said.err
    assert said.out == ""


@pytest.mark.parametrize(("shell", "expected"), [(None, False), (SimpleNamespace(), False),
                                                 (SimpleNamespace(kernel=1), True)])
def test_ipython_in_a_terminal_is_no_notebook(monkeypatch, shell, expected):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is expected


def test_in_a_notebook():
    notebook = new_notebook(cells=[new_code_cell(CELL)])
    NotebookClient(notebook, timeout=120, coalesce_streams=True).execute(env=kernel_environment())
    output, = notebook.cells[0].outputs
    assert output.name == "stdout"
    assert "plain: 100%" in output.text
    assert "pictures: 100%" in output.text
    nbformat.validate(notebook)
