"""The fast forms for the CPU: equal to the definitions, used where they can be, and not needed."""

import importlib
import sys

import numpy as np
import pytest

from minivit import Tensor, fast_forms, ops
from minivit.ops.windows import Windows
from tests.kernels.comparison import assert_close, definition, draw
from tests.ops.test_gelu import floats_between

pytest.importorskip("numba")
cpu = importlib.import_module("minivit.kernels.cpu")


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 1000), (5, 64, 33)])
def test_gelu(rng, shape):
    x = 3 * draw(rng, *shape)
    for ours, expected in zip(cpu.gelu_and_slope(x), definition("ops.gelu", "gelu_and_slope")(x), strict=True):
        assert_close(ours, expected, 4e-7)


@pytest.mark.parametrize("ends", [(1e-37, 1), (1, 20), (20, 3e38), (-1e-37, -1), (-1, -12.9)])
def test_gelu_is_rounded_hardly_more_than_once(ends):
    from scipy.special import ndtr
    x = floats_between(*ends)
    exact = x.astype(np.float64) * ndtr(x.astype(np.float64))
    assert np.abs(cpu.gelu_and_slope(x)[0] / exact - 1).max() < 1e-7


@pytest.mark.parametrize("shape", [(1, 5), (5, 7), (2, 3, 192), (300, 65)])
@pytest.mark.parametrize("has_weight", [True, False])
def test_layer_norm(rng, shape, has_weight):
    x, dy = 2 + 3 * draw(rng, *shape), draw(rng, *shape)
    weight, bias = draw(rng, 2, shape[-1]) if has_weight else (None, None)
    (y, backward), (expected, expected_backward) = (
        function(x, weight, bias, eps=1e-5) for function in (cpu.layer_norm, definition("ops.normalise", "layer_norm")))
    assert_close(y, expected)
    for ours, theirs in zip(backward(dy), expected_backward(dy), strict=True):
        assert_close(ours, theirs, 5e-6)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (9, 5), (1000, 64)])
def test_batch_norm(rng, rows, columns):
    x, dy = draw(rng, 2, rows, columns)
    vectors = draw(rng, 4, columns)
    for name, arguments in (("affine", (x, *vectors[:2])), ("centred_sums", (x, vectors[0])),
                            ("gradient_sums", (x, dy, vectors[0])), ("through_batch_norm", (x, dy, *vectors))):
        assert_close(getattr(cpu, name)(*arguments), definition("ops.batch_norm", name)(*arguments), 5e-6)


@pytest.mark.parametrize("image", [(1, 1), (4, 4), (7, 6)])
@pytest.mark.parametrize("padding", [0, 1, ((2, 0), (1, 2))])
def test_winograd(rng, image, padding):
    if padding == 0 and image == (1, 1):
        image = (3, 3)
    windows, x = Windows(image, (3, 3), padding=padding), draw(rng, 3, *image, 5)
    V = definition("ops.winograd", "winograd_tiles")(x, windows=windows)
    assert_close(cpu.winograd_tiles(x, windows=windows), V)
    dy = draw(rng, 3, *windows.grid, 5)
    dM = definition("ops.winograd", "winograd_gradient_tiles")(dy)
    assert_close(cpu.winograd_gradient_tiles(dy), dM)
    ours, expected = np.full((2, 3, *windows.grid, 5), np.nan, np.float32)
    cpu.write_winograd_pixels(ours, V)
    definition("ops.winograd", "write_winograd_pixels")(expected, V.copy())
    assert_close(ours, expected)


def test_adamw(rng):
    settings = dict(lr=1e-2, steps=3, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)
    for shape in [(1,), (7, 33), (0, 3)]:
        expected = draw(rng, 4, *shape)
        expected[3] **= 2
        ours = expected.copy()
        definition("train.optim.optimisers", "adamw")(*expected, **settings)
        cpu.adamw(*ours, **settings)
        for one, other in zip(ours, expected, strict=True):
            assert_close(one, other)
    gradient = draw(rng, 5, 4)
    assert cpu.adamw(gradient.T.copy().T, gradient, gradient, gradient, **settings) is NotImplemented


def test_any_memory_layout_and_no_argument_is_written_to(rng):
    x = draw(rng, 6, 40, 2)[:, ::2, 0].T  # (20, 6), neither C nor F order
    weight, bias, dy = draw(rng, 12)[::2], draw(rng, 6), draw(rng, 6, 20).T
    for array in (x, weight, bias, dy):
        array.flags.writeable = False
    y, backward = cpu.layer_norm(x, weight, bias, eps=1e-6)
    dx, _, _ = backward(dy)
    expected, expected_backward = definition("ops.normalise", "layer_norm")(x, weight, bias, eps=1e-6)
    assert_close(y, expected)
    assert_close(dx, expected_backward(dy)[0], 5e-6)
    assert_close(cpu.gelu_and_slope(x)[0], definition("ops.gelu", "gelu_and_slope")(x)[0])
    assert_close(cpu.affine(x, weight, bias), definition("ops.batch_norm", "affine")(x, weight, bias))


def test_nan_and_infinity_go_through():
    y, slope = cpu.gelu_and_slope(np.array([np.nan, np.inf, 1e30], np.float32))
    assert np.isnan(y[0])
    assert np.isnan(slope[0])
    np.testing.assert_array_equal(y[1:], np.array([np.inf, 1e30], np.float32))
    assert np.isnan(cpu.layer_norm(np.array([[np.nan, 1]], np.float32), None, None, eps=1e-6)[0]).all()


@pytest.fixture
def calls(monkeypatch):
    """The arguments with which the fast form of layer_norm was called."""
    calls, fast = [], cpu.layer_norm

    def spy(*arrays, **settings):
        calls.append(arrays)
        return fast(*arrays, **settings)
    monkeypatch.setattr(cpu, "layer_norm", spy)
    return calls


def test_float32_takes_the_fast_form_and_float64_the_definition(calls, rng):
    ops.layer_norm(Tensor(draw(rng, 3, 4)), eps=1e-6)
    assert len(calls) == 1
    ops.layer_norm(Tensor(rng.standard_normal((3, 4))), eps=1e-6)
    assert len(calls) == 1


def test_switched_off_by_the_variable(calls, rng, monkeypatch):
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    ops.layer_norm(Tensor(draw(rng, 3, 4)), eps=1e-6)
    assert not calls


def test_without_numba_the_definition_does_the_work(rng, monkeypatch):
    x = Tensor(draw(rng, 3, 4))
    expected = ops.layer_norm(x, eps=1e-6).numpy()
    for name in [name for name in sys.modules if name.startswith("minivit.kernels")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    fast_forms.compiled.cache_clear()
    try:
        assert fast_forms.compiled() is None
        np.testing.assert_allclose(ops.layer_norm(x, eps=1e-6).numpy(), expected, rtol=1e-5, atol=1e-6)
    finally:
        fast_forms.compiled.cache_clear()
