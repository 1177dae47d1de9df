"""The engine: graphs, memory, threads, and everything that must not be a silent wrong gradient."""

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minivit import Tensor, grad, no_grad, ops, primitive
from minivit.engine import interpret


def leaf(*shape, seed=0, dtype=np.float32):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def positions(shape):
    """Each element's place in the flattened array."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


# graphs

def test_backward_fills_grad_and_adds_to_it():
    x = leaf(3)
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * x.data)
    (3 * x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * x.data + 3)


def test_grad_touches_nothing_and_gives_zeros_where_nothing_depends():
    x, y = leaf(3), leaf(2)
    dx, dy = grad((x * x).sum(), [x, y])
    np.testing.assert_allclose(dx, 2 * x.data)
    np.testing.assert_array_equal(dy, np.zeros(2))
    assert x.grad is None
    assert dy.dtype == np.float32


def test_a_loss_that_is_a_leaf_has_gradient_one():
    x = Tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad == 1


def test_diamonds_are_walked_once():
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(60):  # 2 ** 60 paths
        y = y + y
    y.backward()
    assert x.grad == 2.0 ** 60


def test_a_chain_of_ten_thousand():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y * 1.0001
    y.backward()
    assert x.grad == pytest.approx(1.0001 ** 10_000, rel=1e-3)


def test_a_chain_that_is_never_run_backward_is_freed():
    x = y = Tensor(1.0, requires_grad=True)
    for step in range(10_000):
        y = -y
        if step == 0:
            first = weakref.ref(y)
    del y
    gc.collect()
    assert first() is None
    assert x.grad is None


def test_a_second_backward_says_that_the_graph_was_freed():
    x = leaf(3)
    y = x.exp()
    loss = y.sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        loss.backward()
    with pytest.raises(RuntimeError, match="'exp' was freed by an earlier backward"):
        (y * 2).sum().backward()


def test_backward_needs_one_element_that_depends_on_something():
    with pytest.raises(ValueError, match=r"one element, got shape \(3,\)"):
        leaf(3).exp().backward()
    with pytest.raises(RuntimeError, match="no tensor with requires_grad"):
        Tensor(1.0).exp().backward()


def test_an_argument_without_gradient_ends_the_walk():
    @primitive
    def first_only(x, y):
        return x + y, lambda dz: (dz, None)

    x, y = leaf(3), leaf(3)
    dx, dy = grad(first_only(x, y.exp()).sum(), [x, y])
    np.testing.assert_array_equal(dx, np.ones(3))
    np.testing.assert_array_equal(dy, np.zeros(3))


def test_a_costly_gradient_is_computed_only_if_it_is_needed():
    @primitive
    def product(x, y):
        def dy():
            raise AssertionError("nobody asked")
        return x * y, lambda dz: (lambda: dz * y, dy)

    x = leaf(3)
    product(x, Tensor(np.ones(3, np.float32))).sum().backward()
    np.testing.assert_array_equal(x.grad, np.ones(3))


# memory

def test_values_that_no_pullback_keeps_are_freed_in_the_forward_pass():
    x = leaf(3)
    y = x + 1
    freed = weakref.ref(y)
    y = y + 1
    assert freed() is None
    y.sum().backward()


def test_what_a_pullback_holds_is_freed_before_the_next_one_runs():
    kept, freed = [], []

    @primitive
    def keep(x, number):
        array = x.copy()
        kept.append(weakref.ref(array))

        def backward(dy):
            freed.append([ref() is None for ref in kept])
            return dy + 0 * array
        return array, backward

    y = leaf(3)
    for number in range(3):
        y = keep(y, number)
    y = y.sum()
    y.backward()
    assert freed == [[False, False, False], [False, False, True], [False, True, True]]
    assert all(ref() is None for ref in kept)


def test_gradients_never_share_memory():
    x, y, z = leaf(3), leaf(3), leaf(3)
    ((x + y) + z.reshape(3)).sum().backward()
    gradients = [x.grad, y.grad, z.grad]
    for i, first in enumerate(gradients):
        assert first.flags.writeable
        assert not any(np.may_share_memory(first, second) for second in gradients[:i])


def test_adding_up_does_not_write_to_what_another_rule_still_reads():
    x = leaf(4)
    y = x.exp()
    loss = (y + y).sum() + (y * y).sum() + y.reshape(2, 2).sum()
    np.testing.assert_allclose(grad(loss, [x])[0], np.exp(x.data) * (3 + 2 * np.exp(x.data)), rtol=1e-6)


# nothing changes behind the graph's back

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


# dtypes

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
    with pytest.raises(TypeError, match="floating-point dtype, got int"):
        Tensor([1, 2], requires_grad=True)


# who is recording

def test_no_grad_leaves_no_graph_and_ends_with_its_block():
    x = leaf(3)
    with no_grad():
        assert not x.exp().requires_grad
    assert x.exp().requires_grad
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert x.exp().requires_grad


def test_no_grad_is_per_thread():
    inside, done, seen = threading.Event(), threading.Event(), []

    def other():
        with no_grad():
            inside.set()
            done.wait(10)
            seen.append(leaf(3).exp().requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    seen.append(leaf(3).exp().requires_grad)
    done.set()
    thread.join(10)
    assert seen == [True, False]


def test_threads_share_parameters_and_get_the_gradients_of_one():
    w, b = leaf(8, 4), leaf(4, seed=1)
    batches = [np.random.default_rng(i).standard_normal((16, 8)).astype(np.float32) for i in range(8)]

    def gradients(batch):
        return grad((ops.linear(Tensor(batch), w, b).tanh() ** 2).mean(), [w, b])

    alone, together = [gradients(batch) for batch in batches], [None] * len(batches)
    threads = [threading.Thread(target=lambda i=i: together.__setitem__(i, gradients(batches[i]))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_interpreter_runs_every_operation_in_its_block():
    calls = []

    def note(function, arrays, settings):
        calls.append(function.__name__)
        return function(*arrays, **settings)

    x = leaf(3)
    with interpret(note):
        (x.exp() * 2).sum(0)
    x.exp()
    assert calls == ["exp", "mul", "sum"]


# what goes wrong says so

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


# a Tensor in Python

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


# broadcasting and indexing, on shapes and indices that nobody thought of

@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broadcasting(data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3))
    x, y = (leaf(*shape, seed=i, dtype=np.float64) for i, shape in enumerate(shapes.input_shapes))
    w = np.random.default_rng(2).standard_normal(shapes.result_shape)
    dx, dy = grad((x * y * w).sum(), [x, y])
    for t, other, dt in ((x, y, dx), (y, x, dy)):
        places = np.broadcast_to(positions(t.shape), w.shape)
        expected = np.bincount(places.ravel(), (w * other.data).ravel(), t.size)
        np.testing.assert_allclose(dt, expected.reshape(t.shape), rtol=1e-12, atol=1e-12)


def indices(shape):
    """Basic, integer-array and boolean indices."""
    integers = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    return st.one_of(hnp.basic_indices(shape, allow_newaxis=True), integers, hnp.arrays(bool, shape),
                     hnp.arrays(bool, shape[:1]), st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_indexing(data):
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=4))
    index = data.draw(indices(shape))
    x = leaf(*shape, dtype=np.float64)
    y = x[index]
    np.testing.assert_array_equal(y.data, x.data[np.asarray(index, int) if isinstance(index, list) else index])
    w = np.random.default_rng(1).standard_normal(y.shape)
    places = positions(shape)[np.asarray(index, int) if isinstance(index, list) else index]
    expected = np.bincount(np.ravel(places), np.ravel(w), x.size).reshape(shape)
    np.testing.assert_allclose(grad((y * w).sum(), [x])[0], expected, rtol=1e-12, atol=1e-12)


def test_indexing_with_tensors():
    x = leaf(4, 3)
    rows = Tensor([0, 0, 3])
    np.testing.assert_array_equal(x[rows, 1].data, x.data[[0, 0, 3], 1])
    np.testing.assert_array_equal(grad(x[rows].sum(), [x])[0], [[2] * 3, [0] * 3, [0] * 3, [1] * 3])
    mask = x > 0
    np.testing.assert_array_equal(grad(x[mask].sum(), [x])[0], (x.data > 0))
