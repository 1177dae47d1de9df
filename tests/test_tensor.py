"""A Tensor in Python: conversions, comparisons, iteration, printing."""

import numpy as np
import pytest

from minivit import Tensor, grad


def leaf(*shape, seed=0, dtype=np.float32):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def test_conversions():
    x = Tensor([[1.5]])
    assert float(x[0, 0]) == x.item() == 1.5
    assert int(Tensor(3)) == 3
    assert f"{x[0, 0]:.2f}" == "1.50"
    assert bool(x > 1)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor([1, 2]) > 1)


def test_numpy_gets_an_array_unless_a_gradient_would_be_lost():
    np.testing.assert_array_equal(np.asarray(Tensor([1.0, 2.0])), [1, 2])
    for lost in (lambda: np.asarray(leaf(3)), lambda: np.concatenate([leaf(3), leaf(3)]), lambda: Tensor([leaf(3)])):
        with pytest.raises(TypeError, match="minivit.ops"):
            lost()
    with pytest.raises(TypeError, match="ufunc"):
        np.exp(leaf(3))


def test_comparisons_are_elementwise_and_hashing_is_by_identity():
    x, y = Tensor([1.0, 2.0]), Tensor([1.0, 3.0])
    np.testing.assert_array_equal((x == y).data, [True, False])
    np.testing.assert_array_equal(((x != y) | (x > 5)).data, [False, True])
    np.testing.assert_array_equal((~(x <= y) & (x < 5)).data, [False, False])
    np.testing.assert_array_equal((np.float32(2) <= x).data, [False, True])
    np.testing.assert_array_equal((np.array([2.0, 2.0], np.float32) < x).data, [False, False])
    assert (x == y).dtype == bool
    assert len({x, y, x}) == 2


def test_iteration_runs_over_the_first_axis():
    x = leaf(2, 3)
    first, second = x
    grad_x, = grad((first + 2 * second).sum(), [x])
    np.testing.assert_array_equal(grad_x, [[1, 1, 1], [2, 2, 2]])


def test_repr_tells_values_shape_dtype_and_origin():
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.], shape=(2,), float32)"
    assert repr(leaf(0)).endswith("shape=(0,), float32, requires_grad)")
    assert repr(leaf(2).exp()).endswith("from exp)")
    assert len(repr(leaf(64, 64, 64))) < 1000


def test_repr_on_a_device(device):
    assert ("cuda" in repr(Tensor([1.0]).to(device))) == (device == "cuda")
