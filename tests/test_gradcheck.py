"""The check has to pass what is right and to catch what is wrong."""

import numpy as np
import pytest

from minivit import gradcheck, ops, primitive

X = np.random.default_rng(0).standard_normal((3, 4))


def run(function, *arrays, **settings):
    return gradcheck(function, *arrays, rng=np.random.default_rng(1), **settings)


@pytest.mark.parametrize("function", [ops.tanh, ops.exp, lambda x: (x * x).sum(0), lambda x: ops.logsumexp(x, 1)])
def test_right_gradients_pass(function):
    assert run(function, X) < 1e-9


@pytest.mark.parametrize("error", [1e-6, 1e-3, 1.0])
def test_a_gradient_that_is_wrong_in_one_entry_is_caught(error):
    @primitive
    def square(x):
        def backward(dy):
            dx = 2 * x * dy
            dx[1, 2] += error * dy[1, 2]
            return dx
        return x * x, backward

    with pytest.raises(AssertionError, match="square: the gradient along a random direction is .* relative error"):
        run(square, X)


def test_a_missing_gradient_is_caught():
    @primitive
    def product(x, y):
        return x * y, lambda dz: (dz * y, None)

    with pytest.raises(AssertionError):
        run(product, X, X + 1)


def test_settings_numbers_and_integers_are_passed_on():
    run(ops.sum, X, axis=1)
    run(ops.pow, X, 3)
    run(ops.take, X, np.array([0, 2, 2]), axis=1)


def test_a_constant_function_has_gradient_zero():
    assert run(lambda x: x * 0, X) == 0


FLAT = {
    "difference": lambda x: x - x, "sum of softmax": lambda x: ops.softmax(x).sum(), "scaled": lambda x: ops.softmax(
        1e3 * x).sum() * 1e6, "log of 1": lambda x: ops.logsumexp(ops.log_softmax(x), -1),
    "circle": lambda x: ops.sin(x) ** 2 + ops.cos(x) ** 2, "large": lambda x: (x + 1e6) - x,
    "sum of layer norm": lambda x: ((x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)).sum(-1),
}


@pytest.mark.parametrize("name", FLAT)
def test_a_gradient_that_is_zero_is_no_alarm(name):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        gradcheck(FLAT[name], rng.standard_normal((3, 5)), rng=rng)


@pytest.mark.parametrize(("scale", "error"), [(0.0, 1e-9), (1e-12, 1e-13), (1.0, 1e-6)])
def test_a_wrong_gradient_of_a_flat_or_small_function_is_caught(scale, error):
    @primitive
    def line(x):
        return scale * x + (scale == 0), lambda dy: dy * (scale + error)

    for seed in range(20):
        rng = np.random.default_rng(seed)
        with pytest.raises(AssertionError, match="line: the gradient along a random direction"):
            gradcheck(line, rng.standard_normal((3, 5)), rng=rng)


def test_float32_is_refused():
    with pytest.raises(TypeError, match="must be float64"):
        run(ops.exp, X.astype(np.float32))
