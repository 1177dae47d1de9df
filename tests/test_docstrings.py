"""Every public name has a docstring; those of operations, layers and models give shapes."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minivit"
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def undocumented(tree, prefix=""):
    """Names of public functions, classes and methods without a docstring."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            setter = any(getattr(decorator, "attr", "") == "setter" for decorator in node.decorator_list)
            if not ast.get_docstring(node) and not setter:
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_names_are_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, "the file says nothing about its subject"
    assert list(undocumented(tree)) == []


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name in ("nn", "models", "tasks")],
                         ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers_and_models_give_shapes(path):
    """The docstring of a class with `forward`, or of `forward` itself, says what goes in and what comes out."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "forward":
                    text = (ast.get_docstring(node) or "") + (ast.get_docstring(method) or "")
                    assert "->" in text or "order" in text or "shape" in text, f"{node.name}.forward: no shapes"
