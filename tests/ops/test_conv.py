"""Convolution in all its forms against PyTorch's, and the three ways to compute it against each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minivit import Tensor, grad, no_grad, ops
from minivit.ops import depthwise, im2col, winograd
from minivit.ops.windows import Windows, batch_slices
from tests.ops.cases import Case, check


def reference(**settings):
    """PyTorch's convolution, channels last."""
    def conv2d(torch, x, w, b=None):
        x, w = x.permute(0, 3, 1, 2).contiguous(), w.permute(3, 2, 0, 1).contiguous()
        return torch.nn.functional.conv2d(x, w, b, **settings).permute(0, 2, 3, 1)
    return conv2d


def row(*shapes, **settings):
    return Case(ops.conv2d, *shapes, torch=reference(**settings), **settings)


CASES = [
    row((2, 5, 6, 3), (3, 3, 3, 4), (4,), padding=1),
    row((2, 5, 6, 3), (3, 3, 3, 4)),
    row((2, 7, 6, 3), (3, 2, 3, 4), (4,), stride=2, padding=1),
    row((2, 9, 8, 2), (3, 3, 2, 3), (3,), stride=(1, 2), padding=(2, 0), dilation=(2, 1)),
    row((2, 4, 5, 2), (2, 2, 2, 3), padding=(3, 2)),                        # padding wider than the kernel
    row((3, 5, 4, 3), (1, 1, 3, 4), (4,)),
    row((3, 5, 4, 3), (1, 1, 3, 4), (4,), stride=2),
    row((2, 8, 12, 3), (4, 4, 3, 5), (5,), stride=4),                       # patches
    row((2, 6, 5, 4), (3, 3, 2, 6), (6,), padding=1, groups=2),
    row((2, 6, 5, 6), (3, 3, 1, 6), (6,), padding=1, groups=6),             # depthwise
    row((2, 7, 6, 6), (5, 3, 1, 6), stride=2, padding=(2, 1), groups=6),
    row((2, 7, 6, 3), (3, 3, 1, 6), (6,), padding=1, groups=3),             # depthwise, two outputs for each input
    row((2, 6, 6, 1), (3, 3, 1, 1), padding=1),
    row((2, 4, 4, 64), (3, 3, 64, 65), (65,), padding=1),                   # Winograd's
    row((2, 5, 3, 64), (3, 3, 64, 64), padding=(0, 2)),
    row((2, 3, 4, 128), (3, 3, 64, 128), padding=1, groups=2),
    row((0, 5, 6, 3), (3, 3, 3, 4), (4,), padding=1),
]


def test_op(case, device):
    check(case, device)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_setting(data):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    number = st.integers(1, 3)
    kernel, stride, dilation = (data.draw(st.tuples(number, number)) for _ in range(3))
    padding = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    image = [data.draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 9))
             for k, p, d in zip(kernel, padding, dilation, strict=True)]
    groups, inputs, outputs = data.draw(number), data.draw(number), data.draw(number)
    shapes = (2, *image, groups * inputs), (*kernel, inputs, groups * outputs), (groups * outputs,)
    arrays = [rng.standard_normal(shape) for shape in shapes]
    given = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)

    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = ops.conv2d(*tensors, **given), reference(**given)(torch, *theirs)
    dy = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
    for ours, other in zip(grad((y * dy).sum(), tensors), theirs, strict=True):
        np.testing.assert_allclose(ours, other.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_padding_of_each_side():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((2, 2, 3, 4))
    padded = np.pad(x, ((0, 0), (0, 1), (2, 0), (0, 0)))
    with no_grad():
        np.testing.assert_allclose(ops.conv2d(x, w, padding=((0, 1), (2, 0))).data, ops.conv2d(padded, w).data)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (4, 3), (5, 2)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_padding_same_and_valid_are_pytorchs(kernel, dilation):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 9, 10, 3)), rng.standard_normal((*kernel, 3, 4))
    for padding in ("same", "valid"):
        given = dict(padding=padding, dilation=dilation)
        theirs = reference(**given)(torch, torch.tensor(x), torch.tensor(w))
        np.testing.assert_allclose(ops.conv2d(x, w, **given).data, theirs.numpy(), atol=1e-11)


@pytest.mark.parametrize("n, k, s, sides", [(7, 3, 2, (1, 1)), (8, 3, 2, (0, 1)), (8, 2, 3, (0, 0)), (5, 1, 2, (0, 0)),
                                            (10, 5, 3, (2, 2)), (10, 4, 3, (1, 2))])
