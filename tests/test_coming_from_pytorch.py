"""The page for users of PyTorch: its code runs, its right columns are what there is, and what it claims is so."""

import re
from pathlib import Path

import numpy as np
import pytest

import minivit
import minivit.counting
from minivit import Tensor

PAGE = (Path(__file__).parents[1] / "docs" / "coming_from_pytorch.md").read_text(encoding="utf-8")
CELLS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
RIGHT = [row.split(" | ")[1].rstrip(" |") for row in re.findall(r"^\| .* \|$", PAGE, flags=re.MULTILINE)
         if not row.startswith("| PyTorch |")]
EXPRESSIONS = sorted({code for cell in RIGHT for code in re.findall(r"`([^`]+)`", cell) if not code.startswith('"')
                      and not re.fullmatch(r'\w+=("\w+"|\d)|requirements-gpu\.txt', code)})


@pytest.fixture(scope="module")
def names():
    """What the page's cells define, from the first to the last."""
    names = {"minivit": minivit}
    for cell in CELLS:
        exec(compile(cell, "coming_from_pytorch.md", "exec"), names)
    return names


def test_there_is_something_to_test():
    assert len(CELLS) == 7
    assert len(RIGHT) > 50
    assert len(EXPRESSIONS) > 80


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_right_columns_can_be_written(expression, names):
    eval(expression, dict(names))


def test_the_transposed_convolution_is_pytorchs(names, rng):
    torch = pytest.importorskip("torch")
    x, w = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((3, 2, 3, 6))
    for stride in (1, 2, 3):
        ours = names["conv_transpose2d"](Tensor(x), Tensor(w), stride)
        theirs = torch.nn.functional.conv_transpose2d(
            torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(w).permute(0, 3, 1, 2), stride=stride)
        np.testing.assert_allclose(ours.numpy(), theirs.permute(0, 2, 3, 1).numpy(), atol=1e-12)


def test_the_other_cells_do_what_the_page_says(names):
    assert names["enlarged"].shape == (2, 16, 16, 6)
    assert names["losses"].shape == (2, 5)
    assert 0 < names["focal"].item() < names["losses"].numpy().mean()
    assert {name for name, _ in names["outputs"]} >= {"Attention", "Mlp", "LayerNorm"}
    np.testing.assert_allclose(names["product"], 6 * names["point"] * names["direction"], rtol=1e-5, atol=1e-6)
    dropped = names["dropped"].numpy().reshape(2, 64, 4)
    assert ((dropped == 0).all(1) | (dropped != 0).all(1)).all()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_links_lead_to_files(link):
    assert (Path(__file__).parents[1] / "docs" / link).exists()
