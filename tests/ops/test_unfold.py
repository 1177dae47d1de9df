"""Windows as tokens, and back, against PyTorch's `unfold` and `fold`."""

import numpy as np
import pytest

from minivit import Tensor, no_grad, ops
from minivit.nn import patchify
from tests.ops.cases import Case, check

SETTINGS = [((3, 3), dict(stride=2, padding=1)), ((2, 3), {}), ((2, 2), dict(stride=2)),
            ((2, 3), dict(stride=(1, 2), padding=(1, 2), dilation=(2, 1)))]
IMAGE, C = (6, 8), 3


def unfold(kernel, settings):
    """PyTorch's order of the last axis is (C, kh, kw)."""
    def function(torch, x):
        columns = torch.nn.functional.unfold(x.permute(0, 3, 1, 2), kernel, **settings)  # (B, C kh kw, L)
        B, _, L = columns.shape
        return columns.reshape(B, C, kernel[0] * kernel[1], L).permute(0, 3, 2, 1).reshape(B, L, -1)
    return function


def fold(kernel, settings):
    def function(torch, y):
        B, L, _ = y.shape
        columns = y.reshape(B, L, kernel[0] * kernel[1], C).permute(0, 3, 2, 1).reshape(B, -1, L)
        return torch.nn.functional.fold(columns, IMAGE, kernel, **settings).permute(0, 2, 3, 1)
    return function


def windows(kernel, settings):
    with no_grad():
        return ops.unfold(np.zeros((2, *IMAGE, C)), kernel, **settings).shape


CASES = [
    *[Case(ops.unfold, (2, *IMAGE, C), kernel=kernel, torch=unfold(kernel, given), **given)
      for kernel, given in SETTINGS],
    *[Case(ops.fold, windows(kernel, given), image=IMAGE, kernel=kernel, torch=fold(kernel, given), **given)
      for kernel, given in SETTINGS],
]


def test_op(case, device):
    check(case, device)


def test_windows_side_by_side_are_patches():
    x = Tensor(np.random.default_rng(0).standard_normal((2, 8, 12, 3)))
    patches = ops.unfold(x, 4, stride=4)
    np.testing.assert_array_equal(patches.data, patchify(x, 4).data)
    np.testing.assert_array_equal(ops.fold(patches, (8, 12), 4, stride=4).data, x.data)


def test_order_of_the_last_axis():
    x = np.arange(2 * 3 * 2).reshape(1, 2, 3, 2)  # the pixel in row i, column j holds 6 i + 2 j and 6 i + 2 j + 1
    np.testing.assert_array_equal(ops.unfold(x, 2).data, [[[0, 1, 2, 3, 6, 7, 8, 9], [2, 3, 4, 5, 8, 9, 10, 11]]])


@pytest.mark.parametrize(("function", "message"), [
    (lambda: ops.unfold(Tensor(np.ones((4, 5, 3))), 2), r"^unfold: expected pictures \(B, H, W, C\), got \(4, 5, 3\)"),
    (lambda: ops.unfold(Tensor(np.ones((1, 4, 5, 3))), 5), "^unfold: a window of 5 x 5 pixels is larger than"),
    (lambda: ops.fold(Tensor(np.ones((1, 5, 12))), (4, 4), 2, stride=2),
     r"^fold: expected 2 x 2 = 4 windows of 2 x 2 pixels, \(B, 4, 4 C\), got \(1, 5, 12\)"),
])
def test_wrong_shapes(function, message):
    with pytest.raises(ValueError, match=message):
        function()
