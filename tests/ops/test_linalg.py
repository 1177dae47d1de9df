"""Matrix products: every combination of dimensions that NumPy allows, and linear's single product."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check

CASES = [
    *[Case(ops.matmul, *shapes, numpy=np.matmul, torch=lambda torch, x, y: x @ y) for shapes in [
        [(3, 4), (4, 5)], [(4,), (4,)], [(4,), (4, 5)], [(3, 4), (4,)], [(2, 3, 4), (4,)], [(4,), (2, 4, 5)],
        [(2, 3, 4), (4, 5)], [(3, 4), (2, 4, 5)], [(2, 3, 4), (2, 4, 5)], [(2, 1, 3, 4), (3, 4, 2)],
        [(1, 3, 4), (5, 4, 2)], [(0, 3, 4), (4, 5)]]],
    *[Case(ops.linear, *shapes, numpy=lambda x, w, b=0: x @ w + b,
           torch=lambda torch, x, w, b=None: torch.nn.functional.linear(x, w.T, b)) for shapes in [
        [(3, 4), (4, 5), (5,)], [(2, 3, 4), (4, 5), (5,)], [(2, 3, 2, 4), (4, 5), (5,)], [(3, 4), (4, 5)],
        [(4,), (4, 5), (5,)], [(0, 4), (4, 5), (5,)]]],
]


def test_op(case, device):
    check(case, device)


@pytest.mark.parametrize(("operation", "shapes", "message"), [
    (ops.matmul, [(8, 64, 192), (128, 64)], r"^matmul: \(8, 64, 192\) @ \(128, 64\): inner sizes 192 and 128 differ$"),
    (ops.matmul, [(3,), (4,)], r"matmul: \(3,\) @ \(4,\): inner sizes 3 and 4 differ"),
    (ops.matmul, [(2, 3, 4), (3, 4, 5)], r"matmul: .*\(2, 3, 4\), \(3, 4, 5\)"),
    (ops.matmul, [(3, 4), ()], r"matmul: \(3, 4\) @ \(\): expected at least one axis"),
    (ops.linear, [(8, 192), (128, 64)], r"linear: \(8, 192\) @ \(128, 64\): inner sizes 192 and 128 differ"),
    (ops.linear, [(8, 4), (2, 4, 3)], r"linear: expected weights \(n, m\) and a bias \(m,\), got \(2, 4, 3\) and None"),
    (ops.linear, [(8, 4), (4, 3), (4,)], r"got \(4, 3\) and \(4,\)"),
])
def test_wrong_shapes(operation, shapes, message):
    with pytest.raises(ValueError, match=message):
        operation(*(Tensor(np.ones(shape)) for shape in shapes))


def test_a_number_is_no_matrix():
    with pytest.raises(ValueError, match=r"matmul: \(3, 4\) @ \(\)"):
        Tensor(np.ones((3, 4))) @ 2


def test_linear_is_matmul_and_add():
    rng = np.random.default_rng(0)
    x, w, b = leaves = [Tensor(rng.standard_normal(shape), requires_grad=True) for shape in [(2, 3, 4), (4, 5), (5,)]]
    dy = rng.standard_normal((2, 3, 5))
    fused, composed = (grad((y * dy).sum(), leaves) for y in (ops.linear(x, w, b), x @ w + b))
    for ours, reference in zip(fused, composed, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=1e-13)
