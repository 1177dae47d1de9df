"""Running a lesson from its first cell to its last, so that its file has the outputs that a reader sees."""

import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ..files import write_atomically
from .course import COURSE
from .training import budget

ROOT = Path(__file__).parents[2]
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def execute(path, out=None, say=print):
    """Run the notebook `path` in a fresh kernel, and write it, with its outputs, to `out`, or back.

    Nothing is written if a cell fails. A smoke run (MINIVIT_BUDGET=smoke) is never written back: see `destination`.

    Parameters
    ----------
    path : Path
    out : Path, optional
    say : callable
        say(text, end=...), as print: a line for each cell, when it starts and when it ends.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    ValueError
        If a smoke run is to be written where it is read.
    RuntimeError
        If a cell fails, with its number, its code and the traceback.
    """
    out = destination(path, out)
    notebook = nbformat.read(path, as_version=4)
    trim(notebook, Path(path).stem.partition("_")[0])
    codes = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    begun, started = time.perf_counter(), {}

    def announce(cell, cell_index):
        started[cell_index] = time.perf_counter()
        first = cell.source.strip().partition("\n")[0]
        say(f"{codes.index(cell_index) + 1:>3}/{len(codes)}  {first[:70]:<70}", end="", flush=True)

    def conclude(cell, cell_index, execute_reply):
        say(f"  {time.perf_counter() - started[cell_index]:6.1f} s", flush=True)

    client = NotebookClient(notebook, timeout=None, kernel_name=KERNEL["name"], coalesce_streams=True,
                            record_timing=False, resources={"metadata": {"path": str(Path(path).parent)}},
                            extra_arguments=["--log-level=40", "--InteractiveShell.colors=nocolor"],
                            on_cell_execute=announce, on_cell_executed=conclude)
    try:
        client.execute(env=kernel_environment())
    except CellExecutionError as error:
        raise RuntimeError(f"{path}: cell {codes.index(max(started)) + 1} of {len(codes)} fails\n{error}") from None
    for count, index in enumerate(codes, 1):
        notebook.cells[index].execution_count = count
        for output in notebook.cells[index].outputs:
            if "execution_count" in output:
                output.execution_count = count
    notebook.metadata["language_info"] = {"name": "python"}
    write(notebook, out)
    return time.perf_counter() - begun


def destination(path, out=None):
    """Where a run of the notebook `path` is written: to `out`; without it back to `path`.

    A smoke run has the numbers of a few seconds of training. Without `out` it is written to NAME.smoke.ipynb in the
    working directory; an `out` that is the lesson itself, or another of the course, is refused.
    """
    if not budget(False, smoke=True):
        return Path(out or path)
    out = Path(out or f"{Path(path).stem}.smoke.ipynb")
    if out.resolve() == Path(path).resolve() or any(out.resolve() == lesson.path.resolve() for lesson in COURSE):
        raise ValueError(f"{out}: a smoke run does not replace a lesson; write it elsewhere, or run it without "
                         "MINIVIT_BUDGET=smoke")
    return out


def kernel_environment():
    """The environment of a kernel that finds minivit, installed or not, and shows figures in the notebook."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return environment


def trim(notebook, number):
    """Keep of the metadata only what readers and tests need; number the cells, so that their names do not change."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{number}-{index:02}"
        cell["metadata"] = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in ("tags", "slideshow")})
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def write(notebook, path):
    """Write a notebook, whole or not at all."""
    nbformat.validate(notebook)
    write_atomically(path, nbformat.writes(notebook) + "\n")
