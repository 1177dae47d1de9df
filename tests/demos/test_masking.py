"""The demo of masking paints what the task paints."""

import numpy as np

from minivit.demos.masking import RATIOS, masks, painted
from minivit.tasks.mae import VARIANTS


def test_pictures_and_errors_are_those_of_the_task(rng):
    task = VARIANTS["cifar"](dim=16, depth=1, heads=2, decoder_dim=16, decoder_depth=1, decoder_heads=2).initialise(0)
    images, mask = rng.standard_normal((2, 32, 32, 3)).astype(np.float32), masks(rng, 64)[5]
    hidden = np.tile(mask, (2, 1))
    pictures, errors = painted(task.eval(), images, mask, known=True)
    assert np.allclose(pictures, task.reconstruct(images, hidden)[1].data, atol=1e-5)
    assert np.allclose(errors.mean(), task(images, hidden).item(), rtol=1e-5)


def test_a_larger_ratio_hides_what_a_smaller_one_hides(rng):
    found = masks(rng, 64)
    assert (found[1:] >= found[:-1]).all()
    assert np.abs(found.mean(axis=1) - np.array(RATIOS) / 100).max() <= 1 / 128
