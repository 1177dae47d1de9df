"""Interpolation against PyTorch's `interpolate`."""

import numpy as np
import pytest

from minivit import Tensor, no_grad, ops
from tests.ops.cases import Case, check


def interpolate(size, mode, antialias=False, align_corners=False):
    def resize(torch, x):
        return torch.nn.functional.interpolate(
            x.permute(0, 3, 1, 2), size, mode=mode, antialias=antialias,
            align_corners=None if "nearest" in mode else align_corners).permute(0, 2, 3, 1)
    return resize


SIZES = [(14, 9), (3, 5), (1, 1), (7, 8)]


CASES = [Case(ops.resize, (2, 7, 8, 3), size=size, mode=mode, antialias=antialias,
              torch=interpolate(size, mode, antialias))
         for size in SIZES
         for mode in ("bilinear", "bicubic") for antialias in (False, True)]
CASES += [Case(ops.resize, (2, 7, 8, 3), size=size, mode=mode, align_corners=True,
               torch=interpolate(size, mode, align_corners=True)) for size in SIZES for mode in ("bilinear", "bicubic")]
CASES += [Case(ops.resize, (2, 7, 8, 3), size=size, mode=mode, torch=interpolate(size, mode))
          for size in SIZES for mode in ("nearest", "nearest-exact")]


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


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_the_nearest_pixel_is_pytorchs_for_any_sizes(mode):
    torch = pytest.importorskip("torch")
    for old in range(1, 60):
        line = np.arange(float(old)).reshape(1, old, 1, 1)
        for new in range(1, 60):
            theirs = interpolate((new, 1), mode)(torch, torch.tensor(line))
            np.testing.assert_array_equal(ops.resize(line, (new, 1), mode=mode).data, theirs.numpy())


def test_uint8_is_kept_by_the_nearest_pixel_and_refused_by_sums():
    x = np.full((1, 4, 4, 1), 200, np.uint8)
    y = ops.resize(x, 2, mode="nearest")
    assert y.dtype == np.uint8
    assert (y.data == 200).all()
    with pytest.raises(TypeError, match="^resize: expected x in floating-point numbers, got uint8"):
        ops.resize(x, 2)


@pytest.mark.parametrize("given", [dict(mode="nearest", antialias=True), dict(mode="nearest-exact", align_corners=True),
                                   dict(antialias=True, align_corners=True)])
def test_what_does_not_go_together_is_refused(given):
    with pytest.raises(ValueError, match="^resize: antialias=.* do not go with mode"):
        ops.resize(np.ones((1, 4, 4, 1), np.float32), 2, **given)


@pytest.mark.parametrize(("shape", "size", "mode", "message"), [
    ((1, 4, 5, 2), 3, "cubic", "^resize: expected mode 'bilinear', 'bicubic', .*, got 'cubic'"),
    ((4, 5, 2), 3, "bilinear", r"^resize: expected pictures .* got \(4, 5, 2\) and 3"),
    ((1, 4, 5, 2), (0, 3), "bilinear", r"^resize: .* size of at least 1, got \(1, 4, 5, 2\) and \(0, 3\)"),
])
def test_wrong_arguments(shape, size, mode, message):
    with pytest.raises(ValueError, match=message):
        ops.resize(Tensor(np.ones(shape)), size, mode=mode)
