"""Elementwise arithmetic: values, gradients, dtypes and devices, and what happens at the corners."""

import numpy as np
import pytest
from scipy import special

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, booleans, check, distinct, positive

LOW, HIGH = np.array([-0.48, -0.28, 0.02, -0.58]), np.array([[0.12], [0.22], [0.32]])  # between the steps of `distinct`
CASES = [
    *[Case(operation, *shapes, numpy=reference, torch=torch)
      for operation, reference, torch in [
          (ops.add, np.add, lambda torch, x, y: x + y), (ops.sub, np.subtract, lambda torch, x, y: x - y),
          (ops.mul, np.multiply, lambda torch, x, y: x * y),
          (ops.div, np.divide, lambda torch, x, y: x / y),
          (ops.maximum, np.maximum, lambda torch, x, y: torch.maximum(x, y)),
          (ops.minimum, np.minimum, lambda torch, x, y: torch.minimum(x, y))]
      for shapes in [(distinct(3, 4), positive(3, 4)), (distinct(2, 3, 4), positive(3, 1)),
                     (distinct(4), positive(3, 4)), (distinct(), positive(2, 3))]],
    Case(ops.add, (3, 4), 2.5, numpy=np.add),
    Case(ops.sub, 2.5, (3, 4), numpy=np.subtract),
    Case(ops.mul, (3, 4), 2.5, numpy=np.multiply),
    Case(ops.mul, 2.5, (3, 4), numpy=np.multiply),
    Case(ops.div, (3, 4), 2.5, numpy=np.divide),
    Case(ops.div, 2.5, positive(3, 4), numpy=np.divide),
    Case(ops.maximum, distinct(3, 4), 0.123, numpy=np.maximum),
    Case(ops.minimum, 0.123, distinct(3, 4), numpy=np.minimum),
    *[Case(ops.pow, positive(3, 4), y, torch=lambda torch, x, y: x ** y) for y in (-1, 0, 0.5, 1, 2, 3, -1.7)],
    Case(ops.pow, (3, 4), 3, torch=lambda torch, x, y: x ** y),
    Case(ops.pow, positive(3, 4), (4,), torch=lambda torch, x, y: x ** y),
    Case(ops.pow, 2.5, (3, 4), torch=lambda torch, x, y: x ** y),
    *[Case(operation, draw(3, 4), numpy=reference,
           torch=lambda torch, x, name=operation.__name__: getattr(torch, name)(x))
      for operation, reference, draw in [
          (ops.neg, np.negative, distinct), (ops.exp, np.exp, distinct), (ops.log, np.log, positive),
          (ops.sqrt, np.sqrt, positive), (ops.sin, np.sin, distinct), (ops.cos, np.cos, distinct),
          (ops.tanh, np.tanh, distinct), (ops.erf, special.erf, distinct), (ops.abs, np.abs, distinct)]],
    Case(ops.where, booleans(3, 4), (3, 4), (4,), numpy=np.where, torch=lambda torch, c, x, y: torch.where(c, x, y)),
    Case(ops.where, booleans(4), (3, 4), 0.0, numpy=np.where),
    Case(ops.where, booleans(3, 1), 2.5, (3, 4), numpy=np.where),
    Case(ops.clip, distinct(3, 4), -0.32, 0.21, numpy=np.clip, torch=lambda torch, x, low, high: x.clip(low, high)),
    Case(ops.clip, distinct(3, 4), None, 0.21, numpy=np.clip),
    Case(ops.clip, distinct(3, 4), -0.32, None, numpy=np.clip),
    *[Case(ops.clip, distinct(3, 4), low, high, numpy=np.clip,
           torch=lambda torch, x, low, high: torch.clamp(x, low, high))
      for low, high in [(LOW, HIGH), (HIGH, LOW)]],
    Case(ops.clip, distinct(3, 4), LOW, None, numpy=np.clip),
]


def test_op(case, device):
    check(case, device)


def gradients(function, *values):
    leaves = [Tensor(np.array(value, np.float64), requires_grad=True) for value in values]
    return [g.tolist() for g in grad(function(*leaves).sum(), leaves)]


def test_equal_arguments_share_the_gradient():
    assert gradients(ops.maximum, [1, 2, 3], [1, 1, 5]) == [[0.5, 1, 0], [0.5, 0, 1]]
    assert gradients(ops.minimum, [1, 2, 3], [1, 1, 5]) == [[0.5, 0, 1], [0.5, 1, 0]]


def test_clip_passes_the_gradient_at_its_ends():
    assert gradients(lambda x: ops.clip(x, -1, 1), [-2, -1, 0, 1, 2]) == [[0, 1, 1, 1, 0]]


@pytest.mark.filterwarnings("error")
def test_powers_at_zero():
    assert gradients(lambda x: x ** 0, [0, 2]) == [[0, 0]]
    assert gradients(lambda x: x ** 1, [0, 2]) == [[1, 1]]
    assert gradients(ops.pow, [0, 0, 2], [0, 3, 0]) == [[0, 0, 0], [0, 0, np.log(2)]]


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_negative_powers_at_zero_fall_without_bound():
    assert gradients(lambda y: 0.0 ** y, [-1, -0.5, 0, 2]) == [[-np.inf, -np.inf, 0, 0]]
    assert gradients(ops.pow, [0, 0], [-1, 2]) == [[-np.inf, 0], [-np.inf, 0]]


def test_nan_is_no_smaller_than_another_number():
    for operation in (ops.maximum, ops.minimum):  # as in PyTorch
        assert gradients(operation, [np.nan, 1], [1, np.nan]) == [[1, 1], [1, 1]]


def test_abs_has_gradient_zero_at_zero():
    assert gradients(ops.abs, [-2, 0, 3]) == [[-1, 0, 1]]


def test_astype_changes_the_dtype_and_brings_the_gradient_back():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    y = x.astype(np.float64)
    assert y.dtype == np.float64
    dx, = grad((y * np.arange(3.0)).sum(), [x])
    assert dx.dtype == np.float32
    np.testing.assert_array_equal(dx, [0, 1, 2])
    assert not x.astype(int).requires_grad


def test_multiplying_by_a_number_keeps_nothing_in_memory():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    for y in (x * 2, 2 * x, x / 2, x + 1, -x):
        kept = [cell.cell_contents for cell in y.node.backward.__closure__ or ()]
        assert not any(isinstance(a, np.ndarray) for a in kept)
