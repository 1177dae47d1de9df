"""Products in pieces: the same numbers as in one, whatever the kernel, for every shape, layout and dtype."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from minivit.blas import blas_limit, blas_threads
from minivit.ops import products

SHAPES = [((1000, 128), (128, 384)), ((7, 11, 64), (64, 192)), ((999, 512), (512, 128)), ((3, 4), (4, 16)),
          ((50, 1536), (1536, 384)), ((2000, 3), (3, 16)), ((64, 8), (8, 10)), ((0, 8), (8, 16)), ((5, 0), (0, 16)),
          ((8,), (8, 32))]


@pytest.fixture(params=["small kernel", "no small kernel"])
def kernel(request, monkeypatch):
    """As with and without OpenBLAS's AVX-512 kernels: the results are right on any."""
    monkeypatch.setattr(products, "_has_small_kernel", lambda: request.param == "small kernel")


@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_in_pieces(left, right, dtype, kernel, rng):
    x, w = rng.standard_normal(left).astype(dtype), rng.standard_normal(right).astype(dtype)
    y = products.multiply(x, w)
    assert y.dtype == dtype
    exact = x.astype(np.float64) @ w
    np.testing.assert_allclose(y, exact, rtol=0, atol=(3e-6 if dtype == np.float32 else 1e-13) * (right[0] + 1))
    np.testing.assert_array_equal(products.multiply(x, w), y)


def test_any_layout_in_memory(kernel, rng):
    x = rng.standard_normal((40, 30, 64), np.float32).transpose(1, 0, 2)[::2]
    w = rng.standard_normal((96, 64), np.float32).T
    np.testing.assert_allclose(products.multiply(x, w), x.astype(np.float64) @ w, atol=1e-4)


def test_rows_do_not_depend_on_their_number(kernel, rng):
    x, w = rng.standard_normal((4096, 128), np.float32), rng.standard_normal((128, 512), np.float32)
    whole = products.multiply(x, w)
    np.testing.assert_allclose(whole, np.concatenate([products.multiply(x[:13], w), products.multiply(x[13:], w)]),
                               rtol=1e-5, atol=1e-4)


def test_pieces_are_small_enough_and_whole_where_cutting_does_not_pay(monkeypatch):
    monkeypatch.setattr(products, "_has_small_kernel", lambda: True)
    x = np.ones((1000, 128), np.float32)

    def rows(w, x=x):
        return products._rows_of_a_piece(x, w)
    assert 0 < rows(np.ones((128, 384), np.float32)) * 128 * 384 <= products.MULTIPLY_ADDS
    assert rows(np.ones((128, 384), np.float32)) % 4 == 0
    assert rows(np.ones((128, 300), np.float32)) == 0
    assert rows(np.ones((2048, 512), np.float32)) == 0
    assert rows(np.ones((128, 384))) == 0
    with blas_threads(2):
        assert rows(np.ones((128, 384), np.float32)) == 0


def test_gradients_of_linear_through_pieces(kernel, rng):
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in [(500, 64), (64, 192), (192,)]]
    dy = rng.standard_normal((500, 192)).astype(np.float32)
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    found = grad((ops.linear(*leaves) * dy).sum(), leaves)
    x, w, _ = (array.astype(np.float64) for array in arrays)
    for ours, exact in zip(found, [dy @ w.T, x.T @ dy, dy.sum(0)], strict=True):
        np.testing.assert_allclose(ours, exact, atol=2e-4)


def test_the_limit_of_blas_threads_is_known_while_it_holds():
    before = blas_limit()
    with blas_threads(2):
        with blas_threads(1):
            assert blas_limit() == 1
        assert blas_limit() == 2
    assert blas_limit() == before


@pytest.mark.parametrize("rows", [64, 10 ** 6])
def test_transposed_is_the_transpose(rows, kernel, rng):
    x = rng.standard_normal((2, 32, 3, 16), np.float32).transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(products.transposed(x, rows), x.swapaxes(-1, -2))
