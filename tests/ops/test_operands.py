"""What every operation makes of lists, whole numbers, half precision, empty arrays and numbers without axes."""

import numpy as np
import pytest
from scipy import special

from minivit import Tensor, grad, ops

ROWS = 70_000  # more than the largest number of float16, 65,504
UNARY = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh,
         "erf": special.erf, "abs": np.abs, "neg": np.negative}
REDUCED = {"sum": np.sum, "mean": np.mean, "var": np.var, "std": np.std, "norm": np.linalg.norm, "prod": np.prod,
           "max": np.max, "min": np.min, "logsumexp": special.logsumexp, "cumsum": np.cumsum, "argmax": np.argmax,
           "softmax": special.softmax, "log_softmax": special.log_softmax, "sort": np.sort, "argsort": np.argsort}
BINARY = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "maximum": np.maximum,
          "minimum": np.minimum, "pow": lambda x, y: x ** (y % 3)}
MOVED = {
    "reshape": lambda x: ops.reshape(x, (x.shape[1], x.shape[0])), "transpose": ops.transpose, "flip": ops.flip,
    "roll": lambda x: ops.roll(x, 1, 0), "repeat": lambda x: ops.repeat(x, 2, 0), "tril": ops.tril,
    "pad": lambda x: ops.pad(x, ((1, 0), (0, 1))), "stack": lambda x: ops.stack([x, x]),
    "concatenate": lambda x: ops.concatenate([x, x], 1), "getitem": lambda x: ops.getitem(x, slice(0, 1)),
    "take": lambda x: ops.take(x, [0, 0], 1), "unsqueeze": lambda x: ops.unsqueeze(x, 0),
    "expand": lambda x: ops.expand(x, (2, *x.shape)), "where": lambda x: ops.where(x > 0, x, x),
    "clip": lambda x: ops.clip(x, 1, 100), "masked_fill": lambda x: ops.masked_fill(x, x > 3, 0),
}
PRODUCTS = {"matmul": lambda x, y: ops.matmul(x, y), "linear": lambda x, y: ops.linear(x, y),
            "einsum": lambda x, y: ops.einsum("ik,kj->ij", x, y)}
WHOLE = [np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.uint64]


def whole_numbers(dtype, shape=(3, 4)):
    """Numbers up to the largest of a dtype, or up to 300."""
    high = 2 if dtype is np.bool_ else min(np.iinfo(dtype).max, 300)
    return np.random.default_rng(0).integers(1, high, shape, endpoint=True).astype(dtype)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", [*UNARY, *REDUCED])
def test_whole_numbers_of_one_argument(name, dtype):
    array = whole_numbers(dtype)
    if name == "neg" and dtype is np.bool_:
        with pytest.raises(TypeError, match="neg: .*boolean"):
            ops.neg(array)
        return
    setting = {"axis": 1} if name in REDUCED else {}
    value = getattr(ops, name)(Tensor(array), **setting)
    reference = (UNARY | REDUCED)[name](array.astype(np.int64 if name in ("prod", "cumsum") else np.float64), **setting)
    np.testing.assert_allclose(value.data.astype(float), reference, rtol=1e-12)
    assert value.dtype.kind != "f" or value.dtype == np.float64


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", BINARY)
def test_whole_numbers_of_two_arguments(name, dtype):
    x, y = whole_numbers(dtype), whole_numbers(dtype)[::-1]
    if dtype is np.bool_:  # NumPy's and PyTorch's rules of truths: and, or, no difference
        if name in ("sub", "pow"):
            return
        np.testing.assert_array_equal(getattr(ops, name)(Tensor(x), y).data, BINARY[name](x, y))
        return
    exact = BINARY[name](x.astype(np.int64), y.astype(np.int64))
    value = getattr(ops, name)(Tensor(x), y % 3 if name == "pow" else y).data
    np.testing.assert_allclose(value, exact, rtol=1e-12)
    for number in (-3, 1000, 2.5):
        if name == "pow":
            number = abs(number) / 500
        np.testing.assert_allclose(getattr(ops, name)(Tensor(x), number).data,
                                   getattr(ops, name)(x.astype(np.float64), number).data, rtol=1e-12)


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("name", PRODUCTS)
def test_whole_numbers_in_products(name, dtype):
    x, y = whole_numbers(dtype, (3, 64)), whole_numbers(dtype, (64, 2))
    np.testing.assert_array_equal(PRODUCTS[name](Tensor(x), y).data, x.astype(int) @ y.astype(int))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_])
@pytest.mark.parametrize("name", MOVED)
def test_whole_numbers_that_move(name, dtype):
    array = whole_numbers(dtype)
    if dtype is np.bool_ and name == "clip":
        return
    np.testing.assert_array_equal(MOVED[name](Tensor(array)).data, MOVED[name](Tensor(array.astype(float))).data)


