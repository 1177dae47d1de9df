"""GELU: values and gradients against SciPy and PyTorch, and the accuracy of the float32 table over the whole line."""

import numpy as np
import pytest
from scipy.special import ndtr

from minivit import Tensor, grad, no_grad, ops
from tests.ops.cases import Case, check

CASES = [
    Case(ops.gelu, (3, 4), numpy=lambda x: x * ndtr(x)),
    Case(ops.gelu, (2, 3, 5), torch=lambda torch, x: torch.nn.functional.gelu(x)),
    Case(ops.gelu, (), numpy=lambda x: x * ndtr(x)),
    Case(ops.gelu_tanh, (2, 3, 5), torch=lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh")),
]


def test_op(case, device):
    check(case, device)


def floats_between(low, high, count=200_000):
    """float32 numbers of one sign, evenly over all exponents, the ends included."""
    ends = sorted(int(np.float32(x).view(np.int32)) for x in (low, high))
    bits = np.unique(np.linspace(*ends, count).astype(np.int64))
    return bits.astype(np.uint32).view(np.float32)


@pytest.mark.parametrize(("low", "high"), [(1e-37, 1), (1, 20), (20, 3e38), (-1e-37, -1), (-1, -6), (-6, -12.9)])
def test_float32_is_accurate_on_the_whole_line(low, high):
    x = floats_between(low, high)
    exact = x.astype(np.float64) * ndtr(x.astype(np.float64))
    error = np.abs(ops.gelu(x).numpy() / exact - 1)
    assert error.max() < 2e-7


@pytest.mark.parametrize(("low", "high"), [(1e-37, 1), (1, 20), (-1e-37, -1), (-1, -12.9)])
def test_float32_gradient_is_accurate(low, high):
    x = Tensor(floats_between(low, high), requires_grad=True)
    slope, = grad(ops.gelu(x).sum(), [x])
    exact = x.numpy().astype(np.float64)
    cdf, density = ndtr(exact), np.exp(-exact ** 2 / 2) / np.sqrt(2 * np.pi)
    error = np.abs(slope - (cdf + exact * density)) / (cdf + np.abs(exact) * density)
    assert (error < 4e-7 + 2.0 ** -24 * exact ** 2 / 2).all()  # exp(-x^2 / 2) inherits the rounding of x^2


def test_tail_against_arbitrary_precision():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        x = np.linspace(-12.9, -0.1, 50, dtype=np.float32)
        exact = [mpmath.mpf(float(v)) * mpmath.erfc(-mpmath.mpf(float(v)) / mpmath.sqrt(2)) / 2 for v in x]
        single = ops.gelu(x).numpy()
        double = ops.gelu(x.astype(np.float64)).numpy()
        assert max(abs(mpmath.mpf(float(y)) / e - 1) for y, e in zip(single, exact, strict=True)) < 2e-7
        assert max(abs(mpmath.mpf(float(y)) / e - 1) for y, e in zip(double, exact, strict=True)) < 1e-13


def test_special_values():
    x = np.array([0, -20, -1000, 1e30, np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(ops.gelu(x).numpy(), np.array([0, 0, 0, 1e30, np.inf, np.nan], np.float32))


def test_slope_at_0_is_a_half():
    for dtype in (np.float32, np.float64):
        x = Tensor(np.zeros(5, dtype), requires_grad=True)
        assert (grad(ops.gelu(x).sum(), [x])[0] == 0.5).all()


def test_pieces_join_without_a_seam(rng):
    x = rng.standard_normal(100_001).astype(np.float32)
    for operation in (ops.gelu, ops.gelu_tanh):
        parts = [operation(part).numpy() for part in np.split(x, [7, 50_000])]
        np.testing.assert_array_equal(operation(x).numpy(), np.concatenate(parts))


def test_the_values_do_not_depend_on_whether_a_graph_is_recorded(rng):
    x = rng.standard_normal(1000).astype(np.float32)
    with no_grad():
        alone = ops.gelu(x).numpy()
    np.testing.assert_array_equal(ops.gelu(Tensor(x, requires_grad=True)).numpy(), alone)
