"""Elementwise nonlinearities and softmax: values and gradients against PyTorch, and the ends of the line."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check, distinct


def torch_function(name, *arguments):
    return lambda torch, x: getattr(torch.nn.functional, name)(x, *arguments)


def wide(rng):
    """Numbers from -4.95 to 4.95, none near a corner of hardswish."""
    return 0.1 * rng.permutation(100).reshape(10, 10) - 4.95


wide.label = "wide"
CASES = [
    Case(ops.relu, distinct(3, 4), torch=torch_function("relu")),
    Case(ops.sigmoid, (3, 4), torch=torch_function("sigmoid")),
    Case(ops.silu, (2, 3, 4), torch=torch_function("silu")),
    *[Case(getattr(ops, name), wide, torch=torch_function(name)) for name in (
        "hardswish", "relu6", "softplus", "mish", "elu", "leaky_relu", "silu", "sigmoid")],
    Case(ops.hardsigmoid, wide, torch=lambda torch, x: torch.clamp(x / 6 + 0.5, 0, 1)),  # its own has 1 / 6 in float32
    Case(ops.elu, wide, alpha=0.7, torch=torch_function("elu", 0.7)),
    Case(ops.leaky_relu, wide, slope=0.2, torch=torch_function("leaky_relu", 0.2)),
    Case(ops.quick_gelu, wide, torch=lambda torch, x: x * torch.sigmoid(1.702 * x)),
    Case(ops.glu, (3, 8), torch=torch_function("glu")),
    Case(ops.glu, (2, 6, 4), axis=1, torch=torch_function("glu", 1)),
    Case(ops.softmax, (3, 5), torch=torch_function("softmax", -1)),
    Case(ops.softmax, (2, 3, 4), axis=1, torch=torch_function("softmax", 1)),
    Case(ops.log_softmax, (3, 5), torch=torch_function("log_softmax", -1)),
    Case(ops.log_softmax, (2, 3, 4), axis=0, torch=torch_function("log_softmax", 0)),
]


def test_op(case, device):
    check(case, device)


def test_slopes_where_relu_and_hardswish_have_corners():
    x = Tensor(np.array([0.0]), requires_grad=True)
    assert grad(ops.relu(x).sum(), [x])[0] == 0
    x = Tensor(np.array([-3.0, -3.5, 3.0, 3.5]), requires_grad=True)
    np.testing.assert_allclose(grad(ops.hardswish(x).sum(), [x])[0], [0, 0, 1, 1])


@pytest.mark.parametrize("name", ["relu", "relu6", "leaky_relu", "elu", "sigmoid", "hardsigmoid", "silu", "hardswish",
                                  "mish", "softplus", "gelu", "gelu_tanh", "quick_gelu"])
def test_nan_stays_nan_and_large_numbers_overflow_nowhere(name):
    operation = getattr(ops, name)
    assert np.isnan(operation(np.array([np.nan], np.float32)).item())
    x = Tensor(np.array([-3e38, -1e4, 1e4, 3e38], np.float32), requires_grad=True)
    with np.errstate(all="ignore"):
        y = operation(x)
        slope, = grad(y.sum(), [x])
    bounded = {"sigmoid": 1, "hardsigmoid": 1, "relu6": 6}
    np.testing.assert_allclose(y.numpy()[2:], bounded.get(name, x.numpy()[2:]), rtol=1e-6)
    if name != "gelu_tanh":  # its slope holds x^2
        assert np.isfinite(slope).all()


@pytest.mark.parametrize("name, slopes", [("leaky_relu", [0.01, 0.01, 1]), ("elu", [np.exp(-1), 1, 1]),
                                          ("relu6", [0, 0, 1]), ("hardsigmoid", [1 / 6] * 3)])
def test_slopes_at_0_are_those_of_pytorch(name, slopes):
    x = Tensor(np.array([-1.0, 0.0, 1.0]), requires_grad=True)
    np.testing.assert_allclose(grad(getattr(ops, name)(x).sum(), [x])[0], slopes)


@pytest.mark.parametrize("operation", [ops.sigmoid, ops.silu])
def test_far_out_there_is_neither_overflow_nor_warning(operation):
    x = Tensor(np.array([-1e4, -50, 50, 1e4], np.float32), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        y = operation(x)
        slope, = grad(y.sum(), [x])
    far = x.numpy() if operation is ops.silu else np.ones(4)
    np.testing.assert_allclose(y.numpy()[2:], far[2:], rtol=1e-6)
    assert y.numpy()[0] == 0
    np.testing.assert_allclose(y.numpy()[1], far[1] * np.exp(-50), rtol=1e-6)
    assert np.isfinite(slope).all()


def test_small_sigmoids_keep_their_digits():
    x = np.linspace(-80, 0, 1001, dtype=np.float32)
    np.testing.assert_allclose(ops.sigmoid(x).numpy(), 1 / (1 + np.exp(-x.astype(np.float64))), rtol=6e-7)


def test_softmax_of_large_and_of_masked_numbers():
    rows = [[1000, 1001], [-1000, -1001], [0, -np.inf], [-np.inf, -np.inf]]
    x = Tensor(np.array(rows, np.float32), requires_grad=True)
    y = ops.softmax(x)
    p = 1 / (1 + np.exp(1))
    np.testing.assert_allclose(y.numpy(), [[p, 1 - p], [1 - p, p], [1, 0], [0, 0]], rtol=1e-6)
    assert np.isfinite(grad((y * np.array([1, 2], np.float32)).sum(), [x])[0]).all()


def test_log_softmax_of_a_probability_that_underflows():
    np.testing.assert_allclose(ops.log_softmax(np.array([0.0, -1000.0])).numpy(), [0, -1000])
