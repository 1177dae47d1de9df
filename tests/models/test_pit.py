"""PiT: its pooling and its sizes; equality with the official code is in tests/families."""

import numpy as np
import pytest

from minivit import Tensor
from minivit.models.pit import PiT, Pooling

SIZES = dict(image_size=32, patch_size=4, stride=2, num_classes=5, dims=(8, 16, 32), depths=(1, 2, 1), heads=(1, 2, 4))


def test_a_channel_becomes_two_that_see_no_other(rng):
    """Channels 2 c and 2 c + 1 are made of channel c of the 3 x 3 places around every second one."""
    pooling, x = Pooling(4, 8).astype(np.float64), rng.standard_normal((1, 5, 6, 4))
    made, tokens = pooling(Tensor(x), Tensor(rng.standard_normal((1, 2, 4))))
    assert made.shape == (1, 3, 3, 8)
    assert tokens.shape == (1, 2, 8)
    kernel, padded = pooling.conv.weight.numpy(), np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for y, x, channel in np.ndindex(3, 3, 8):
        window = padded[0, 2 * y:2 * y + 3, 2 * x:2 * x + 3, channel // 2]
        np.testing.assert_allclose(made.numpy()[0, y, x, channel], (window * kernel[:, :, 0, channel]).sum())


@pytest.mark.parametrize("pixels, grids", [
    ((32, 32), [(15, 15), (8, 8), (4, 4)]), ((25, 41), [(11, 19), (6, 10), (3, 5)])])
def test_grids_of_pictures_of_any_size(pixels, grids, rng):
    model, images = PiT(**SIZES), rng.standard_normal((2, *pixels, 3), np.float32)
    assert [x.shape for x in model.features(images)] == [
        (2, *grid, dim) for grid, dim in zip(grids, SIZES["dims"], strict=True)]
    assert model(images).shape == (2, 5)


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="24 channels are no multiple of the 16"):
        PiT(**SIZES | dict(dims=(8, 16, 24)))
    with pytest.raises(ValueError, match=r"\(3, 3\) pixels hold no patch of 4 x 4"):
        PiT(**SIZES | dict(image_size=3))
