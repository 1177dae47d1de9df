"""Triangles, fills by mask, and the one of several."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, booleans, check, integers

CASES = [
    *[Case(operation, shape, diagonal=diagonal, numpy=lambda x, diagonal, reference=reference: reference(x, diagonal))
      for operation, reference in [(ops.tril, np.tril), (ops.triu, np.triu)]
      for shape, diagonal in [((3, 3), 0), ((2, 3, 4), 1), ((4, 2), -2)]],
    *[Case(ops.masked_fill, (2, 3, 4), booleans(*mask), value,
           numpy=lambda x, mask, value: np.where(mask, value, x)) for mask, value in [((3, 4), 2.5), ((2, 1, 4), -1)]],
    Case(ops.masked_fill, (3, 4), booleans(3, 4), (4,), numpy=lambda x, mask, value: np.where(mask, value, x),
         torch=lambda torch, x, mask, value: torch.where(mask, value, x)),
    Case(ops.one_hot, integers(5, 2, 3), classes=5, numpy=lambda labels, classes: np.eye(classes)[labels]),
]


def test_op(case, device):
    check(case, device)


def test_a_triangle_hides_what_is_not_finite():
    x = Tensor(np.array([[1.0, np.nan], [2, np.inf]]), requires_grad=True)
    y = ops.masked_fill(x.tril(), [[False, False], [False, True]], 0.0)
    np.testing.assert_array_equal(y.data, [[1, 0], [2, 0]])
    np.testing.assert_array_equal(grad(y.sum(), [x])[0], [[1, 0], [1, 0]])


@pytest.mark.parametrize(("error", "message", "compute"), [
    (TypeError, "masked_fill: mask: expected an array of bool, got int64",
     lambda x: x.masked_fill(np.ones((2, 3), int), 0.0)),
    (ValueError, r"masked_fill: mask \(3, 2, 3\) and value \(\) do not stretch to \(2, 3\)",
     lambda x: x.masked_fill(np.ones((3, 2, 3), bool), 0.0)),
    (ValueError, r"tril: expected matrices \(..., n, m\), got \(3,\)", lambda x: x[0].tril()),
    (ValueError, "one_hot: labels: expected 0 to 2, got 0 to 3", lambda x: ops.one_hot(np.array([0, 3]), 3)),
    (ValueError, "one_hot: labels: expected 0 to 2, got -1 to 1", lambda x: ops.one_hot([-1, 1], 3)),
    (TypeError, "one_hot: labels: expected whole numbers, got dtype float32", lambda x: ops.one_hot([0.0], 3)),
])
def test_wrong_arguments(error, message, compute):
    with pytest.raises(error, match=message):
        compute(Tensor(np.ones((2, 3))))
