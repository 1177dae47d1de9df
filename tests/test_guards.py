"""What must not be a silent wrong gradient: changed arrays, widened dtypes, mixed devices, wrong shapes."""

import numpy as np
import pytest

from minivit import Tensor, no_grad, ops


def leaf(*shape, seed=0, dtype=np.float32):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def test_changing_a_parameter_in_place_is_noticed():
    x, w = leaf(3), leaf(3, seed=1)
    loss = (x * w).sum()
    w.mutable()[:] = 0
    with pytest.raises(RuntimeError, match="'mul' was changed in place"):
        loss.backward()


def test_assigning_data_is_noticed_too_and_checks_the_shape():
    w = leaf(3)
    loss = (w * w).sum()
    w.data = np.zeros(3)
    assert w.dtype == np.float32
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()
    with pytest.raises(ValueError, match=r"expected shape \(3,\), got \(4,\)"):
        w.data = np.zeros(4)


def test_an_array_changed_by_its_owner_does_not_reach_the_graph():
    x, array = leaf(3), np.ones(3, np.float32)
    loss = (x * array).sum()
    array[:] = 0
    loss.backward()
    np.testing.assert_array_equal(x.grad, np.ones(3))


@pytest.mark.parametrize("view", [
    lambda x: x.reshape(3, 1), lambda x: x.T, lambda x: x[...], lambda x: ops.expand(x, (2, 3)), lambda x: x.detach(),
    lambda x: x.astype(np.float32), lambda x: x.to("cpu")])
def test_a_view_outside_the_graph_does_not_change_with_its_base(view):
    x, w = Tensor(np.ones(3, np.float32)), Tensor(1.0, requires_grad=True)
    y = view(x)
    loss = (y * w).sum()
    x.mutable()[:] = 0
    loss.backward()
    assert w.grad == y.size
    array = np.ones(3, np.float32)
    y = ops.reshape(array, (3, 1))
    array[:] = 0
    np.testing.assert_array_equal(y.data, np.ones((3, 1)))


def test_a_view_made_in_no_grad_of_a_value_in_the_graph_does_not_change_with_its_base():
    p, w = leaf(2, 3), Tensor(1.0, requires_grad=True)
    before = p.data.sum()
    y = p.reshape(3, 2)
    with no_grad():
        y = y.T
    loss = (y * w).sum()
    p.mutable()[:] = 0
    loss.backward()
    assert w.grad == pytest.approx(before)


def test_data_is_to_read_and_tensors_copy():
    array = np.ones(3)
    x = Tensor(array)
    array[:] = 0
    np.testing.assert_array_equal(x.data, np.ones(3))
    with pytest.raises(ValueError, match="read-only"):
        x.data[0] = 2
    with pytest.raises(RuntimeError, match="computed by an operation"):
        x.exp().mutable()


def test_item_assignment_says_what_to_do():
    x = leaf(3)
    with pytest.raises(TypeError, match="where"):
        x[0] = 1
    y = x
    y += 1  # a new tensor under the same name
    assert y is not x
    np.testing.assert_allclose(y.data, x.data + 1)


def test_numbers_of_numpy_on_either_side_keep_float32():
    x = leaf(3)
    for y in (np.float64(2) * x, x * np.float64(2), np.float32(2) - x, x / np.int64(3), np.float64(2) ** x, x ** 2,
              x.sum() * np.float64(2), np.ones(3, np.float32) * x, np.ones(3, np.float32) - x,
              np.ones((2, 3), np.float32) @ x):
        assert isinstance(y, Tensor)
        assert y.dtype == np.float32
    np.testing.assert_allclose((np.ones(3, np.float32) - x).data, 1 - x.data)


@pytest.mark.parametrize("other", [np.ones(3), np.ones(3, np.int64), Tensor(np.ones(3))])
def test_widening_is_refused(other):
    with pytest.raises(TypeError, match=r"add: arguments of dtype .* convert one with .astype"):
        leaf(3) + other


def test_python_numbers_are_float32_and_arrays_keep_their_dtype():
    assert Tensor(1.0).dtype == Tensor([1.0, 2.0]).dtype == np.float32
    assert Tensor(np.ones(2)).dtype == np.float64
    assert Tensor(np.float64(1)).dtype == np.float64
    assert Tensor([1, 2]).dtype.kind == "i"
    with pytest.raises(TypeError, match="floating-point dtype, got int64; write numbers with a point"):
        Tensor([1, 2], requires_grad=True)


def test_a_tensor_among_the_settings_is_refused():
    with pytest.raises(TypeError, match="linear: b is a Tensor; pass it by position"):
        ops.linear(leaf(2, 3), leaf(3, 4), b=leaf(4))


@pytest.mark.parametrize(("error", "message", "compute"), [
    (ValueError, r"add: .*\(8, 64\), \(8, 65\)", lambda: leaf(8, 64) + leaf(8, 65)),
    (IndexError, r"getitem: .*\(2, 3\)", lambda: leaf(2, 3)[5]),
    (IndexError, r"getitem: .*\(2, 3\)", lambda: leaf(2, 3)[0, 0, 0]),
    (IndexError, r"sum: .*\(2, 3\)", lambda: leaf(2, 3).sum(2)),
    (TypeError, r"add: .*NoneType.*\(2, 3\)", lambda: leaf(2, 3) + None),
    (TypeError, "len: this tensor has no axes", lambda: len(Tensor(1.0))),
])
def test_errors_name_the_operation_and_the_shapes(error, message, compute):
    with pytest.raises(error, match=message):
        compute()


def test_mixed_devices_are_named(device):
    if device == "cpu":
        pytest.skip("there is only one device")
    x = leaf(3)
    for compute in (lambda: x.to(device) + x, lambda: x + x.to(device), lambda: x.to(device) * np.ones(3, np.float32)):
        with pytest.raises(TypeError, match="arguments on cpu and cuda; move them"):
            compute()