def test_numbers_that_64_bits_do_not_hold_are_refused():
    with pytest.raises(ValueError, match=r"add: whole numbers above 2\^63 - 1"):
        Tensor(np.array([2 ** 63], np.uint64)) + 1


def test_a_power_of_floating_point_by_whole_numbers_has_its_gradient():
    x = Tensor(np.array([1.5, 2.5]), requires_grad=True)
    np.testing.assert_allclose(grad((x ** np.array([2, 3])).sum(), [x])[0], [3, 3 * 2.5 ** 2])


@pytest.mark.parametrize("name", ["mean", "var", "std", "norm", "sum", "logsumexp", "softmax", "log_softmax", "max",
                                  "cumsum"])
@pytest.mark.parametrize("axis", [0, None])
@pytest.mark.filterwarnings("ignore:overflow")
def test_half_precision_neither_stands_still_nor_overflows_on_the_way(name, axis):
    if axis is None and "softmax" in name:
        return
    array = np.ones((ROWS, 1), np.float16)
    array[::2] = 1.5
    x, exact = (Tensor(a, requires_grad=True) for a in (array, array.astype(np.float64)))
    y, reference = (getattr(ops, name)(a, axis=axis) for a in (x, exact))
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.data, reference.data.astype(np.float16), rtol=2e-3)
    weights = np.random.default_rng(0).integers(1, 3, y.shape).astype(np.float16)
    ours, theirs = (grad((a.astype(np.float64) * weights.astype(np.float64)).sum(), [b])[0]
                    for a, b in ((y, x), (reference, exact)))
    assert ours.dtype == np.float16
    np.testing.assert_allclose(ours, theirs.astype(np.float16), rtol=2e-3, atol=2e-7)


@pytest.mark.parametrize("compute", [
    lambda b: Tensor(np.ones((5000, 2), np.float16)) + b, lambda b: ops.expand(b, (5000, 2)),
    lambda b: b[np.zeros(5000, int)], lambda b: ops.take(b, np.zeros(5000, int)), lambda b: b.repeat(5000, 0),
    lambda b: b.repeat([5000, 1], 0), lambda b: ops.linear(Tensor(np.ones((5000, 2), np.float16)),
                                                           Tensor(np.ones((2, 2), np.float16)), b),
    lambda b: ops.einsum("ij,j->ij", Tensor(np.ones((5000, 2), np.float16)), b),
    lambda b: ops.einsum("ij,j->j", Tensor(np.ones((5000, 2), np.float16)), b)])
def test_half_precision_counts_beyond_2048_in_gradients(compute):
    b = Tensor(np.ones(2, np.float16), requires_grad=True)
    assert grad(compute(b).astype(np.float64)[:5000].sum(), [b])[0][0] == 5000


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum"])
@pytest.mark.parametrize("form", [list, tuple])
def test_a_list_takes_the_dtype_of_the_tensor_beside_it(name, form, dtype):
    x = Tensor(np.array([[1, 2, 3], [4, 5, 6]], dtype), requires_grad=True)
    for given in ([1.5, 2.0, 3.0], [1, 2, 3], [[2], [3.5]]):
        given, array = form(given), np.array(given, dtype)
        for ours, theirs in ((getattr(ops, name)(x, given), BINARY[name] if name != "pow" else np.power),
                             (getattr(ops, name)(given, x), lambda a, b: (BINARY[name] if name != "pow" else np.power)(
                                 b, a))):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours.data, theirs(x.data, array), rtol=1e-6)


def test_lists_in_operators_products_and_choices():
    x = Tensor([[0.1, 2.0], [3.0, 4.0]], requires_grad=True)
    for y in ([1, 2] * x, x - [1.0, 2.0], x @ [[1.0], [2.0]], [[1.0, 2.0]] @ x, ops.where([True, False], x, [1.0, 2.0]),
              ops.linear(x, [[1.0], [2.0]], [0.5]), ops.clip(x, [0.0, 1.0], 3.0), ops.einsum("ij,j->i", x, [1.0, 2.0])):
        assert y.dtype == np.float32
        assert y.requires_grad
    np.testing.assert_array_equal((x == [0.1, 2.0]).data, [[True, True], [False, False]])  # as x == 0.1 is
    with pytest.raises(TypeError, match=r"take: expected a Tensor or an array, got a list; write Tensor"):
        ops.take([[1.0]], np.array([0]))


def test_what_numpy_makes_an_array_of_is_an_operand_of_its_own_dtype():
    class Column:
        def __init__(self, array):
            self.array = array

        def __array__(self, dtype=None, copy=None):
            return np.array(self.array, dtype=dtype) if copy else self.array

    x, column = Tensor(np.ones(2, np.float32), requires_grad=True), Column(np.array([2.0, 3.0], np.float32))
    y = x * column
    column.array[:] = 0  # its owner changes it
    np.testing.assert_array_equal(grad(y.sum(), [x])[0], [2, 3])
    with pytest.raises(TypeError, match="mul: arguments of dtype float32 and float64 do not go together"):
        x * Column(np.ones(2))


