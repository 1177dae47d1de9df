"""A file imports only from the floors below its own, or from its own folder (DESIGN: the house, floor by floor)."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minivit"
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
FLOORS = {name: int(floor) for floor, told in re.findall(r"^\| (\d+) \| (`.*) \|$", README, flags=re.MULTILINE)
          for name in re.findall(r"`(\w+)`", told)} | {"__init__": 13}
FILES = sorted(PACKAGE.rglob("*.py"))


def imported(path):
    """(line, first part below minivit) of every import of this package in a file."""
    parts = path.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            inside = list(parts[:len(parts) - node.level]) + (node.module or "").split(".")
            names = [part for part in inside if part]
            yield from ((node.lineno, name) for name in (names[:1] or [alias.name for alias in node.names]))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minivit":
            rest = node.module.split(".")[1:]
            yield from ((node.lineno, name) for name in (rest[:1] or [alias.name for alias in node.names]))
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, (alias.name.split(".") + ["__init__"])[1]) for alias in node.names
                        if alias.name.split(".")[0] == "minivit")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_from_below(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for line, other in imported(path):
        if other in FLOORS and other != own:
            assert FLOORS[other] < FLOORS[own], f"{path.name}:{line}: {own} (floor {FLOORS[own]}) imports {other}"


def test_every_part_of_the_package_has_a_floor():
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} <= FLOORS.keys()


@pytest.mark.parametrize("library", ["matplotlib", "cupy", "IPython", "PIL", "tqdm", "numba"])
def test_heavy_libraries_are_imported_only_where_they_are_used(library):
    """At the top of no file that `import minivit` runs: pictures, notebooks and GPUs are loaded when asked for."""
    always = ["__init__.py", "backend.py", "engine.py", "gradcheck.py", *(
        str(path.relative_to(PACKAGE)) for path in FILES if path.parts[-2] in ("ops", "nn", "models"))]
    for name in always:
        for node in ast.parse((PACKAGE / name).read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(n.split(".")[0] != library for n in names), f"{name} imports {library}"
