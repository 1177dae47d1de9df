"""Reductions over one axis, several, all."""

import numpy as np
import pytest
from scipy import special

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, booleans, check, distinct

AXES = [None, 0, -1, (0, 2), (1, -1)]
CASES = [
    *[Case(operation, distinct(2, 3, 4), axis=axis, keepdims=keepdims, numpy=reference)
      for operation, reference in [(ops.sum, np.sum), (ops.mean, np.mean), (ops.var, np.var), (ops.max, np.max),
                                   (ops.min, np.min), (ops.logsumexp, special.logsumexp), (ops.std, np.std),
                                   (ops.prod, np.prod), (ops.norm, lambda x, axis, keepdims: np.sqrt(
                                       (x * x).sum(axis, keepdims=keepdims)))]
      for axis in AXES for keepdims in (False, True)],
    *[Case(operation, distinct(), numpy=reference) for operation, reference in [
        (ops.sum, np.sum), (ops.mean, np.mean), (ops.max, np.max), (ops.logsumexp, special.logsumexp)]],
    Case(ops.var, (3, 4), axis=1, ddof=1, numpy=np.var),
    Case(ops.std, (3, 4), axis=1, ddof=1, numpy=np.std, torch=lambda torch, x: x.std(1)),
    Case(ops.norm, (3, 4), axis=1, numpy=np.linalg.norm, torch=lambda torch, x: torch.linalg.vector_norm(x, dim=1)),
    Case(ops.prod, (3, 4, 2), axis=1, numpy=np.prod, torch=lambda torch, x: x.prod(1)),
    *[Case(operation, distinct(2, 3, 4), axis=[0, -1],
           numpy=lambda x, axis, reference=reference: reference(x, tuple(axis)))
      for operation, reference in [(ops.sum, np.sum), (ops.max, np.max), (ops.std, np.std)]],
    *[Case(ops.cumsum, (2, 3, 4), axis=axis, numpy=np.cumsum) for axis in (None, 0, -1)],
    Case(ops.cumsum, (3, 4), axis=1, torch=lambda torch, x: x.cumsum(1)),
    *[Case(operation, distinct(3, 4), axis=axis, numpy=reference)
      for operation, reference in [(ops.argmax, np.argmax), (ops.argmin, np.argmin)]
      for axis in (0, -1)],
    Case(ops.argmax, distinct(3, 4), numpy=np.argmax),
    *[Case(operation, booleans(3, 4), axis=axis, numpy=reference)
      for operation, reference in [(ops.any, np.any), (ops.all, np.all), (ops.sum, np.sum)] for axis in (None, 0)],
]


def test_op(case, device):
    check(case, device)


@pytest.mark.parametrize(("operation", "sign"), [(ops.max, 1), (ops.min, -1)])
def test_equal_extremes_share_the_gradient(operation, sign):
    x = Tensor(sign * np.array([[1.0, 3, 3, 2], [5, 1, 1, 1]]), requires_grad=True)
    np.testing.assert_array_equal(grad(operation(x, axis=1).sum(), [x])[0], [[0, 0.5, 0.5, 0], [1, 0, 0, 0]])
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    np.testing.assert_array_equal(grad(operation(x), [x])[0], np.full((2, 2), 0.25))


def test_logsumexp_neither_overflows_nor_makes_nan_of_infinities():
    x = Tensor(np.array([[1000.0, 1000], [-1000, -1000], [-np.inf, 0], [-np.inf, -np.inf]]), requires_grad=True)
    with np.errstate(divide="ignore"):
        y = ops.logsumexp(x, axis=1)
    np.testing.assert_allclose(y.data, [1000 + np.log(2), -1000 + np.log(2), 0, -np.inf])
    dx, = grad(y[:3].sum(), [x])
    np.testing.assert_allclose(dx, [[0.5, 0.5], [0.5, 0.5], [0, 1], [0, 0]])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_logsumexp_with_infinity_or_nan_is_pytorchs():
    x = Tensor(np.array([[np.inf, 5], [np.nan, 5], [np.nan, -np.inf]]), requires_grad=True)
    y = ops.logsumexp(x, axis=1)
    np.testing.assert_array_equal(y.data, [np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(grad(y.sum(), [x])[0], [[np.nan, 0], [np.nan, np.nan], [np.nan, np.nan]])


def test_products_with_zeros_have_the_gradient_of_the_others():
    x = Tensor(np.array([[0.0, 2, 3], [0, 2, 0], [1, 2, 3]]), requires_grad=True)
    np.testing.assert_array_equal(grad(x.prod(1).sum(), [x])[0], [[6, 0, 0], [0, 0, 0], [6, 3, 2]])


@pytest.mark.parametrize("operation", [ops.std, ops.norm])
def test_roots_have_gradient_zero_at_zero(operation):
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    np.testing.assert_array_equal(grad(operation(x, axis=1).sum(), [x])[0], np.zeros((2, 3)))


@pytest.mark.parametrize("operation", [ops.var, ops.std])
def test_nothing_is_left_to_divide_by(operation):
    x = Tensor(np.ones((3, 1)), requires_grad=True)
    np.testing.assert_array_equal(grad(operation(x, axis=1).sum(), [x])[0], np.zeros((3, 1)))
    with pytest.raises(ValueError, match=f"{operation.__name__}: ddof: expected less than the 1 elements"):
        operation(x, axis=1, ddof=1)


def test_sums_keep_only_the_shape():
    x = Tensor(np.ones((3, 4), np.float32), requires_grad=True)
    for y in (x.sum(0), x.mean(1)):
        kept = [cell.cell_contents for cell in y.node.backward.__closure__]
        assert not any(isinstance(a, np.ndarray) for a in kept)


def test_an_axis_that_is_not_there():
    with pytest.raises(IndexError, match=r"max: .*axis 2 .*\(3, 4\)"):
        Tensor(np.ones((3, 4))).max(2)
