"""Einsum against NumPy's and PyTorch's, operand by operand."""

import importlib

import numpy as np
import pytest

from minivit import Tensor, ops
from tests.ops.cases import Case, check

CASES = [Case(ops.einsum, subscripts, *shapes, numpy=lambda s, *x: np.einsum(s.replace(" ", ""), *x),
              torch=lambda torch, s, *x: torch.einsum(s, *x)) for subscripts, *shapes in [
    ("ij->ij", (3, 4)), ("ij->ji", (3, 4)), ("ij->j", (3, 4)), ("ij->", (3, 4)), ("ij", (3, 4)), ("ba", (3, 4)),
    ("ii->i", (3, 3)), ("ii->", (3, 3)), ("iij->j", (3, 3, 2)), ("b h w c -> b c h w", (1, 2, 3, 4)),
    ("i,i->", (3,), (3,)), ("i,j->ij", (3,), (4,)), ("i,j->", (3,), (4,)), ("ij,ij->ij", (3, 4), (3, 4)),
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk", (3, 4), (4, 5)), ("ij,kj->ik", (3, 4), (5, 4)),
    ("bid,bjd->bij", (2, 3, 4), (2, 5, 4)), ("bihd,bjhd->bhij", (2, 3, 2, 4), (2, 5, 2, 4)),
    ("bhij,bjhd->bihd", (2, 2, 3, 5), (2, 5, 2, 4)), ("bi,bj->b", (2, 3), (2, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), ("bhqd,bhkd,bhk->bhq", (2, 1, 4, 3), (2, 1, 5, 3), (2, 1, 5)),
    ("iij,jkk->ik", (3, 3, 4), (4, 2, 2)), (",ij->ij", (), (3, 4)), ("ij,,j->i", (3, 4), (), (4,)),
    ("...->...", (2, 3)), ("...d->...", (2, 3, 4)), ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    ("...i,i...->...", (2, 3), (3, 2)), ("...id,...jd", (2, 3, 4), (2, 5, 4)),
    ("...i,...i,i->...", (4, 3), (1, 3), (3,)), ("ij,ij->i", (3, 4), (1, 4)), ("ij,jk->ik", (3, 1), (4, 5)),
]]


def test_op(case, device):
    check(case, device)


@pytest.mark.parametrize(("subscripts", "shapes", "message"), [
    ("ij,jk->ik", [(3, 4)], "names 2 operands, got 1"),
    ("ij->i", [(3, 4, 5)], r"'ij' in 'ij->i' does not name the axes of shape \(3, 4, 5\)"),
    ("ij...->i...", [(3,)], "does not name the axes"),
    ("ij,jk->ik", [(3, 4), (5, 6)], r"'j' in 'ij,jk->ik' is both 4 and 5, in \(3, 4\), \(5, 6\)"),
    ("ij->ik", [(3, 4)], "each letter on the right"),
    ("ij->ii", [(3, 4)], "each letter on the right"),
    ("...i->i", [(3, 4)], "right"),
])
def test_wrong_subscripts(subscripts, shapes, message):
    with pytest.raises(ValueError, match=message):
        ops.einsum(subscripts, *(Tensor(np.ones(shape)) for shape in shapes))


def test_products_are_matrix_products(monkeypatch):
    """np.einsum by itself loops over every index; a batch of matrices has to be as fast as matmul."""
    calls = []

    def counted(x, y):
        calls.append((x.shape, y.shape))
        return x @ y
    monkeypatch.setattr(importlib.import_module("minivit.ops.einsum"), "multiply", counted)
    q = Tensor(np.ones((2, 5, 3, 4)))
    ops.einsum("b i h d, b j h d -> b h i j", q, q)
    assert calls == [((2, 3, 5, 4), (2, 3, 4, 5))]
