"""CLIP: sizes of the authors' models, what a sentence's vector depends on, and what is refused."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad, no_grad
from minivit.models.clip import CLIP
from tests.families.clip import SIZES, sentences


@pytest.fixture
def model():
    return CLIP(**SIZES).initialise(0).astype(np.float64).eval()


def test_the_sizes_are_those_of_the_authors():
    """Of ViT-B/32: 87,456,000 and 63,165,952 of the towers, and the maps to the common space."""
    model = minivit.create("clip", "B/32")
    count = [sum(parameter.size for parameter in part.parameters())
             for part in (model.backbone, model.text, model.image_projection, model.text_projection, model)]
    assert count == [87_456_000, 63_165_952, 393_216, 262_144, 151_277_313]


def test_vectors_have_length_one_and_the_factor_begins_at_one_by_0_07(model, rng):
    images, words = rng.standard_normal((2, 24, 24, 3)), sentences(3, 9, 63)
    with no_grad():
        seen, read = model.see(Tensor(images)).numpy(), model.read(words).numpy()
        np.testing.assert_allclose(np.linalg.norm(seen, axis=-1), 1, rtol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(read, axis=-1), 1, rtol=1e-12)
        np.testing.assert_allclose(model(images, words).numpy(), seen @ read.T / 0.07, rtol=1e-6)


def test_nothing_behind_the_end_matters(model):
    words = sentences(3, 9, 63)
    changed = words.copy()
    for row, end in zip(changed, (words == 63).argmax(axis=1), strict=True):
        row[end + 1:] = 5
    with no_grad():
        np.testing.assert_allclose(model.read(changed).numpy(), model.read(words).numpy(), rtol=1e-12)
        changed[:, 0] = 9
        assert (model.read(changed).numpy() != model.read(words).numpy()).any(axis=1).all()


def test_every_parameter_learns(model, rng):
    pairs = model(rng.standard_normal((2, 24, 24, 3)), sentences(3, 9, 63))
    gradients = grad((pairs * rng.standard_normal(pairs.shape)).sum(), model.parameters())
    for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
        assert np.abs(gradient).max() > 0, name


def test_a_sentence_that_is_too_long_is_refused(model):
    with pytest.raises(ValueError, match="CLIP: sentences of 10 words are longer than the 9 that it was built for"):
        model.read(np.zeros((1, 10), int))