def test_numbers_alone_are_float32():
    mask = np.array([True, False])
    for y in (ops.where(mask, 1.0, 0.0), ops.where(mask, 1, 0.5), ops.exp(1.0), ops.add(1.0, 2.0), ops.sum([1.0, 2.0]),
              ops.softmax([1.0, 2.0]), ops.maximum(1.0, [2.0])):
        assert y.dtype == np.float32
    assert ops.where(mask, 1, 0).dtype == np.int64
    assert ops.where(mask, True, False).dtype == bool


@pytest.mark.parametrize("array", [np.matrix([[1.0, 2], [3, 4]]), np.array([[1, 2], [3, 4]], ">f8")])
def test_other_kinds_of_arrays_become_plain_ones(array):
    plain = np.array([[1.0, 2], [3, 4]])
    x = Tensor(plain, requires_grad=True)
    for y in (x * array, Tensor(array) * plain, ops.mul(array, x)):
        assert type(y.data) is np.ndarray
        assert y.dtype.isnative
        np.testing.assert_array_equal(y.data, plain * plain)
    for refused in (lambda: Tensor(np.ma.array([1.0], mask=[True])), lambda: x * np.ma.array(plain, mask=plain > 2)):
        with pytest.raises(TypeError, match="expected an array, got a masked array"):
            refused()


@pytest.mark.filterwarnings("ignore:Mean of empty", "ignore:Degrees of freedom", "ignore:invalid value",
                            "ignore:divide by zero")
@pytest.mark.parametrize("name", [*UNARY, *REDUCED, *MOVED])
def test_an_empty_batch_goes_through(name):
    x = Tensor(np.ones((0, 4)), requires_grad=True)
    operation = MOVED.get(name) or getattr(ops, name)
    y = operation(x, axis=1) if name in REDUCED else operation(x)
    full = operation(Tensor(np.ones((2, 4))), axis=1) if name in REDUCED else operation(Tensor(np.ones((2, 4))))
    assert y.size == 0 or name == "pad"
    assert y.ndim == full.ndim
    if y.requires_grad:
        assert grad(y.sum(), [x])[0].shape == (0, 4)
    if name in REDUCED and name not in ("max", "min", "argmax"):
        across = operation(x, axis=0)  # over the empty axis itself
        assert not across.requires_grad or grad(across.sum(), [x])[0].shape == (0, 4)


@pytest.mark.parametrize("name", [*UNARY, *(name for name in REDUCED if name not in ("sort", "argsort", "cumsum"))])
def test_a_number_without_axes_goes_through(name):
    x = Tensor(np.array(0.7), requires_grad=True)
    for axis in ((None, 0, -1) if name in REDUCED else (None,)):
        y = getattr(ops, name)(x, axis=axis) if name in REDUCED else getattr(ops, name)(x)
        assert y.shape == ()
        np.testing.assert_allclose(y.data, (UNARY | REDUCED)[name](0.7), atol=1e-12)
        if y.requires_grad:
            assert np.isfinite(grad(y, [x])[0])


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "norm", "prod", "cumsum", "max", "min", "logsumexp",
                                  "argmax", "argmin", "argsort", "any", "all", "sort", "softmax", "log_softmax", "flip",
                                  "topk", "take", "take_along_axis", "repeat", "split", "concatenate", "stack",
                                  "squeeze", "roll"])
@pytest.mark.parametrize("axis", [5, -5, 3, -4])
def test_an_axis_that_does_not_exist_is_an_error(name, axis):
    x = Tensor(np.ones((2, 1, 2)))
    extra = {"topk": (1,), "take": ([0],), "take_along_axis": (np.zeros((2, 1, 2), int),), "repeat": (2,),
             "split": (1,), "roll": (1,)}
    x = [x, x] if name in ("concatenate", "stack") else x
    if name == "stack" and axis in (3, -4):
        return
    with pytest.raises(IndexError, match=rf"{name}: axis {axis} does not exist in \(.*2, 1, 2\)"):
        getattr(ops, name)(x, *extra.get(name, ()), axis=axis)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "max", "logsumexp", "softmax", "argmax", "flip", "concatenate",
                                  "stack", "split", "topk"])
def test_numpys_integers_are_axes_and_other_names_are_told(name):
    x = Tensor(np.ones((2, 3)))
    extra = {"split": (1,), "topk": (1,)}.get(name, ())
    x = [x, x] if name in ("concatenate", "stack") else x
    getattr(ops, name)(x, *extra, axis=np.int64(1))
    with pytest.raises(TypeError, match=f"{name}: there is no 'dim'; the name here is 'axis'"):
        getattr(ops, name)(x, *extra, dim=1)
    with pytest.raises(TypeError, match=f"{name}: axis: expected an integer, got 1.5"):
        getattr(ops, name)(x, *extra, axis=1.5)
