"""The outputs that a notebook stores: nbval runs it again, and says which of them it does not give any more."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

SECONDS = 120


def stale_cells(path):
    """The code cells, counted from 1, whose stored outputs are not what they give now.

    RuntimeError if it stores none, or nbval fails. The last cell, which calls `check`, is left out.
    """
    notebook = nbformat.read(path, as_version=4)
    if not any(cell.get("outputs") for cell in notebook.cells):
        raise RuntimeError("your saved notebook shows no outputs: run all cells, save, then hand in")
    notebook.cells = [cell for cell in notebook.cells if not re.fullmatch(r"check-\d\d", cell.get("id", ""))]
    with tempfile.TemporaryDirectory(prefix="minivit-", ignore_cleanup_errors=True) as folder:
        copy, empty = Path(folder) / "notebook.ipynb", Path(folder) / "pytest.ini"
        nbformat.write(notebook, copy)
        empty.write_text("[pytest]\n")
        library = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-c", str(empty), "--rootdir", folder,
                   "-p", "no:cacheprovider", "--nbval-cell-timeout", "30", str(copy)]
        try:
            process = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": library}, text=True,
                                     capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"nbval did not come to an end within {SECONDS} s") from None
    if process.returncode not in (0, 1):
        raise RuntimeError(f"nbval could not run the notebook: {process.stdout[-300:]}{process.stderr[-300:]}")
    return sorted({int(number) + 1 for number in re.findall(r"^FAILED .*::Cell (\d+)", process.stdout, re.MULTILINE)})
