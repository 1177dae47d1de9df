"""Elements in order, and the largest few."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check, distinct


def values_of_topk(x, k, axis=-1):
    """The first of its two results."""
    return ops.topk(x, k, axis)[0]


CASES = [
    *[Case(operation, distinct(3, 4), axis=axis, numpy=reference)
      for operation, reference in [(ops.sort, np.sort), (ops.argsort, np.argsort)] for axis in (0, -1)],
    Case(ops.sort, distinct(2, 3, 4), axis=1, torch=lambda torch, x: x.sort(1).values),
    Case(values_of_topk, distinct(2, 5), k=3, axis=1, torch=lambda torch, x: x.topk(3, 1).values),
    Case(values_of_topk, distinct(5, 2), k=2, axis=0, torch=lambda torch, x: x.topk(2, 0).values),
]


def test_op(case, device):
    check(case, device)


def test_topk_tells_where_the_largest_are():
    x = Tensor(np.array([[3.0, 1, 2], [0, np.nan, 5]]), requires_grad=True)
    values, positions = x.topk(2)
    np.testing.assert_array_equal(values.data, [[3, 2], [np.nan, 5]])
    np.testing.assert_array_equal(positions.data, [[0, 2], [1, 2]])
    np.testing.assert_array_equal(grad(values.sum(), [x])[0], [[1, 0, 1], [0, 1, 1]])
    assert ops.topk([1.0, 2.0], 0)[0].shape == (0,)
    with pytest.raises(ValueError, match=r"topk: k: expected 0 to 3, the length of axis 1 of \(2, 3\), got 4"):
        x.topk(4)
