"""CaiT's ideas, one by one."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, nn
from minivit.models.cait import CaiT, TalkingHeadAttention
from minivit.nn import in_turn

SMALL = dict(image_size=16, patch_size=4, num_classes=5, dim=12, depth=2, heads=3)


def test_heads_talk_before_and_behind_the_softmax(rng):
    """Talking-heads attention (2003.02436) head by head, with a sum over the other heads written out."""
    H, d, N = 3, 4, 5
    attention = TalkingHeadAttention(H * d, H).initialise(1).astype(np.float64)
    for mixing in (attention.mix_scores, attention.mix_weights):
        mixing.bias.data = rng.standard_normal(H)
    x = rng.standard_normal((1, N, H * d))
    q, k, v = np.split((x @ attention.qkv.weight.data + attention.qkv.bias.data)[0], 3, axis=-1)    # 3 (N, H d)
    heads = [slice(h * d, (h + 1) * d) for h in range(H)]
    before, after = attention.mix_scores, attention.mix_weights
    scores = [q[:, head] @ k[:, head].T / np.sqrt(d) for head in heads]
    mixed = [sum(before.weight.data[h, g] * scores[h] for h in range(H)) + before.bias.data[g] for g in range(H)]
    weights = [np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True) for s in mixed]
    mixed = [sum(after.weight.data[h, g] * weights[h] for h in range(H)) + after.bias.data[g] for g in range(H)]
    expected = np.concatenate([mixed[h] @ v[:, heads[h]] for h in range(H)], axis=-1)
    expected = expected @ attention.proj.weight.data + attention.proj.bias.data
    np.testing.assert_allclose(attention(Tensor(x)).numpy()[0], expected, atol=1e-12)
    np.testing.assert_allclose(attention.weights(Tensor(x)).numpy()[0], mixed, atol=1e-12)


def test_the_class_token_reads_the_patches_and_leaves_them_as_they_are(rng):
    model, images = CaiT(**SMALL, layer_scale=0.5).initialise(1).eval(), rng.standard_normal((2, 16, 16, 3), np.float32)
    grid, logits = model.features(images)[0].numpy(), model(images).numpy()
    model.class_token.data = model.class_token.data + rng.standard_normal((1, 1, 12), np.float32)
    np.testing.assert_array_equal(model.features(images)[0].numpy(), grid)
    assert np.abs(model(images).numpy() - logits).max() > 0.01


def test_blocks_begin_as_almost_nothing(rng):
    images = rng.standard_normal((1, 16, 16, 3), np.float32)
    for layer_scale in (1e-5, 1.0):
        model = CaiT(**SMALL, layer_scale=layer_scale).initialise(1).eval()
        x = model.embed(images)
        *_, made = in_turn(model.blocks, x)
        change = np.abs(made.numpy() - x.numpy()).max() / np.abs(x.numpy()).max()
        assert (change < 1e-4) == (layer_scale == 1e-5)


def test_stochastic_depth_is_the_same_in_every_block_and_absent_from_class_attention():
    model = CaiT(**SMALL, drop_path=0.3)
    assert [block.drop_path.rate for block in model.blocks] == [0.3, 0.3]
    assert not [module for module in model.class_blocks[0].modules() if isinstance(module, nn.DropPath)]


def test_pictures_of_another_size_are_read_and_those_that_do_not_divide_are_refused():
    model = CaiT(**SMALL)
    assert model(np.zeros((1, 24, 20, 3), np.float32)).shape == (1, 5)
    assert model.features(np.zeros((1, 24, 20, 3), np.float32))[0].shape == (1, 6, 5, 12)
    with pytest.raises(ValueError, match="18 x 16 pixels do not divide into patches of 4 x 4"):
        model(np.zeros((1, 18, 16, 3), np.float32))
    with pytest.raises(ValueError, match="width 96 is not divisible by 5 heads"):
        minivit.create("cait", "cifar", heads=5)
