"""A Tensor in Python: conversions, comparisons, iteration, printing."""

import copy
import pickle

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
    for lost in (lambda: np.asarray(leaf(3)), lambda: np.median(leaf(3)), lambda: Tensor([leaf(3)])):
        with pytest.raises(TypeError, match="minivit.ops"):
            lost()


def test_an_array_without_a_copy_is_to_read_and_never_of_another_dtype():
    x = Tensor([1.0, 2.0])
    for copied in (np.array(x), np.asarray(x), np.array(x, copy=True), np.asarray(x, dtype=np.float64)):
        assert not np.may_share_memory(copied, x.data)
        assert copied.flags.writeable
    shared = np.array(x, copy=False)
    assert np.may_share_memory(shared, x.data)
    assert not shared.flags.writeable
    assert np.array(x, dtype=np.float32, copy=False).dtype == np.float32
    with pytest.raises(ValueError, match="float32 becomes an array of dtype float64 by a copy only"):
        np.array(x, dtype=np.float64, copy=False)


@pytest.mark.parametrize(("data", "dtype"), [
    (1.0, np.float32), ([1.0, 2.0], np.float32), ([[1, 2.5]], np.float32), (1, np.int64), ([1, 2], np.int64),
    ([True], bool), (np.float64(1), np.float64), ([np.float64(1), 2.0], np.float64), ([np.float32(1), 2.0], np.float32),
    ([np.zeros(2)], np.float64), ([[np.zeros(2)], [np.ones(2)]], np.float64), ((np.zeros(2, np.float32),), np.float32),
    ([Tensor(np.zeros(2))], np.float64), ([Tensor([0.0])], np.float32), (np.ones(2, ">f4"), np.float32),
    (np.matrix([[1.0]]), np.float64), ([], np.float32)])
def test_dtypes_of_what_becomes_a_tensor(data, dtype):
    x = Tensor(data)
    assert x.dtype == dtype
    assert type(x.data) is np.ndarray


@pytest.mark.parametrize("data", [
    "text", ["a"], None, [None, 1], 1j, np.ones(2, complex), {}, np.array(["a"]), object()])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(TypeError, match="Tensor: expected real numbers or truths, got dtype"):
        Tensor(data)


def test_an_integer_tensor_counts_and_names_places():
    assert "abc"[Tensor(1)] == "b"
    assert list(range(Tensor(2))) == [0, 1]
    for x in (Tensor(1.0), Tensor([1])):
        with pytest.raises(TypeError, match="only an integer without axes"):
            range(x)


def test_a_copy_of_a_leaf_has_memory_and_a_change_check_of_its_own():
    for make in (copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))):
        x = leaf(3)
        x.grad = np.ones(3)
        y = make(x)
        assert y.requires_grad
        np.testing.assert_array_equal(y.data, x.data)
        np.testing.assert_array_equal(y.grad, x.grad)
        loss = (y * y).sum()
        x.mutable()[:] = 0
        loss.backward()
        np.testing.assert_allclose(y.grad, 1 + 2 * y.data)
        loss = (y * y).sum()
        y.mutable()[:] = 0
        with pytest.raises(RuntimeError, match="changed in place"):
            loss.backward()


def test_a_computed_tensor_is_copied_by_value_only():
    x = leaf(3)
    loss = (x * x).sum()
    for make in (copy.deepcopy, pickle.dumps, lambda t: copy.deepcopy([t])):
        with pytest.raises(TypeError, match="computed by 'sum' cannot be copied with its graph.* t.detach()"):
            make(loss)
    assert copy.deepcopy(loss.detach()).item() == pytest.approx(loss.item())
    copy.copy(loss).backward()  # the same node of the same graph
    np.testing.assert_allclose(x.grad, 2 * x.data)


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
