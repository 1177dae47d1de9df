"""CvT: projections by convolutions, and its inference form; equality with the official code is in tests/families."""

import numpy as np
import pytest

from minivit.models.cvt import ConvAttention, ConvProjection, CvT
from tests.models.drawn import assert_folds_whole, drawn

SIZES = dict(num_classes=5, dims=(8, 16, 24), depths=(1, 1, 2), heads=(1, 2, 3))


def test_a_channel_is_convolved_without_the_others(rng):
    """With kernels 2 and 3 in their centres, x = (1, 10) becomes (2, 30); a full convolution would mix them."""
    depthwise = ConvProjection(2, stride=1).depthwise.conv.astype(np.float64)
    weight = np.zeros((3, 3, 1, 2))
    weight[1, 1, 0] = 2, 3
    depthwise.load_state_dict({"weight": weight})
    np.testing.assert_array_equal(depthwise(np.array([1.0, 10.0]).reshape(1, 1, 1, 2)).numpy().ravel(), [2, 30])


def test_attention_one_query_after_the_other(rng):
    """Slowly, with a class token: keys at every second place, scores over the root of the whole width."""
    attention, x = drawn(ConvAttention(6, 2), rng), rng.standard_normal((1, 5, 4, 6))
    token = rng.standard_normal((1, 1, 6))
    q, k, v = (made(x, token).numpy()[0] for made in (attention.query, attention.key, attention.value))
    assert (len(q), len(k), len(v)) == (1 + 20, 1 + 6, 1 + 6)
    np.testing.assert_allclose(q[0], attention.query.linear(token[0, 0]).numpy(), rtol=1e-12)
    found = np.zeros_like(q)
    for number, query in enumerate(q):
        for head in (slice(0, 3), slice(3, 6)):
            scores = np.exp(k[:, head] @ query[head] / 6 ** 0.5)
            found[number, head] = scores @ v[:, head] / scores.sum()
    np.testing.assert_allclose(attention(x, token).numpy()[0], attention.proj(found).numpy(), rtol=1e-12)
    np.testing.assert_allclose(attention.weights(x, token).numpy().sum(-1), 1)


def test_the_inference_form_computes_the_same(rng):
    model, images = CvT(**SIZES), rng.standard_normal((2, 37, 50, 3))
    assert_folds_whole(model, images, rng)


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"one value for each stage, got .* heads \(1, 2\)"):
        CvT(**SIZES | dict(heads=(1, 2)))
    with pytest.raises(ValueError, match="width 24 is not divisible by 5 heads"):
        CvT(**SIZES | dict(heads=(1, 2, 5)))
