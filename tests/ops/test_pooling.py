"""Pooling against PyTorch's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check, distinct


def channels_last(name, *arguments, **settings):
    """PyTorch's function of pictures (B, C, H, W) as one of pictures (B, H, W, C)."""
    def pool(torch, x):
        function = getattr(torch.nn.functional, name)
        return function(x.permute(0, 3, 1, 2), *arguments, **settings).permute(0, 2, 3, 1)
    return pool


def row(name, *arguments, **settings):
    given = {{"kernel": "kernel_size", "size": "output_size"}.get(key, key): value for key, value in settings.items()}
    return Case(getattr(ops, name), *arguments, torch=channels_last(name, **given), **settings)


SETTINGS = [dict(kernel=2), dict(kernel=3, stride=2, padding=1), dict(kernel=1, stride=2),
            dict(kernel=(2, 3), stride=(3, 1), padding=(0, 1))]
CASES = [
    *[row("max_pool2d", distinct(2, 7, 8, 3), **given) for given in SETTINGS],
    *[row("avg_pool2d", (2, 7, 8, 3), **given) for given in SETTINGS],
    row("avg_pool2d", (2, 7, 8, 3), kernel=3, stride=1, padding=1, count_include_pad=False),
    *[row("adaptive_avg_pool2d", (2, 7, 8, 3), size=size) for size in (1, 3, (4, 2), (9, 8))],
]


def test_op(case, device):
    check(case, device)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_maximum_goes_where_pytorch_sends_it(data):
    """Few different numbers, so that most windows hold their maximum more than once."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(data.draw(st.integers(0, 100)))
    kernel, stride = (data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) for _ in range(2))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    x = rng.integers(0, 3, (2, data.draw(st.integers(3, 8)), data.draw(st.integers(3, 8)), 2)).astype(float)
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = ops.max_pool2d(ours, kernel, stride=stride, padding=padding)
    expected = channels_last("max_pool2d", kernel, stride, padding)(torch, theirs)
    np.testing.assert_array_equal(y.data, expected.detach().numpy())
    dy = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(grad((y * dy).sum(), [ours])[0], theirs.grad.numpy(), atol=1e-12)


def test_a_window_with_nan_gives_nan_and_its_gradient_goes_somewhere():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    x[0, 1, 1] = np.nan
    x = Tensor(x, requires_grad=True)
    y = ops.max_pool2d(x, 2)
    np.testing.assert_array_equal(np.isnan(y.data[0, :, :, 0]), [[True, False], [False, False]])
    assert grad(y.sum(), [x])[0][0, :2, :2].sum() == 1


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64", "uint64", "bool"])
def test_the_maximum_of_integers_with_padding(dtype):
    x = np.zeros((1, 3, 3, 1), dtype)
    if dtype.startswith("int"):
        x -= 5
    y = ops.max_pool2d(x, 2, stride=1, padding=1)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.data, np.full((1, 4, 4, 1), x[0, 0, 0, 0]))


@pytest.mark.parametrize(("pool", "message"), [
    (lambda x: ops.max_pool2d(x, 2), r"^max_pool2d: expected pictures \(B, H, W, C\), got \(4, 5, 3\)"),
    (lambda x: ops.adaptive_avg_pool2d(x, 2), r"^adaptive_avg_pool2d: expected pictures .* got \(4, 5, 3\) and 2"),
    (lambda x: ops.max_pool2d(x.reshape(1, 4, 5, 3), 6), "a window of 6 x 6 pixels is larger than .* 4 x 5 pixels"),
    (lambda x: ops.avg_pool2d(x.reshape(1, 4, 5, 3), 2, padding=2), "padding 2 is more than half of the kernel 2"),
])
def test_wrong_shapes(pool, message):
    with pytest.raises(ValueError, match=message):
        pool(Tensor(np.ones((4, 5, 3))))
