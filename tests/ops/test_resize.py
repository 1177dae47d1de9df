"""Interpolation against PyTorch's `interpolate`."""

import numpy as np
import pytest

from minivit import Tensor, no_grad, ops
from tests.ops.cases import Case, check


def interpolate(size, mode, antialias):
    def resize(torch, x):
        return torch.nn.functional.interpolate(x.permute(0, 3, 1, 2), size, mode=mode, antialias=antialias,
                                               align_corners=False).permute(0, 2, 3, 1)
    return resize


CASES = [Case(ops.resize, (2, 7, 8, 3), size=size, mode=mode, antialias=antialias,
              torch=interpolate(size, mode, antialias))
         for size in [(14, 9), (3, 5), (1, 1), (7, 8)]
         for mode in ("bilinear", "bicubic") for antialias in (False, True)]


def test_op(case, device):
    check(case, device)


def test_a_number_is_both_sides():
    x = np.random.default_rng(0).standard_normal((1, 4, 5, 2))
    np.testing.assert_array_equal(ops.resize(x, 3).data, ops.resize(x, (3, 3)).data)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_a_constant_stays_and_a_slope_stays_a_slope(mode):
    with no_grad():
        np.testing.assert_allclose(ops.resize(np.full((1, 5, 6, 1), 3.0), (8, 4), mode=mode).data, 3)
        slope = np.arange(8.0).reshape(1, 8, 1, 1)
        fine = ops.resize(slope, (16, 1), mode="bilinear").data[0, :, 0, 0]
    np.testing.assert_allclose(fine[1:-1], np.arange(14) / 2 + 0.25)


@pytest.mark.parametrize(("shape", "size", "mode", "message"), [
    ((1, 4, 5, 2), 3, "cubic", "^resize: expected mode 'bilinear' or 'bicubic', got 'cubic'"),
    ((4, 5, 2), 3, "bilinear", r"^resize: expected pictures .* got \(4, 5, 2\) and 3"),
    ((1, 4, 5, 2), (0, 3), "bilinear", r"^resize: .* size of at least 1, got \(1, 4, 5, 2\) and \(0, 3\)"),
])
def test_wrong_arguments(shape, size, mode, message):
    with pytest.raises(ValueError, match=message):
        ops.resize(Tensor(np.ones(shape)), size, mode=mode)
