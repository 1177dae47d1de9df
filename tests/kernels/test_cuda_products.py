"""Products by cuBLASLt: equal to NumPy's for every way in which arrays can lie, in place, without copies."""

import inspect
import re

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from minivit.backend import asnumpy, module_for, to_device
from minivit.precision import product_precision
from tests import cublaslt_stand_in, cupy_stand_in
from tests.kernels.comparison import assert_close, draw

class Numbers:
    """An array of the device and the same of the host, in the same layout, inside of memory that is watched."""

    def __init__(self, rng, shape, order, gaps, repeated=()):
        """Axes lie in `order`, outermost first; gaps[i] numbers are left out behind each index of axis i."""
        stored = [1 if axis in repeated else shape[axis] + gaps[axis] for axis in order]
        self.host_memory = draw(rng, *stored)
        self.device_memory = module_for("cuda").asarray(self.host_memory)
        self.shape, self.order, self.repeated = shape, order, repeated
        self.host, self.device = (self.view(memory) for memory in (self.host_memory, self.device_memory))

    def view(self, memory):
        array = memory.transpose(*np.argsort(self.order).tolist())
        array = array[tuple(slice(0, n) for n in self.shape)]
        if not self.repeated:
            return array
        xp = np if isinstance(memory, np.ndarray) else module_for("cuda")
        return xp.broadcast_to(array, self.shape)


def any_operands(rng):
    """Numbers for x, y and out of random shapes, with axes that broadcast, in random layouts."""
    batch = rng.choice([1, 2, 3], rng.integers(4))
    n, k, m = rng.choice([1, 1, 2, 3, 5, 8], 3)
    shapes = [(*(size if rng.random() < 0.7 else 1 for size in batch[rng.integers(len(batch) + 1):]), *matrix)
              for matrix in ((n, k), (k, m))]
    shapes.append((*np.broadcast_shapes(*(shape[:-2] for shape in shapes)), n, m))
    for shape, may_repeat in zip(shapes, (True, True, False), strict=True):
        axes = np.arange(len(shape))
        order = axes if rng.random() < 0.5 else rng.permutation(axes)
        repeated = [axis for axis in axes[:-2] if may_repeat and rng.random() < 0.2]
        gaps = rng.choice([0, 0, 0, 1, 3], len(shape))
        yield Numbers(rng, tuple(map(int, shape)), order.tolist(), gaps.tolist(), repeated)


def assert_product(products, x, y, out=None):
    expected = x.host @ y.host
    result = products.multiply(x.device, y.device, out=None if out is None else out.device)
    assert_close(result.get(), expected, 1e-6 if module_for("cuda") is cupy_stand_in.CUPY else 2e-5)
    for numbers in (x, y):
        np.testing.assert_array_equal(numbers.device_memory.get(), numbers.host_memory)
    if out is not None:
        assert result is out.device
        out.host[...] = result.get()
        np.testing.assert_array_equal(out.device_memory.get(), out.host_memory)  # nothing was written beside it


@pytest.mark.parametrize("with_out", [False, True])
def test_any_layout(products, with_out):
    for seed in range(400):
        x, y, out = any_operands(np.random.default_rng(seed))
        try:
            assert_product(products, x, y, out if with_out else None)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}") from error


