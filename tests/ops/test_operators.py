"""Operators and methods of Tensor are the operations of minivit.ops."""

import numpy as np
import pytest

from minivit import Tensor, gradcheck

X = np.random.default_rng(0).uniform(0.5, 2, (3, 4))
Y = np.random.default_rng(1).uniform(0.5, 2, (3, 4))
ROWS = {
    "+": lambda x, y: 1 + x + y + 2, "-": lambda x, y: 1 - x - y - 2, "*": lambda x, y: 3 * x * y * 2,
    "/": lambda x, y: 3 / x / y / 2, "**": lambda x, y: 2 ** x + x ** y + y ** 2, "@": lambda x, y: x @ y.T,
    "@ array": lambda x, y: X.T @ x + y.T @ Y, "unary": lambda x, y: -abs(-x) * y,
    "T": lambda x, y: x.T @ y, "reshape": lambda x, y: x.reshape(2, 6) * y.reshape((2, 6)),
    "transpose": lambda x, y: x.transpose(1, 0) * y.transpose((1, 0)) + x.transpose(),
    "sum": lambda x, y: x.sum() + y.sum(0) + x.sum(axis=(0, 1)), "mean": lambda x, y: x.mean(1) * y.mean(1),
    "var": lambda x, y: x.var(-1, keepdims=True) * y, "max min": lambda x, y: x.max(0) * y.min(0),
    "swapaxes": lambda x, y: x.swapaxes(0, 1) @ y, "index": lambda x, y: x[1] * y[:, 1:2],
}


@pytest.mark.parametrize("name", ROWS)
def test_value_and_gradient(name):
    compute = ROWS[name]
    np.testing.assert_allclose(compute(Tensor(X), Tensor(Y)).data, compute(X, Y), rtol=1e-12)
    gradcheck(compute, X, Y, rng=np.random.default_rng(2))


def test_methods_that_arrays_do_not_have():
    x = Tensor(X)
    for name in ("exp", "log", "sqrt", "tanh", "abs"):
        np.testing.assert_allclose(getattr(x, name)().data, getattr(np, name)(X), rtol=1e-12)
    np.testing.assert_array_equal(x.clip(0.7, 1.5).data, np.clip(X, 0.7, 1.5))
    np.testing.assert_array_equal(x.flip(0).data, X[::-1])
    np.testing.assert_array_equal(x.repeat(2, 1).data, np.repeat(X, 2, 1))
    np.testing.assert_allclose(x.logsumexp(1).data, np.log(np.exp(X).sum(1)))
    assert (x.argmax(1) == X.argmax(1)).all()
    assert not (x.argmin(1) != X.argmin(1)).any()


def test_every_operation_has_a_docstring():
    from minivit import ops
    for name, operation in vars(ops).items():
        if callable(operation) and not name.startswith("_"):
            assert operation.__doc__, name


def test_comparisons_name_themselves_in_errors():
    with pytest.raises(ValueError, match=r"lt: .*\(3, 4\), \(3, 5\)"):
        _ = Tensor(X) < Tensor(np.ones((3, 5)))


def test_masks_combine_with_arrays_on_either_side():
    mask = X > 1
    for combined, expected in [(mask & (Tensor(Y) > 1), mask & (Y > 1)), ((Tensor(Y) > 1) | mask, mask | (Y > 1)),
                               (mask ^ (Tensor(Y) > 1), mask ^ (Y > 1))]:
        np.testing.assert_array_equal(combined.data, expected)
