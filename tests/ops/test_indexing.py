"""Picking elements, by indices that were chosen and by indices drawn at random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, booleans, check, integers

BASIC = {"int": 1, "negative": -1, "slice": slice(0, 2), "step": slice(None, None, -2), "dots": (..., 0),
         "newaxis": (slice(None), None), "mixed": (0, slice(1, None), None, -1), "list": [0, 2, 2], "empty": []}

CASES = [
    *[Case(lambda x, index=index: x[index], (3, 4, 2), name=f"getitem-{name}",
           numpy=lambda x, index=index: x[np.array(index, int) if isinstance(index, list) else index])
      for name, index in BASIC.items()],
    Case(lambda x, i: x[i], (3, 4), integers(3, 5), numpy=lambda x, i: x[i], name="getitem"),
    Case(lambda x, i: x[i, :, None], (3, 4), integers(3, 2, 2), numpy=lambda x, i: x[i, :, None], name="getitem-:None"),
    Case(lambda x, i, j: x[i, ..., j], (3, 4, 2), integers(3, 5), integers(2, 1), numpy=lambda x, i, j: x[i, ..., j],
         name="getitem-pairs"),
    Case(lambda x, m: x[m], (3, 4), booleans(3, 4), numpy=lambda x, m: x[m], name="getitem-mask"),
    Case(lambda x, m: x[:, m], (3, 4), booleans(4), numpy=lambda x, m: x[:, m], name="getitem-:mask"),
    *[Case(ops.take, (3, 4), integers(3, *shape), axis=axis, numpy=np.take)
      for shape, axis in [((5,), 0), ((2, 2), 0), ((6,), 1), ((2, 3), -1), ((), 0)]],
    *[Case(ops.take_along_axis, (3, 4, 2), indices, axis=axis, numpy=np.take_along_axis)
      for indices, axis in [(integers(4, 3, 5, 2), 1), (integers(4, 3, 5, 1), 1), (integers(3, 2, 4, 2), 0),
                            (integers(2, 3, 4, 1), -1)]],
]


def test_op(case, device):
    check(case, device)


@pytest.mark.parametrize(("error", "message", "compute"), [
    (IndexError, r"getitem: .*out of bounds.*\(2, 3\)", lambda x: x[2]),
    (IndexError, r"getitem: .*boolean.*\(2, 3\), \(3,\)", lambda x: x[np.array([True, False, True])]),
    (IndexError, r"getitem: .*integer.*\(2, 3\)", lambda x: x[np.array([0.5])]),
    (IndexError, r"take: .*out of bounds.*\(2, 3\)", lambda x: ops.take(x, np.array([3]), axis=1)),
    (IndexError, r"take_along_axis: .*\(2, 3\)", lambda x: ops.take_along_axis(x, np.array([[3], [0]]), 1)),
    (IndexError, r"take_along_axis: axis 2 does not exist in \(2, 3\)",
     lambda x: ops.take_along_axis(x, np.array([[0]]), 2)),
    (ValueError, r"take_along_axis: indices: expected as many axes as x \(2, 3\) has, got \(1,\)",
     lambda x: ops.take_along_axis(x, np.array([0]), 1)),
    (IndexError, r"take: axis -3 does not exist in \(2, 3\)", lambda x: ops.take(x, [0], axis=-3)),
    (IndexError, r"take: indices: expected integers, got dtype bool", lambda x: ops.take(x, np.array([True, False]))),
    (IndexError, r"take_along_axis: indices: expected integers, got dtype float",
     lambda x: ops.take_along_axis(x, np.array([[0.0]]), 0)),
])
def test_wrong_indices(error, message, compute):
    with pytest.raises(error, match=message):
        compute(Tensor(np.ones((2, 3))))


def test_an_element_taken_twice_gets_both_gradients():
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    for y in (x[[0, 0, 2]], ops.take(x, np.array([0, 0, 2]))):
        np.testing.assert_array_equal(grad(y.sum(), [x])[0], [[2, 2], [0, 0], [1, 1]])


class ArrayLike:
    """What NumPy makes an array of, as a column of a table or another library's tensor is."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype) if copy else self.array


@pytest.mark.parametrize("form", [tuple, list, ArrayLike, np.array, Tensor, lambda n: [Tensor(i) for i in n],
                                  lambda n: np.array(n, np.int8), lambda n: np.array(n, ndmin=2)])
@pytest.mark.parametrize("places", [[0, 0], [2, 1, 2], [-1, 2]])
def test_whatever_names_a_place_twice_gives_it_both_gradients(form, places):
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    index = form(places)
    y = x[:, index]
    np.testing.assert_array_equal(y.data.reshape(2, -1), x.data[:, places])
    expected = np.bincount(np.array(places) % 3, minlength=3)
    np.testing.assert_array_equal(grad(y.sum(), [x])[0], [expected, expected])
    if not isinstance(index, np.ndarray):
        np.testing.assert_array_equal(grad(ops.take(x, index, axis=1).sum(), [x])[0], [expected, expected])


@pytest.mark.parametrize("pick", [lambda x, i: x[i], lambda x, i: ops.take(x, i),
                                  lambda x, i: ops.take_along_axis(x, i, 0), lambda x, i: x[ArrayLike(i)]])
@pytest.mark.parametrize("form", [list, np.array])
def test_an_index_changed_later_does_not_reach_the_graph(pick, form):
    x, index = Tensor(np.ones(3), requires_grad=True), form([0, 2])
    y = pick(x, index)
    index[0] = 1
    np.testing.assert_array_equal(grad(y.sum(), [x])[0], [1, 0, 1])


def indices(shape):
    """Basic, integer-array and boolean indices."""
    integers = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    return st.one_of(hnp.basic_indices(shape, allow_newaxis=True), integers, hnp.arrays(bool, shape),
                     hnp.arrays(bool, shape[:1]), st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_index(data):
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=4))
    index = data.draw(indices(shape))
    x = Tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.data, x.data[np.asarray(index, int) if isinstance(index, list) else index])
    w = np.random.default_rng(1).standard_normal(y.shape)
    places = np.arange(x.size).reshape(shape)[np.asarray(index, int) if isinstance(index, list) else index]
    expected = np.bincount(np.ravel(places), np.ravel(w), x.size).reshape(shape)
    np.testing.assert_allclose(grad((y * w).sum(), [x])[0], expected, rtol=1e-12, atol=1e-12)


def test_tensors_as_indices():
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3)), requires_grad=True)
    rows = Tensor([0, 0, 3])
    np.testing.assert_array_equal(x[rows, 1].data, x.data[[0, 0, 3], 1])
    np.testing.assert_array_equal(grad(x[rows].sum(), [x])[0], [[2] * 3, [0] * 3, [0] * 3, [1] * 3])
    mask = x > 0
    np.testing.assert_array_equal(grad(x[mask].sum(), [x])[0], (x.data > 0))
