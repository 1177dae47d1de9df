"""Code in narrow lines is the same program."""

import ast
import json
import re

import pytest

from minivit.lessons.course import FOLDER
from minivit.lessons.break_lines import WIDTH, break_lines


def meaning(source):
    """The program, without its comments and with docstrings in one line."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = re.sub(r"\s+", " ", node.value)
    return ast.dump(tree)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_lessons_mean_the_same_in_narrow_lines(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            assert meaning(break_lines(source)) == meaning(source)
            assert max(map(len, break_lines(source).splitlines())) <= 120


def test_lines_break_where_the_fewest_brackets_are_open():
    line = f"answer = first({'a, ' * 12}{'b, ' * 8}c) + [second(d, e) for d, e in pairs]"
    assert break_lines(f"({line})").splitlines()[1].strip().startswith("+ [second")
    assert break_lines("short(1, 2)  # fine") == "short(1, 2)  # fine"


def test_comments_and_shapes_move_to_a_line_of_their_own():
    code, comment = f"x = {'y' * 60}", "# (B, H, W, C) -> (B, N, C)"
    assert break_lines(f"    {code}  {comment}").splitlines() == [f"    {comment}", f"    {code}"]
    docstring = f'    """{"word " * 12}    (B, H, W, C) -> (B, N, C)"""'
    assert break_lines(f"def f():\n{docstring}").splitlines()[2] == '    (B, H, W, C) -> (B, N, C)"""'


def test_strings_break_at_spaces_outside_of_braces():
    text = f'print(f"{"word " * 10}{{a + b:.3f}} {"word " * 10}")'
    first, second = break_lines(text).splitlines()
    assert len(first) <= WIDTH
    assert second.startswith('        f"')
    assert meaning(f"{first}\n{second}") == meaning(text)
