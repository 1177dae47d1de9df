"""Swin: its windows, its mask, its bias, and equality with timm and transformers."""

import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.counting import count
from minivit.models import swin
from minivit.ops import roll
from tests.counterpart import assert_equal, assert_same_on, draw, import_official


@pytest.mark.parametrize("shape, window", [((2, 8, 8, 3), 4), ((1, 6, 9, 2), 3), ((3, 5, 5, 1), 5), ((1, 4, 6, 2), 1)])
def test_windows_are_cut_and_put_together(shape, window, rng):
    x = rng.standard_normal(shape)
    windows = swin.window_partition(x, window)
    B, H, W, C = shape
    expected = [x[b, i:i + window, j:j + window].reshape(-1, C)
                for b in range(B) for i in range(0, H, window) for j in range(0, W, window)]
    np.testing.assert_array_equal(windows, expected)
    np.testing.assert_array_equal(swin.window_reverse(windows, window, (H, W)), x)


@pytest.mark.parametrize("grid, window, shift", [((8, 8), 4, 2), ((9, 6), 3, 1), ((14, 7), 7, 3)])
def test_the_mask_joins_what_was_joined_before_the_shift(grid, window, shift):
    """Two tokens of a window may attend to each other if the cyclic shift moved both by the same way."""
    H, W = grid
    mask = swin.shift_mask(grid, window, shift)
    assert mask.shape == (H * W // window ** 2, window ** 2, window ** 2)
    places = np.stack(np.indices(grid), axis=-1)[None]                                    # (1, H, W, 2)
    before = swin.window_partition(np.roll(places, (-shift, -shift), (1, 2)), window)     # (w, n, 2)
    after = swin.window_partition(places, window)
    moved = after - before
    same_way = (moved[:, :, None] == moved[:, None]).all(-1)
    np.testing.assert_array_equal(mask, same_way)


def test_the_paper_s_eight_by_eight_picture_has_nine_regions():
    mask = swin.shift_mask((8, 8), 4, 2)
    regions = [len(np.unique(window, axis=0)) for window in mask]
    assert regions == [1, 2, 2, 4]


def test_a_shifted_block_looks_no_further_than_its_window(rng):
    block = swin.Block(8, 2, window=4, shift=2, mlp_dim=16)
    x = Tensor(rng.standard_normal((1, 8, 8, 8)).astype(np.float64), requires_grad=True)
    block.astype(np.float64)
    (block(x)[0, 0, 0] ** 2).sum().backward()
    seen = np.abs(x.grad[0]).max(-1) > 0
    assert seen[:2, :2].all()
    assert seen.sum() == 4


def test_a_smaller_grid_uses_the_same_offsets(rng):
    """On a grid smaller than its window a block acts as one whose table has been cut to that window."""
    large = swin.WindowAttention(8, 2, window=5)
    small = swin.WindowAttention(8, 2, window=3)
    table = large.relative_position_bias_table.numpy().reshape(9, 9, 2)
    small.load_state_dict(large.state_dict() | {"relative_position_bias_table": table[2:7, 2:7].reshape(25, 2)})
    x = Tensor(rng.standard_normal((4, 9, 8), np.float32))
    np.testing.assert_allclose(large(x).numpy(), small(x).numpy(), rtol=1e-6)


@pytest.mark.parametrize("mask", [None, (8, 8)])
def test_the_weights_for_pictures_are_those_that_are_used(mask, rng):
    attention = swin.WindowAttention(8, 2, window=4).astype(np.float64)
    x = Tensor(rng.standard_normal((8, 16, 8)))
    mask = mask and swin.mask_bias(mask, 4, 2, x.dtype, "cpu")
    weights = attention.weights(x, mask).numpy()
    v = attention.qkv(x).numpy()[..., 16:].reshape(8, 16, 2, 4).transpose(0, 2, 1, 3)
    joined = (weights @ v).transpose(0, 2, 1, 3).reshape(8, 16, 8)
    expected = joined @ attention.proj.weight.numpy() + attention.proj.bias.numpy()
    np.testing.assert_allclose(attention(x, mask).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_masks_are_computed_once_for_each_size():
    swin.mask_bias.cache_clear()
    model = minivit.create("swin").eval()
    for _ in range(2):
        model(np.zeros((1, 32, 32, 3), np.float32))
    assert swin.mask_bias.cache_info().misses == 2  # of the grids 16 x 16 and 8 x 8; on 4 x 4 nothing moves


@pytest.mark.parametrize("size", [(33, 47), (8, 64), (6, 6), (2, 2), (1, 3)])
def test_pictures_of_any_size(size, rng):
    model = minivit.create("swin").eval()
    logits = model(rng.standard_normal((2, *size, 3), np.float32))
    assert logits.shape == (2, 10)
    assert np.isfinite(logits.numpy()).all()


def test_features_have_the_true_grid_of_each_stage_and_the_head_reads_the_last(rng):
    model, images = minivit.create("swin").eval(), rng.standard_normal((2, 33, 47, 3), np.float32)
    maps = model.features(images)  # padding adds rows and columns to patches, windows and mergings
    assert [x.shape for x in maps] == [(2, 17, 24, 64), (2, 9, 12, 128), (2, 5, 6, 256)]
    np.testing.assert_array_equal(model.head(model.norm(maps[-1]).mean(axis=(1, 2))).numpy(), model(images).numpy())


def test_float32_stays_float32():
    model = minivit.create("swin")
    loss = (model(np.ones((1, 30, 34, 3), np.float32)) ** 2).sum()
    assert all(g.dtype == np.float32 for g in minivit.grad(loss, model.parameters()))


def test_on_a_device(device, rng):
    model, images = minivit.create("swin"), Tensor(rng.standard_normal((2, 32, 36, 3), np.float32))
    swin.mask_bias.cache_clear()  # what another device of the same name may have left
    assert_same_on(device, model, lambda model, place: model(images.to(place)))
    swin.mask_bias.cache_clear()


@pytest.mark.parametrize("variant, parameters, gmacs", [
    ("tiny", 29, 4.5), ("small", 50, 8.7), ("base", 88, 15.4), ("large", 197, 34.5)])
def test_size_of_the_paper_s_variants(variant, parameters, gmacs):
    """Table 1 of 2103.14030; Swin-T has 28.3 M, which the paper rounds up."""
    counted = count(minivit.create("swin", variant), (1, 224, 224, 3))
    assert counted.parameters / 1e6 == pytest.approx(parameters, abs=0.75)
    assert counted.multiply_adds / 1e9 == pytest.approx(gmacs, abs=0.05)


def test_the_cost_of_attention_grows_with_the_pixels():
    def attention(size):
        rows = count(minivit.create("swin"), (1, size, size, 3)).rows
        return sum(row.multiply_adds for row in rows if isinstance(row.module, swin.WindowAttention))
    assert attention(128) == 4 * attention(64) == 16 * attention(32)


def test_errors_name_the_numbers():
    model = minivit.create("swin")
    with pytest.raises(ValueError, match=r"shape \(B, height, width, channels\), got \(32, 32, 3\)"):
        model(np.zeros((32, 32, 3), np.float32))
    with pytest.raises(ValueError, match=r"height, width, 3\), got \(1, 32, 32, 4\)"):
        model(np.zeros((1, 32, 32, 4), np.float32))
    with pytest.raises(ValueError, match="width 64 is not divisible by 5 heads"):
        minivit.create("swin", heads=(5, 5, 5))
    with pytest.raises(ValueError, match=r"one number for each stage, got \(2, 2\) and \(2, 4, 8\)"):
        minivit.create("swin", depths=(2, 2))


SMALL = dict(patch_size=2, num_classes=5, dim=8, depths=(2, 2), heads=(2, 4))


def timm_name(name):
    """Our name of a parameter in timm's words."""
    for ours, theirs in [("patch_embed.", "patch_embed.proj."), ("patch_norm.", "patch_embed.norm."),
                         ("stages.", "layers."), ("merge.", "downsample."), ("attention.", "attn."),
                         ("mlp.linear", "mlp.fc"), ("head.", "head.fc.")]:
        name = name.replace(ours, theirs)
    return name


def transformers_name(name):
    """Our name of a parameter in the words of transformers."""
    if "qkv" in name:
        return [transformers_name(name.replace("qkv", part)) for part in ("q_proj", "k_proj", "v_proj")]
    if "merge" in name:  # belongs to the end of the stage before
        _, stage, rest = name.split(".", 2)
        return f"swin.encoder.layers.{int(stage) - 1}.{rest.replace('merge', 'downsample')}"
    for ours, theirs in [("patch_embed.", "swin.embeddings.patch_embeddings.projection."),
                         ("patch_norm.", "swin.embeddings.norm."), ("stages.", "swin.encoder.layers."),
                         ("norm1.", "layernorm_before."), ("norm2.", "layernorm_after."),
                         ("attention.proj", "attention.o_proj"), ("mlp.linear", "mlp.fc"), ("head.", "classifier."),
                         ("attention.relative", "attention.relative_position_bias.relative")]:
        name = name.replace(ours, theirs)
    return f"swin.layer{name}" if name.startswith("norm.") else name


@pytest.mark.parity
@pytest.mark.parametrize("size, window, batch, training", [
    ((32, 32), 4, 2, False),   # grids 16, 8
    ((16, 16), 4, 3, True),    # grids 8, 4: the second is one window
    ((24, 48), 3, 1, False),   # grids 12 x 24, 6 x 12
    ((14, 14), 7, 2, False),   # grids 7, and 4 after merging with padding: smaller than the window
    ((16, 16), 12, 1, False),  # both smaller than the window
])
def test_equal_to_timm(size, window, batch, training, rng):
    timm = import_official("timm")
    official = draw(timm.models.swin_transformer.SwinTransformer(
        img_size=size, patch_size=2, num_classes=5, embed_dim=8, depths=(2, 2), num_heads=(2, 4), window_size=window,
        drop_path_rate=0.0)).train(training)
    ours = swin.Swin(image_size=size, window=window, **SMALL).train(training)
    assert_equal(ours, official, timm_name, rng.standard_normal((batch, *size, 3)))


def attend_as_timm(block, x):
    """`Block.attend` with its first two steps, and its last two, the other way round."""
    (H, W), window, shift = x.shape[1:3], block.attention.window, block.shift
    x = swin.pad_to_multiple(roll(x, (-shift, -shift), (1, 2)), window)
    grid = x.shape[1:3]
    mask = swin.mask_bias(grid, window, shift, x.dtype, x.device) if shift else None
    x = swin.window_reverse(block.attention(swin.window_partition(x, window), mask), window, grid)
    return roll(x[:, :H, :W], (shift, shift), (1, 2))


@pytest.mark.parity
@pytest.mark.parametrize("size", [(20, 20), (26, 30)])
def test_timm_shifts_before_it_pads(size, rng, monkeypatch):
    """Where the window does not divide the grid, this order is all that timm does otherwise."""
    timm = import_official("timm")
    official = draw(timm.models.swin_transformer.SwinTransformer(
        img_size=size, patch_size=2, num_classes=5, embed_dim=8, depths=(2, 2), num_heads=(2, 4), window_size=4))
    ours, images = swin.Swin(image_size=size, window=4, **SMALL), rng.standard_normal((2, *size, 3))
    with pytest.raises(AssertionError):
        assert_equal(ours, official.eval(), timm_name, images)
    monkeypatch.setattr(swin.Block, "attend", attend_as_timm)
    assert_equal(ours, official.eval(), timm_name, images)


@pytest.mark.parity
@pytest.mark.parametrize("size, window, batch, training", [
    ((32, 32), 4, 2, False),   # grids 16, 8
    ((26, 38), 4, 2, False),   # grids 13 x 19, 7 x 10: nothing divides
    ((31, 45), 5, 1, True),    # nor do the patches divide: grids 16 x 23, 8 x 12
    ((20, 20), 5, 2, False),   # grids 10, 5: the second is one window
])
def test_equal_to_transformers(size, window, batch, training, rng):
    transformers = import_official("transformers")
    official = draw(transformers.SwinForImageClassification(transformers.SwinConfig(
        image_size=32, patch_size=2, num_labels=5, embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=window,
        drop_path_rate=0.0, attn_implementation="sdpa"))).train(training)
    ours = swin.Swin(image_size=32, window=window, **SMALL).train(training)
    assert_equal(ours, official, transformers_name, rng.standard_normal((batch, *size, 3)),
                 run_official=lambda model, x: model(x).logits)
