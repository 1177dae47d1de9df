"""The stand-in has to refuse what CuPy refuses; run on a GPU, these tests hold for CuPy itself."""

import numpy as np
import pytest

from minivit.backend import module_for


@pytest.fixture
def xp(device):
    if device == "cpu":
        pytest.skip("about CuPy")
    return module_for(device)


HOST = np.ones(3)


@pytest.mark.parametrize("mix", [
    lambda xp, x: x + HOST, lambda xp, x: HOST + x, lambda xp, x: x @ HOST, lambda xp, x: x == HOST,
    lambda xp, x: xp.exp(HOST), lambda xp, x: xp.concatenate([x, HOST]), lambda xp, x: xp.maximum(x, HOST),
    lambda xp, x: x.__iadd__(HOST), lambda xp, x: np.add(x, HOST), lambda xp, x: np.asarray(x),
    lambda xp, x: xp.where(x > 0, x, HOST), lambda xp, x: HOST.__iadd__(x),
])
def test_host_and_device_do_not_mix(xp, mix):
    with pytest.raises(TypeError):
        mix(xp, xp.ones(3))


def test_what_is_brought_to_the_device_is_copied_once(xp):
    host = np.ones(3)
    x = xp.asarray(host)
    host[:] = 0
    np.testing.assert_array_equal(x.get(), [1, 1, 1])
    assert xp.asarray(x) is x


def test_nothing_is_a_scalar(xp):
    x = xp.asarray(HOST)
    for y in (x.sum(), x[0], xp.max(x), x.mean(axis=0)):
        assert isinstance(y, xp.ndarray)
        assert y.shape == ()
    assert float(x.sum()) == 3
    assert isinstance(x.shape[0], int)


def test_there_is_no_writeable_flag(xp):
    assert xp.ones(3).flags.c_contiguous
    with pytest.raises(AttributeError):
        _ = xp.ones(3).flags.writeable


def test_what_cupy_lacks_is_missing(xp):
    for name in ("errstate", "einsum_path", "vecdot"):
        assert not hasattr(xp, name)
    assert not hasattr(xp.ones(3), "setflags")
    assert not hasattr(xp.random.default_rng(0), "permutation")


def test_numpys_functions_come_back_to_the_device(xp):
    for y in (np.exp(xp.ones(3)), np.sum(xp.ones(3)), np.float64(2) * xp.ones(3)):
        assert isinstance(y, xp.ndarray)


def test_indices_may_come_from_the_host(xp):
    x = xp.arange(6).reshape(2, 3)
    assert x[np.array([1, 0])].shape == (2, 3)
    assert xp.take(x, np.array([0]), 1).shape == (2, 1)


def test_assignment_and_in_place_operators_write(xp):
    x = xp.zeros((2, 2))
    x[0] = xp.ones(2)
    x[:, 1] += 2
    y = x
    y *= 2
    assert y is x
    np.testing.assert_array_equal(x.get(), [[2, 6], [0, 4]])