def test_padding_same_with_a_stride_is_that_of_tensorflow(n, k, s, sides):
    """Its documentation: max((ceil(n / s) - 1) s + k - n, 0) pixels, the smaller half in front."""
    windows = Windows((n, n), (k, k), stride=s, padding="same")
    assert windows.padding == (sides, sides)
    assert windows.grid == (-(-n // s),) * 2


@pytest.mark.parametrize("image", [(6, 6), (7, 5), (1, 1), (2, 9)])
@pytest.mark.parametrize("method", [winograd, depthwise])
def test_every_method_gives_the_same(method, image):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 3, *image, 32))
    w = rng.standard_normal((3, 3, 1 if method is depthwise else 32, 32))
    dense = w * np.eye(32) if method is depthwise else w
    windows = Windows(image, (3, 3), padding=1)
    dw = im2col.weight_gradient(x, dy, windows)
    if method is depthwise:
        dw = np.einsum("klcc->klc", dw)[:, :, None]
    np.testing.assert_allclose(method.forward(x, w, windows), im2col.forward(x, dense, windows), atol=1e-11)
    np.testing.assert_allclose(method.weight_gradient(x, dy, windows), dw, atol=1e-11)
    np.testing.assert_allclose(method.input_gradient(dy, w, windows), im2col.input_gradient(dy, dense, windows),
                               atol=1e-11)


def test_winograd_is_as_accurate_as_a_sum_in_single_precision():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 12, 12, 64)), rng.standard_normal((3, 3, 64, 64))
    windows = Windows((12, 12), (3, 3), padding=1)
    exact = im2col.forward(x, w, windows)
    error = np.abs(winograd.forward(x.astype(np.float32), w.astype(np.float32), windows) - exact).max()
    assert error < 2e-6 * np.abs(exact).max()


@pytest.mark.parametrize(("method", "rows", "each"), [(im2col, "ROWS", 64), (winograd, "TILES", 16)])
def test_the_batch_is_cut_without_a_trace(method, rows, each, monkeypatch):
    """Slices of one picture, of three with one left over, and of all seven."""
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape) for shape in [(7, 8, 8, 32), (3, 3, 32, 40), (7, 8, 8, 40)])
    windows, results = Windows((8, 8), (3, 3), padding=1), []
    monkeypatch.setattr(method, "batch_slices", lambda batch, _, xp, least: batch_slices(batch, math.inf, xp, least))
    for pictures in (1, 3, 7):
        monkeypatch.setattr(method, rows, pictures * each)
        results.append((method.forward(x, w, windows), method.weight_gradient(x, dy, windows),
                        method.input_gradient(dy, w, windows)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


def test_the_first_layer_computes_no_gradient_of_the_pictures(monkeypatch):
    def forbidden(*_):
        raise AssertionError("nobody asked for the gradient of the pictures")
    monkeypatch.setattr(im2col, "input_gradient", forbidden)
    w = Tensor(np.ones((3, 3, 2, 4)), requires_grad=True)
    grad(ops.conv2d(Tensor(np.ones((1, 4, 4, 2))), w).sum(), [w])


@pytest.mark.parametrize(("shapes", "given", "message"), [
    ([(2, 5, 5), (3, 3, 3, 4)], {}, r"^conv2d: expected pictures \(B, H, W, C_in\) .* got \(2, 5, 5\) and"),
    ([(2, 5, 5, 3), (3, 3, 3, 4)], dict(groups=2), "3 input and 4 output channels do not divide into 2 groups"),
    ([(2, 5, 5, 3), (3, 3, 2, 4)], {}, r"weights \(3, 3, 2, 4\) read 2 channels, but .* in 1 groups have 3"),
    ([(2, 5, 5, 4), (3, 3, 4, 4)], dict(groups=2), "read 4 channels, but .* in 2 groups have 2"),
    ([(2, 5, 5, 3), (3, 3, 3, 4), (3,)], {}, r"expected a bias \(4,\), got \(3,\)"),
    ([(2, 4, 5, 3), (7, 3, 3, 4)], dict(padding=1), r"^conv2d: a window of 7 x 3 pixels is larger than the padded "
                                                    r"picture of 6 x 7 pixels"),
    ([(2, 4, 5, 3), (3, 3, 3, 4)], dict(dilation=2), "a window of 5 x 5 pixels is larger than .* 4 x 5 pixels"),
    ([(2, 4, 5, 3), (3, 3, 3, 4)], dict(stride=0), "stride 0 .* at least 1"),
    ([(2, 4, 5, 3), (3, 3, 3, 4)], dict(padding=-1), "padding -1 at least 0"),
])
def test_wrong_shapes(shapes, given, message):
    with pytest.raises(ValueError, match=message):
        ops.conv2d(*(Tensor(np.ones(shape)) for shape in shapes), **given)
