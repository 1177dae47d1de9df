"""BEiT's masked words: blocks, the loss over the hidden patches, sharing of biases, and equality with transformers."""

import math

import numpy as np
import pytest

from minivit import Tensor, create, data, grad
from minivit.models.beit import BEiT
from minivit.tasks import beit
from minivit.train import start
from tests.counterpart import assert_equal, draw, import_official
from tests.tasks.contract import check_resume, check_threads

SMALL = dict(dim=16, depth=2, heads=2)


def make(**settings):
    tokenizer = create("dvae", "cifar", dim=8, num_classes=12, seed=5)
    model = beit.MaskedWords(lambda **more: create("beit", "cifar", **SMALL, **more), words=12)
    return beit.PredictWords(model, tokenizer, **{"smallest_block": 4} | settings)


@pytest.mark.parametrize("grid, count, smallest", [((14, 14), 75, 16), ((8, 8), 25, 4), ((3, 9), 10, 2)])
def test_blocks_hide_what_they_should_and_never_more(grid, count, smallest):
    masks = np.stack([beit.blockwise_mask(np.random.default_rng(seed), grid, count, smallest) for seed in range(200)])
    assert masks.shape == (200, *grid)
    assert masks.sum(axis=(1, 2)).max() == count
    assert masks.sum(axis=(1, 2)).mean() > 0.95 * count
    assert masks.any(axis=0).all()


def test_hidden_patches_lie_together():
    """Most neighbours of a hidden patch are hidden, of which there would be two fifths if they lay anywhere."""
    together = []
    for seed in range(100):
        mask = beit.blockwise_mask(np.random.default_rng(seed), (14, 14), 75)
        pairs = mask[:, :-1] & mask[:, 1:]
        together.append(pairs.sum() / mask[:, :-1].sum())
    assert np.mean(together) > 0.75


def test_the_loss_is_the_mean_over_hidden_patches_one_by_one(rng):
    logits, words = rng.standard_normal((3, 6, 5)), rng.integers(0, 5, (3, 6))
    mask = rng.random((3, 6)) < 0.4
    each = [-logits[b, n, words[b, n]] + math.log(np.exp(logits[b, n]).sum())
            for b in range(3) for n in range(6) if mask[b, n]]
    right = [logits[b, n].argmax() == words[b, n] for b in range(3) for n in range(6) if mask[b, n]]
    loss, accuracy = beit.masked_cross_entropy(Tensor(logits), words, mask)
    assert loss.item() == pytest.approx(np.mean(each), rel=1e-12)
    assert accuracy == pytest.approx(np.mean(right), rel=1e-12)


def test_a_hidden_patch_is_not_seen(rng):
    task, images = make().initialise(0).eval(), rng.standard_normal((1, 32, 32, 3), np.float32)
    mask = np.zeros((1, 64), bool)
    mask[0, 9] = True
    before, other = task.model(images, mask).numpy(), images.copy()
    other[:, 4:8, 4:8] += 1
    np.testing.assert_array_equal(task.model(other, mask).numpy(), before)
    assert np.abs(task.model(other, np.zeros((1, 64), bool)).numpy() - before).max() > 0.01


def test_one_table_serves_all_layers_and_learns_from_all(rng):
    task = make().initialise(0)
    names = [name for name, _ in task.named_parameters()]
    assert [name for name in names if "table" in name] == ["model.encoder.blocks.0.bias.table"]
    images, mask = rng.standard_normal((2, 32, 32, 3), np.float32), rng.random((2, 64)) < 0.4
    loss, _ = task.loss(images, mask)
    for name, gradient in zip(names, grad(loss, task.parameters()), strict=True):
        assert np.abs(gradient).max() > 0, name
    assert not any(name.startswith("tokenizer") for name in names)
    assert any(name.startswith("tokenizer") for name, _ in task.named_buffers())


def test_fine_tuning_gives_the_shared_table_to_every_layer(rng):
    learned, model = make().initialise(0).backbone, create("beit", "cifar", **SMALL, seed=9)
    learned.blocks[0].bias.table.data = rng.standard_normal(learned.blocks[0].bias.table.shape, np.float32)
    start.take_over(model, learned, "a run")
    for block in model.blocks:
        np.testing.assert_array_equal(block.bias.table.numpy(), learned.blocks[0].bias.table.numpy())
    assert model.blocks[0].bias.table is not model.blocks[1].bias.table
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(model.features(images)[0].numpy(), learned.features(images)[0].numpy())
    again = start.take_over(make().initialise(4).backbone, learned, "a run")
    np.testing.assert_array_equal(again.features(images)[0].numpy(), learned.features(images)[0].numpy())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