def heads_first(x, count, heads):
    """(B, N, count H d) -> count arrays (B, H, N, d)"""
    B, N, width = x.shape
    return x.reshape(B, N, count, heads, width // (count * heads)).transpose(2, 0, 3, 1, 4)


@pytest.fixture
def copies(monkeypatch):
    """How often the stand-in was asked for a contiguous array."""
    copies, original = [], cupy_stand_in.CUPY.ascontiguousarray

    def noted(array):
        copies.append(array.shape)
        return original(array)
    monkeypatch.setattr(cupy_stand_in.CUPY, "ascontiguousarray", noted, raising=False)
    return copies


def test_attention_multiplies_where_its_heads_lie(products, rng, copies):
    B, N, H, d = 4, 5, 3, 8
    q, k, v = heads_first(to_device(draw(rng, B, N, 3 * H * d), "cuda"), 3, H)
    out = heads_first(to_device(draw(rng, B, N, H * d), "cuda"), 1, H)[0]
    scores = products.multiply(q, k.swapaxes(-1, -2))
    assert products.multiply(scores, v, out=out) is out
    expected = (q.get() @ k.get().swapaxes(-1, -2)) @ v.get()
    assert_close(out.get(), expected, 2e-5)
    products.multiply(scores.swapaxes(-1, -2), out)
    assert not copies
    if module_for("cuda") is cupy_stand_in.CUPY:
        assert [count for _, count, *_ in cublaslt_stand_in.calls] == 3 * H * [B]


def test_tokens_times_a_matrix_are_one_product(products, rng, copies):
    x, w, dy = (to_device(draw(rng, *shape), "cuda") for shape in ((4, 5, 6), (6, 7), (4, 5, 7)))
    for one, other in ((x, w), (dy, w.T), (x.reshape(-1, 6).T, dy.reshape(-1, 7))):
        assert_close(products.multiply(one, other).get(), one.get() @ other.get(), 2e-6)
    assert not copies
    if module_for("cuda") is cupy_stand_in.CUPY:
        assert cublaslt_stand_in.calls == [("COMPUTE_32F", 1, False, False), ("COMPUTE_32F", 1, True, False),
                                           ("COMPUTE_32F", 1, False, True)]


@pytest.mark.parametrize(("x_shape", "y_shape"), [
    ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 4)), ((5, 2, 0), (5, 0, 4)),
    ((3,), (3, 4)), ((900,), (900, 70)), ((0,), (0, 4)), ((3,), (3, 0)), ((2, 3), (3,)), ((3,), (3,)),
    ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((1, 1), (1, 1))])
def test_edges(products, rng, x_shape, y_shape):
    x, y = draw(rng, *x_shape), draw(rng, *y_shape)
    for other in (to_device(y, "cuda"), to_device(y.T, "cuda").T):
        assert_close(products.multiply(to_device(x, "cuda"), other).get(), np.asarray(x @ y), 2e-6)


def test_what_cublaslt_cannot_read_is_copied(products, rng, copies):
    x = to_device(draw(rng, 6, 8), "cuda")
    for one, other in ((x[:, ::2], x[:4]), (x[::-1], x.T), (x.T[:, ::-1], x), (x[:3, ::-1], x[:, :8].T)):
        assert_close(products.multiply(one, other).get(), one.get() @ other.get(), 2e-6)
    windows = module_for("cuda").lib.stride_tricks.as_strided(x, (3, 4, 5), (16, 4, 16))  # columns that overlap
    assert_close(products.multiply(windows, x[:5]).get(), windows.get() @ x[:5].get(), 2e-6)
    if module_for("cuda") is cupy_stand_in.CUPY:
        assert len(copies) == 4


@pytest.mark.parametrize("name", ["float32", "tf32", "bfloat16"])
def test_precision(products, rng, name):
    x, y = (to_device(draw(rng, 64, 64), "cuda") for _ in range(2))
    with product_precision(name):
        result = products.multiply(x, y)
        products.multiply(x, y[0])  # not worth it for a vector
    tolerance = {"float32": 2e-6, "tf32": 2e-3, "bfloat16": 2e-2}[name]
    assert_close(result.get(), x.get() @ y.get(), tolerance)
    if module_for("cuda") is cupy_stand_in.CUPY:
        suffix = {"float32": "", "tf32": "_FAST_TF32", "bfloat16": "_FAST_16BF"}[name]
        assert [call[0] for call in cublaslt_stand_in.calls] == ["COMPUTE_32F" + suffix, "COMPUTE_32F"]


