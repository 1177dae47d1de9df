"""The central differences that lessons hold their derivations against."""

import numpy as np
import pytest

from minivit.lessons import numeric


def test_it_is_the_gradient():
    x = np.random.default_rng(0).normal(size=(2, 3))
    np.testing.assert_allclose(numeric(lambda x: (x ** 3).sum(), x), 3 * x ** 2, rtol=0, atol=1e-9)
    np.testing.assert_allclose(numeric(np.sin, 1.0), np.cos(1.0), rtol=0, atol=1e-9)


def test_weights_make_one_number_of_an_array():
    rng = np.random.default_rng(1)
    x, matrix, dy = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
    np.testing.assert_allclose(numeric(lambda x: x @ matrix, x, dy=dy), dy @ matrix.T, rtol=0, atol=1e-9)


def test_the_error_falls_like_the_square_of_the_step():
    coarse, fine = (abs(numeric(np.exp, 0.0, eps=eps) - 1) for eps in (1e-1, 1e-2))
    assert coarse / fine == pytest.approx(100, rel=0.01)


def test_x_stays_and_the_result_is_double():
    x = np.ones(3, np.float32)

    def spoils(x):
        x *= 2
        return x.sum()
    gradient = numeric(spoils, x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, 2, rtol=1e-9)
    assert (x == 1).all()