def test_any_number_of_threads_computes_the_same(sets):
    check_threads(make, sets)


def test_the_pictures_and_the_plateau(sets):
    task = make().initialise(0).eval()
    rows = task.pictures(data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3), slice(4))
    assert {(row.shape, row.dtype.name) for row in rows.values()} == {((4, 32, 32, 3), "uint8")}
    assert list(task.plateaus(128).values()) == [pytest.approx(math.log(12))]


@pytest.mark.parametrize("settings, message", [
    ({"mask_ratio": 0.01}, r"mask_ratio: 0\.01 of 64 patches hides none or all"),
    ({"smallest_block": 40}, "smallest_block: expected 1 to 25, the patches that are hidden, got 40")])
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match="beit: needs a tokenizer; train one"):
        beit.PredictWords.build(None, ())
    with pytest.raises(ValueError, match="tokenizer: expected the run of a dvae, got that of a ViTGAP"):
        beit.PredictWords.build(None, (), tokenizer=create("vit"))
    with pytest.raises(ValueError, match="beit: needs the model beit, as its biases are shared; this is a ViTGAP"):
        beit.MaskedWords(lambda **more: create("vit", "cifar", **more))
    with pytest.raises(ValueError, match="its words stand for 4 x 4 pixels, the patches of the model are 8 x 8"):
        beit.PredictWords(beit.MaskedWords(lambda **more: create("beit", "cifar", patch_size=8, **more)),
                          create("dvae", "cifar"))
    with pytest.raises(ValueError, match=r"mask: expected shape \(2, 64\), pictures by patches, got \(2, 49\)"):
        make().model(np.zeros((2, 32, 32, 3), np.float32), np.zeros((2, 49), bool))


def transformers_name(name):
    """Our name of a parameter in the words of transformers."""
    if "qkv.weight" in name:
        return [transformers_name(name.replace("qkv", part)) for part in ("q_proj", "k_proj", "v_proj")]
    for ours, theirs in [("encoder.norm.", "layernorm."), ("head.", "lm_head."),
                         ("mask_token", "beit.embeddings.mask_token"),
                         ("encoder.class_token", "beit.embeddings.cls_token"),
                         ("encoder.patch_embed.", "beit.embeddings.patch_embeddings.projection."),
                         ("encoder.blocks.0.bias.table", "beit.shared_position_bias.relative_position_bias_table"),
                         ("encoder.blocks", "beit.layers"), ("qkv.query_bias", "q_proj.bias"),
                         ("qkv.value_bias", "v_proj.bias"), ("attention.proj", "attention.o_proj"),
                         ("norm1.", "layernorm_before."), ("norm2.", "layernorm_after."), ("mlp.linear", "mlp.fc"),
                         ("scale1.gamma", "lambda_1"), ("scale2.gamma", "lambda_2")]:
        name = name.replace(ours, theirs)
    return name


@pytest.mark.parity
@pytest.mark.parametrize("output", ["logits", "loss"])
@pytest.mark.parametrize("size, ratio", [(16, 0.4), (24, 0.7)])
def test_equal_to_transformers(size, ratio, output, rng):
    transformers = import_official("transformers")
    import torch
    official = draw(transformers.BeitForMaskedImageModeling(transformers.BeitConfig(
        image_size=size, patch_size=4, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        layer_norm_eps=1e-6, use_mask_token=True, use_shared_relative_position_bias=True, vocab_size=9,
        drop_path_rate=0.0)))
    N = (size // 4) ** 2
    mask, words = rng.random((2, N)) < ratio, rng.integers(0, 9, (2, N))
    ours = beit.MaskedWords(BEiT, words=9, image_size=size, patch_size=4, dim=16, depth=2, heads=2)

    def run(model, x):
        logits = model(x, mask)
        return logits if output == "logits" else beit.masked_cross_entropy(logits, words, mask)[0]
    assert_equal(ours, official, transformers_name, rng.standard_normal((2, size, size, 3)), run,
                 lambda model, x: getattr(model(x, bool_masked_pos=torch.tensor(mask),
                                                labels=torch.tensor(words[mask])), output))
