"""The engine: graphs, memory, threads."""

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minivit import Tensor, grad, no_grad, ops, primitive
from minivit.engine import intercept_operations


def leaf(*shape, seed=0, dtype=np.float32):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


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


def test_gradients_of_what_was_computed_on_the_way():
    a = Tensor(3.0, requires_grad=True)
    b = a * 2
    c = b * b
    d_c, d_b, d_a, again = grad((c + b).sum(), [c, b, a, b])
    assert (d_c, d_b, d_a, again) == (1, 13, 26, 13)
    assert not np.may_share_memory(d_b, again)
    unused = a + 1
    assert grad(a * 2, [unused, a]) == [0, 2]
    loss = a * a
    assert grad(loss, [loss]) == [1]


def test_gradients_on_the_way_are_nobody_elses_memory():
    x = leaf(3)
    y = x.exp()
    z = y.reshape(3)
    dx, dy, dz = grad((z + y).sum(), [x, y, z])
    for one, other in ((dx, dy), (dx, dz), (dy, dz)):
        assert not np.may_share_memory(one, other)
    np.testing.assert_array_equal(dy, [2, 2, 2])
    np.testing.assert_array_equal(dz, [1, 1, 1])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("+*-"), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12))
def test_the_gradient_with_respect_to_any_tensor_of_any_graph(steps):
    tensors = [Tensor(np.array(value), requires_grad=True) for value in (0.7, -1.3)]
    derivatives = [np.eye(2)[0], np.eye(2)[1]]  # of each tensor with respect to the two leaves
    for sign, i, j in steps:
        (x, dx), (y, dy) = ((tensors[k % len(tensors)], derivatives[k % len(tensors)]) for k in (i, j))
        tensors.append(x * y if sign == "*" else x + y if sign == "+" else x - y)
        derivatives.append(y.item() * dx + x.item() * dy if sign == "*" else dx + (1 if sign == "+" else -1) * dy)
    found = grad(tensors[-1] * 1.0, tensors)
    np.testing.assert_allclose([found[0], found[1]], derivatives[-1], rtol=1e-9, atol=1e-9)
    assert found[-1] == 1


@pytest.mark.parametrize(("error", "message", "wanted"), [
    (TypeError, r"grad: tensors: expected a list of Tensors, got one Tensor; write grad\(loss, \[x\]\)", lambda x: x),
    (TypeError, r"grad: tensors\[1\]: expected a Tensor, got ndarray", lambda x: [x, x.data]),
    (TypeError, r"grad: tensors\[0\]: expected a Tensor, got str", lambda x: {"weight": x}),
    (ValueError, r"grad: tensors\[0\] of shape \(3,\) does not require a gradient", lambda x: [Tensor(x.data)]),
    (ValueError, r"grad: tensors\[1\] of shape \(\) does not require a gradient", lambda x: [x, Tensor(1)]),
    (ValueError, r"grad: tensors\[0\] of shape \(3,\) does not require a gradient", lambda x: [x.detach()]),
])
def test_what_has_no_gradient_is_an_error_and_not_zeros(error, message, wanted):
    x = leaf(3)
    with pytest.raises(error, match=message):
        grad((x * x).sum(), wanted(x))
    with pytest.raises(TypeError, match="grad: loss: expected a Tensor, got float"):
        grad((x * x).sum().item(), [x])


def test_requires_grad_switched_on_too_late_is_noticed():
    x, w = Tensor([1.0, 2.0]), leaf(2)
    loss = (x * w).sum()
    x.requires_grad = True
    with pytest.raises(RuntimeError, match="requires_grad of an argument of 'mul' was switched on after it was used"):
        grad(loss, [x, w])


def test_tensors_may_come_from_a_generator():
    x = leaf(3)
    np.testing.assert_allclose(grad((x * x).sum(), (t for t in [x]))[0], 2 * x.data)


@pytest.mark.parametrize("function", [
    lambda x: x.mean(1) + x.mean(1), lambda x: x.mean() + x.mean() + x.sum(),
    lambda x: ops.expand(x, (3, 1)) + x.var(1, keepdims=True) + x.mean(1, keepdims=True)])
def test_sums_over_axes_of_length_one_add_up(function):
    """Their gradients are views that may not be written to."""
    x = Tensor(np.array([[2.0], [3], [5]]), requires_grad=True)
    w = np.random.default_rng(0).standard_normal(function(x).shape)
    found, = grad((function(x) * w).sum(), [x])

    def along(h, i):
        return (function(Tensor(x.data + h * np.eye(3)[:, i:i + 1])).data * w).sum()
    np.testing.assert_allclose(found[:, 0], [(along(1e-6, i) - along(-1e-6, i)) / 2e-6 for i in range(3)], rtol=1e-6)


def test_a_gradient_that_is_left_out_or_misshapen_is_an_error():
    @primitive
    def first_only(x, y):
        return x + y, lambda dz: dz

    @primitive
    def turned(x):
        return x * 1, lambda dy: dy.T

    x, y = leaf(2, 3), leaf(2, 3)
    np.testing.assert_array_equal(grad(first_only(x, y.data).sum(), [x])[0], np.ones((2, 3)))
    with pytest.raises(TypeError, match="first_only: argument 2 has no gradient; pass its values alone"):
        grad(first_only(x, y).sum(), [x])
    with pytest.raises(ValueError, match=r"a pullback returned shape \(3, 2\) for an argument of shape \(2, 3\)"):
        grad(turned(x).sum(), [x])


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
    with intercept_operations(note):
        (x.exp() * 2).sum(0)
    x.exp()
    assert calls == ["exp", "mul", "sum"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_broadcasting(data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3))
    x, y = (leaf(*shape, seed=i, dtype=np.float64) for i, shape in enumerate(shapes.input_shapes))
    w = np.random.default_rng(2).standard_normal(shapes.result_shape)
    dx, dy = grad((x * y * w).sum(), [x, y])
    for t, other, dt in ((x, y, dx), (y, x, dy)):
        places = np.broadcast_to(np.arange(t.size).reshape(t.shape), w.shape)
        expected = np.bincount(places.ravel(), (w * other.data).ravel(), t.size)
        np.testing.assert_allclose(dt, expected.reshape(t.shape), rtol=1e-12, atol=1e-12)
