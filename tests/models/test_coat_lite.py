"""CoaT-Lite's ideas, one by one; equality with the official code is in tests/families."""

import numpy as np
import pytest

from minivit import nn
from minivit.counting import count
from minivit.models.coat_lite import CoaTLite, ConvAttention, OffsetConvolutions
from tests.models.drawn import assert_folds, drawn

SIZES = dict(image_size=32, num_classes=5, dims=(8, 16, 16, 24), depths=(1, 1, 2, 2), mlp_ratios=(1, 2, 1, 1))


def test_attention_one_token_after_the_other(rng):
    """Slowly: what all keys gather, what a query takes of it, and what lies around each patch in windows of 5 and 3."""
    H, W, d, windows = 4, 5, 2, ((5, 1), (3, 2))
    attention, around = drawn(ConvAttention(6, 3), rng), drawn(OffsetConvolutions(6, windows), rng)
    x = rng.standard_normal((1, 1 + H * W, 6))
    q, k, v = np.split(attention.qkv(x).numpy()[0], 3, axis=-1)                          # 3 (1 + N, C)
    window_of = [5, 3, 3]
    wide, narrow = (conv.weight.data[:, :, 0] for conv in around.convs)                  # (5, 5, 2), (3, 3, 4)
    kernels = np.concatenate([wide, np.pad(narrow, ((1, 1), (1, 1), (0, 0)))], axis=-1)  # (5, 5, C)
    biases = np.concatenate([conv.bias.data for conv in around.convs])
    found = np.zeros_like(q)
    for head in range(3):
        channels = range(head * d, head * d + d)
        gathered = {(i, j): sum(np.exp(k[n, i]) * v[n, j] for n in range(1 + H * W)) / np.exp(k[:, i]).sum()
                    for i in channels for j in channels}
        for n in range(1 + H * W):
            for j in channels:
                found[n, j] = sum(q[n, i] * gathered[i, j] for i in channels) / np.sqrt(d)
                if n == 0:  # the class token has no place
                    continue
                (row, column), reach = divmod(n - 1, W), window_of[head] // 2
                near = sum(kernels[2 + dy, 2 + dx, j] * v[1 + (row + dy) * W + column + dx, j]
                           for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)
                           if 0 <= row + dy < H and 0 <= column + dx < W)
                found[n, j] += q[n, j] * (near + biases[j])
    np.testing.assert_allclose(attention(x, (H, W), around).numpy()[0], attention.proj(found).numpy(), rtol=1e-11)
    np.testing.assert_allclose(attention.weights(x).numpy().sum(-1), 1)


def test_the_cost_of_attention_grows_with_the_tokens_and_not_with_their_square():
    costs = [count(CoaTLite(**SIZES | dict(num_classes=0, image_size=pixels)), (1, pixels, pixels, 3)).multiply_adds
             for pixels in (64, 128, 256)]
    assert costs[2] - costs[1] == 4 * (costs[1] - costs[0])


def test_blocks_of_a_stage_share_their_convolutions():
    names = [name for name, _ in CoaTLite(**SIZES).named_parameters() if name.startswith("stages.3") and "conv" in name]
    assert names == [f"stages.3.{part}.{kind}" for part in (
        "embed.conv", "positions.conv", *(f"around.convs.{number}" for number in range(3)))
        for kind in ("weight", "bias")]


def test_the_inference_form_has_the_identity_in_the_kernel_of_positions(rng):
    folded = assert_folds(CoaTLite(**SIZES), rng.standard_normal((2, 37, 50, 3)), rng)
    assert not [module for module in folded.modules() if isinstance(module, nn.ConvPositions)]


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"one value for each stage, got .* depths \(1, 2\)"):
        CoaTLite(**SIZES | dict(depths=(1, 2)))
    with pytest.raises(ValueError, match="width 12 is not divisible by 8 heads"):
        CoaTLite(**SIZES | dict(dims=(8, 12, 16, 24)))
    with pytest.raises(ValueError, match="windows: expected odd ones, which have a centre, got"):
        CoaTLite(**SIZES | dict(windows=((4, 8),)))
