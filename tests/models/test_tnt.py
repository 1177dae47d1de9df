"""What TNT is made of: words that stay within their patch, and sentences that read them."""

import numpy as np
import pytest

from minivit.models.tnt import TNT, Block, Sentences, Words
from minivit.nn import Identity, interpolate_positions

SIZES = dict(image_size=16, patch_size=4, stride=2, num_classes=3, dim=12, depth=2, heads=3, word_dim=4, word_heads=2)


def model(**settings):
    return TNT(**SIZES | settings).initialise(1).astype(np.float64).eval()


def test_a_patch_s_words_are_the_convolution_of_that_patch_alone(rng):
    words = Words(4, 2, 3, 5).initialise(0).astype(np.float64)
    images = rng.standard_normal((2, 8, 12, 3))
    found = words(images).numpy()
    assert found.shape == (2, 6, 4, 5)
    patches = {(row, column): images[:, 4 * row:4 * row + 4, 4 * column:4 * column + 4]
               for row in range(2) for column in range(3)}
    for index, patch in enumerate(patches.values()):
        np.testing.assert_allclose(found[:, index], words(patch).numpy()[:, 0], atol=1e-12)


def test_words_come_row_by_row_within_their_patch():
    words = Words(2, 1, 1, 1).initialise(0).astype(np.float64)
    kernel = np.zeros((7, 7, 1, 1))
    kernel[3, 3] = 1  # each pixel is copied
    words.conv.weight.data, words.positions.data = kernel, np.zeros((1, 2, 2, 1))
    pixels = np.arange(8.0).reshape(1, 2, 4, 1)
    np.testing.assert_array_equal(words(pixels).numpy()[0, :, :, 0], [[0, 1, 4, 5], [2, 3, 6, 7]])


def test_words_speak_to_their_own_sentence_and_not_to_the_class_token(rng):
    block = Block(Identity(), Sentences(4, 5, 6).initialise(0).astype(np.float64), Identity())
    words, x = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 4, 6))
    others = words.copy()
    others[:, 1] += 1 + rng.standard_normal((2, 4, 5))
    before, after = (block(w, x)[1].numpy() for w in (words, others))
    np.testing.assert_array_equal(before[:, 0], x[:, 0])
    changed = np.abs(after - before).max(axis=(0, 2)) > 0
    assert changed.tolist() == [False, False, True, False]


def test_a_larger_picture_stretches_the_positions_of_sentences_alone(rng):
    small, large = model(), model(image_size=(24, 32))
    state = small.state_dict()
    stretched = interpolate_positions(small.positions, (4, 4), (6, 8), prefix=1).numpy()
    large.load_state_dict(state | {"positions": stretched})
    images = rng.standard_normal((2, 24, 32, 3))
    np.testing.assert_allclose(small(images).numpy(), large(images).numpy(), atol=1e-12)
    assert [x.shape for x in small.features(images, layers=(0, 1))] == [(2, 6, 8, 12)] * 2


def test_what_does_not_divide_into_patches_is_refused_with_numbers():
    with pytest.raises(ValueError, match="image_size: 16 x 18 pixels do not divide into patches of patch_size 4"):
        TNT(**SIZES | dict(image_size=(16, 18)))
    with pytest.raises(ValueError, match="18 x 16 pixels do not divide into patches of 4 x 4"):
        model()(np.zeros((1, 18, 16, 3)))
