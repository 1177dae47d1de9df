"""NumPy's functions on Tensors: ours where there are such, otherwise the values, never a lost gradient."""

import numpy as np
import pytest
from scipy import special

from minivit import Tensor, gradcheck

X = np.random.default_rng(0).uniform(0.5, 2, (3, 4))
DIFFERENTIABLE = {
    **{name: getattr(np, name) for name in (
        "sum", "mean", "var", "std", "prod", "cumsum", "max", "min", "amax", "amin", "exp", "log", "sqrt", "sin", "cos",
        "tanh", "abs", "negative", "square", "transpose", "ravel", "flip", "tril", "triu", "sort")},
    "sum(axis)": lambda x: np.sum(x, axis=1, keepdims=True), "mean(0)": lambda x: np.mean(x, 0),
    "sum(out=None)": lambda x: np.sum(x, axis=0, dtype=None, out=None),
    "std(ddof)": lambda x: np.std(x, axis=0, ddof=1), "norm": lambda x: np.linalg.norm(x, axis=1),
    "concatenate": lambda x: np.concatenate([x, X, x], axis=1), "stack": lambda x: np.stack([x, x], axis=-1),
    "where": lambda x: np.where(X > 1, x, X), "clip": lambda x: np.clip(x, 0.7, 1.5),
    "maximum": lambda x: np.maximum(x, X[::-1]),
    "reshape": lambda x: np.reshape(x, (2, 6)), "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "expand_dims": lambda x: np.expand_dims(x, 1), "squeeze": lambda x: np.squeeze(x[:, None]),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 3, 4)), "repeat": lambda x: np.repeat(x, 2, 1),
    "roll": lambda x: np.roll(x, 1, 0), "pad": lambda x: np.pad(x, ((1, 0), (0, 2))),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, X), "matmul": lambda x: np.matmul(X.T, x),
    "array + t": lambda x: X + x - X * x / X, "array @ t": lambda x: X.T @ x, "array ** t": lambda x: X ** x,
    "erf": special.erf, "expit": special.expit,
    "take_along_axis": lambda x: np.take_along_axis(x, np.zeros((3, 1), int), 1),
}
REFUSED = {
    "median": np.median, "floor": np.floor, "cumprod": np.cumprod, "norm(ord)": lambda x: np.linalg.norm(x, 1),
    "sum(dtype)": lambda x: np.sum(x, 0, np.float32), "add.reduce": np.add.reduce, "outer": lambda x: np.outer(x, X),
    "dot": lambda x: np.dot(x, X.T), "split": lambda x: np.split(x, [1, 2], 1)[1], "take": lambda x: np.take(x, [0, 1]),
    "vstack": lambda x: np.vstack([x, X]),
    "exp(dtype)": lambda x: np.exp(x, dtype=np.float64), "asarray": np.asarray,
}
VALUES = {
    "isfinite": np.isfinite, "isnan": np.isnan, "logical_and": lambda x: np.logical_and(x, X > 1), "shape": np.shape,
    "ndim": np.ndim, "zeros_like": np.zeros_like, "allclose": lambda x: np.allclose(x, X), "argmax": np.argmax,
    "array_equal": lambda x: np.array_equal(x, X), "less": lambda x: np.less(x, 1), "any": lambda x: np.any(x > 1),
    "array < t": lambda x: X[::-1] < x, "mask & t": lambda x: (X > 1) & (x < 1.5),
    "nonzero": lambda x: np.nonzero(x > 1),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_value_and_gradient(name):
    compute = DIFFERENTIABLE[name]
    y = compute(Tensor(X, requires_grad=True))
    assert isinstance(y, Tensor)
    assert y.requires_grad
    np.testing.assert_allclose(y.data, compute(X), rtol=1e-12)
    gradcheck(lambda x: compute(x) * 1.0, X, rng=np.random.default_rng(1))


@pytest.mark.parametrize("name", REFUSED)
def test_no_gradient_is_lost(name):
    compute = REFUSED[name]
    np.testing.assert_array_equal(compute(Tensor(X)), compute(X))
    with pytest.raises(TypeError, match=r"minivit.ops"):
        compute(Tensor(X, requires_grad=True))


@pytest.mark.parametrize("name", VALUES)
def test_what_has_no_gradient_is_computed(name):
    np.testing.assert_array_equal(VALUES[name](Tensor(X, requires_grad=True)), VALUES[name](X))


def test_adding_to_an_array_in_place_says_what_to_do():
    total = np.zeros((3, 4))
    with pytest.raises(TypeError, match=r"np.add: a Tensor with a gradient .* array = array \+ t makes a new Tensor"):
        total += Tensor(X, requires_grad=True)
    total += Tensor(X)
    np.testing.assert_array_equal(total, X)


def test_on_a_device(device):
    from minivit.backend import to_device
    x = Tensor(to_device(X, device), requires_grad=True)
    for y in (np.sum(x, axis=0), np.exp(x), to_device(X, device) * x, to_device(X, device) - x):
        assert y.device == device
        assert y.requires_grad
