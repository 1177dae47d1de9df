"""What is installed by which command: the requirements files, and the package that they install with them."""

import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path.name for path in ROOT.glob("requirements*.txt"))


def requirements(file):
    """The lines of a requirements file and of those that it includes, without comments."""
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        line = line.partition("#")[0].strip()
        if line.startswith("-r "):
            yield from requirements(line.removeprefix("-r "))
        elif line:
            yield line


@pytest.mark.parametrize("file", FILES)
def test_every_file_installs_the_package_itself(file):
    assert "-e ." in requirements(file)


@pytest.mark.parametrize("file", FILES)
def test_every_line_has_a_range_and_a_reason(file):
    for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-r")):
            assert re.match(r"(-e \.|[\w-]+(\[\w+\])?[=<>~]=?[\d.]+[^\s;]*(; [^#]+)?) *(# .+)?$", line), line


def test_the_package_needs_what_requirements_txt_lists(monkeypatch):
    given = {}
    monkeypatch.setitem(sys.modules, "setuptools", SimpleNamespace(setup=given.update))
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    assert given["install_requires"] == [line for line in requirements("requirements.txt") if line != "-e ."]
    assert "numpy>=2.0,<3" in given["install_requires"]


@pytest.mark.parametrize("name", ["lessons/README.md", "README.md"])
def test_whoever_is_told_to_open_a_lesson_is_told_what_brings_jupyterlab(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "requirements-lessons.txt" in text
    assert "in JupyterLab" in text
    assert any(line.startswith("jupyterlab") for line in requirements("requirements-lessons.txt"))
