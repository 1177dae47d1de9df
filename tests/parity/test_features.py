"""What each stage makes, against timm's `forward_intermediates`, on every small model that is compared with timm."""

import numpy as np
import pytest

from minivit import Tensor, grad
from tests.golden.case import relative
from tests.golden.cases import CASES
from tests.known import collect
from tests.parity.compare import pair
from tests.parity.official import channels_first, without_rounding

TIMM = [case for case in CASES if case.library == "timm"]


def stages_of(model):
    """[(settings of our `features`, settings of timm's `forward_intermediates`) ...] for the same maps."""
    known = [stages for kind, stages in collect("FEATURES") if isinstance(model, kind)]
    return known[0] if known else [({}, dict(indices=None))]


@pytest.mark.parametrize("compared", TIMM, ids=str)
def test_features_and_their_gradients_are_timm_s(compared):
    model, official = pair(compared, np.float64)
    images, _ = compared.inputs(np.float64)
    for ours, theirs in stages_of(model):
        pixels, x = Tensor(images, requires_grad=True), channels_first(images).requires_grad_()
        maps = model.features(pixels, **ours)
        with without_rounding():
            expected = official.forward_intermediates(x, intermediates_only=True, **theirs)
        assert len(maps) == len(expected)
        sum((y ** 2).sum() for y in expected).backward()
        for found, y in zip(maps, expected, strict=True):
            assert relative(found.numpy(), y.detach().permute(0, 2, 3, 1).numpy()) < 1e-9  # (B, H, W, C)
        gradient, = grad(sum((y * y).sum() for y in maps), [pixels])
        assert relative(gradient, x.grad.permute(0, 2, 3, 1).numpy()) < 1e-9