def test_what_has_no_algorithm_is_left_to_cupy(products, rng, monkeypatch):
    if module_for("cuda") is not cupy_stand_in.CUPY:
        pytest.skip("about the stand-in")
    x = to_device(draw(rng, 7, 7), "cuda")
    monkeypatch.setattr(cublaslt_stand_in, "NEEDED", 1 << 40)
    assert products.multiply(x, x) is NotImplemented
    assert products.multiply(x, x[0]) is NotImplemented
    assert products.multiply(x, x[:, ::2], out=x[:, ::2]) is NotImplemented
    assert products.multiply(x, x, out=to_device(draw(rng, 7, 6), "cuda")) is NotImplemented
    assert_close(ops.matmul(Tensor(x), Tensor(x)).data.get(), x.get() @ x.get())


@pytest.fixture
def without_cublas(monkeypatch):
    """The stand-in without CuPy's own products, as while it captures a graph."""
    def refuse(*args, **settings):
        raise NotImplementedError("CuPy's own product")
    for name in ("matmul", "einsum", "dot"):
        monkeypatch.setattr(cupy_stand_in.CUPY, name, refuse, raising=False)
    monkeypatch.setattr(cupy_stand_in.ndarray, "__matmul__", refuse)


def test_operations_take_the_fast_form(products, without_cublas, rng):
    """Forward and backward pass of linear layers, of attention and of a convolution."""
    x, w, b, kernel = draw(rng, 2, 5, 6), draw(rng, 6, 18), draw(rng, 18), draw(rng, 2, 2, 3, 4)
    results = []
    for device in ("cpu", "cuda"):
        tensors = [Tensor(to_device(array, device), requires_grad=True) for array in (x, w, b, kernel, b[:4])]
        out = ops.self_attention(ops.linear(*tensors[:3]), heads=3)  # (2, 5, 6)
        out = ops.conv2d(ops.reshape(out, (1, 5, 4, 3)), *tensors[3:])
        results.append([asnumpy(array) for array in (out.data, *grad((out * out).sum(), tensors))])
    for expected, ours in zip(*results, strict=True):
        assert_close(ours, expected, 1e-5)


USED = ["create", "matmul", "matmul_algo_get_heuristic", "matmul_desc_create", "matmul_desc_set_attribute",
        "matmul_preference_create", "matmul_preference_destroy", "matmul_preference_set_attribute",
        "matrix_layout_create", "matrix_layout_set_attribute"]


def test_the_stand_in_has_the_signatures_of_nvidias_bindings():
    pytest.importorskip("nvmath")
    from nvmath import CudaDataType
    from nvmath.bindings import cublas, cublasLt
    for name in USED:
        parameters = re.search(r"\((.*?)\)", getattr(cublasLt, name).__doc__)[1]
        theirs = [parameter.split()[-1] for parameter in parameters.split(",") if parameter.strip()]
        ours = list(inspect.signature(getattr(cublaslt_stand_in, name)).parameters)
        assert len(theirs) == len(ours) if name.endswith("attribute") else theirs == ours, name
    theirs = {"CudaDataType": CudaDataType} | vars(cublas) | vars(cublasLt)
    for name in ("ComputeType", "CudaDataType", "Operation", "MatrixLayoutAttribute", "MatmulDescAttribute",
                 "MatmulPreferenceAttribute"):
        for member in getattr(cublaslt_stand_in, name):
            assert theirs[name][member.name] == member
    for kind, type_of in (("MatrixLayoutAttribute", cublasLt.get_matrix_layout_attribute_dtype),
                          ("MatmulDescAttribute", cublasLt.get_matmul_desc_attribute_dtype),
                          ("MatmulPreferenceAttribute", cublasLt.get_matmul_preference_attribute_dtype)):
        for member in getattr(cublaslt_stand_in, kind):
            assert cublaslt_stand_in.TYPES[member.name] == type_of(member)
    assert issubclass(cublasLt.cuBLASLtError, Exception)
    result = cublasLt.MatmulHeuristicResult(1)
    assert isinstance(result.ptr, int)
    assert cublasLt.matmul_heuristic_result_dtype.fields["algo"][1] == 0  # the algorithm comes first
    assert cublasLt.matmul_heuristic_result_dtype.itemsize == 8 * len(cublaslt_stand_in.MatmulHeuristicResult().memory)
