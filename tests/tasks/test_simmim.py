"""SimMIM: what is hidden, the loss, its pictures, and equality with transformers on ViT, Swin and Swin V2."""

from functools import partial

import numpy as np
import pytest

from minivit import create, data, grad
from minivit.models.swin import Swin
from minivit.models.swin_v2 import SwinV2
from minivit.models.vit import ViT
from minivit.tasks import simmim
from tests.counterpart import assert_equal, draw, import_official
from tests.tasks.contract import check_resume, check_threads

MODELS = {"vit": dict(dim=16, depth=2, heads=2), "beit": dict(dim=16, depth=2, heads=2),
          "deit3": dict(dim=16, depth=2, heads=2), "swin": dict(dim=8, depths=(1, 1, 2), heads=(1, 2, 2)),
          "swin_v2": dict(dim=8, depths=(1, 1, 2), heads=(1, 2, 2))}


def make(architecture="swin", **settings):
    encoder = create(architecture, "cifar", num_classes=0, **MODELS[architecture])
    return simmim.SimMIM(encoder, **{"unit": 8} | settings)


@pytest.mark.parametrize("grid, ratio, hidden", [((4, 4), 0.6, 10), ((7, 7), 0.6, 30), ((2, 3), 0.5, 3)])
def test_as_many_units_of_each_picture_are_hidden_rounded_up(grid, ratio, hidden, rng):
    mask = simmim.random_units(rng, 500, grid, ratio)
    assert mask.shape == (500, *grid)
    assert set(mask.sum(axis=(1, 2))) == {hidden}
    np.testing.assert_allclose(mask.mean(axis=0), hidden / np.prod(grid), atol=0.1)


def test_a_mask_is_enlarged_place_by_place():
    found = simmim.enlarged(np.array([[[0, 1], [1, 0]]]), 2)
    np.testing.assert_array_equal(found[0], [[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 0, 0]])


def test_the_loss_is_of_hidden_pixels_over_their_number_and_the_channels(rng):
    task, images = make().initialise(0), rng.standard_normal((2, 32, 32, 3), np.float32)
    mask = simmim.enlarged(simmim.random_units(rng, 2, (4, 4)), 4)
    hidden = simmim.enlarged(mask, 2)
    assert hidden.sum() == 2 * 10 * 64
    expected = np.abs(task.paint(images, mask).numpy() - images)[hidden].mean()
    assert task(images, mask).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("architecture", MODELS)
def test_hidden_pixels_are_not_seen(architecture, rng):
    task, images = make(architecture).initialise(0).eval(), rng.standard_normal((1, 32, 32, 3), np.float32)
    units = np.zeros((1, 4, 4), bool)
    units[0, 1, 2] = True
    mask, other = simmim.enlarged(units, 8 // task.patch_size), images.copy()
    other[:, 8:16, 16:24] += 1
    painted = task.paint(images, mask).numpy()
    assert painted.shape == images.shape
    np.testing.assert_array_equal(task.paint(other, mask).numpy(), painted)
    assert np.abs(task.paint(other, np.zeros_like(mask)).numpy() - painted).max() > 0.01


@pytest.mark.parametrize("architecture", [name for name in MODELS if name != "swin_v2"])  # whose branches begin as zero
def test_every_parameter_gets_a_gradient(architecture, rng):
    task, images = make(architecture).initialise(0), rng.standard_normal((2, 32, 32, 3), np.float32)
    mask = simmim.enlarged(simmim.random_units(rng, 2, (4, 4)), 8 // task.patch_size)
    gradients = grad(task(images, mask), task.parameters())
    for (name, _), gradient in zip(task.named_parameters(), gradients, strict=True):
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 0, name


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


@pytest.mark.parametrize("architecture", ["vit", "swin"])
def test_any_number_of_threads_computes_the_same(architecture, sets):
    check_threads(partial(make, architecture), sets)


def test_the_pictures(sets):
    task, samples = make().initialise(0).eval(), data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)
    pictures, seen, painted = task.pictures(samples, slice(4)).values()
    hidden = (seen == samples.as_bytes(np.zeros((1, 1, 1, 3), np.float32))).all(axis=-1)
    assert hidden.mean() == pytest.approx(10 / 16, abs=0.05)
    np.testing.assert_array_equal(painted[~hidden], pictures[~hidden])
    assert (painted[hidden] != pictures[hidden]).mean() > 0.5


def test_what_does_not_fit_is_told(rng):
    for architecture in ("resnet", "vitc", "mlp_mixer"):
        with pytest.raises(ValueError, match="simmim: needs a model that begins with patches, as vit, beit and swin"):
            simmim.SimMIM(create(architecture))
    with pytest.raises(ValueError, match="unit: 5 pixels are no whole number of patches of 2, or do not divide "
                                         "pictures of 32 x 32"):
        make(unit=5)
    with pytest.raises(ValueError, match="mask_ratio: 0.99 of 16 units hides none or all"):
        make(mask_ratio=0.99)
    with pytest.raises(ValueError, match=r"mask: expected shape \(2, 16, 16\), pictures by rows and columns"):
        make().paint(np.zeros((2, 32, 32, 3), np.float32), np.zeros((2, 8, 8), bool))


def vit_name(name):
    """Our name of a parameter of a ViT in the words of transformers."""
    if "qkv" in name:
        return [vit_name(name.replace("qkv", part)) for part in ("q_proj", "k_proj", "v_proj")]
    for ours, theirs in [("head.", "decoder.0."), ("mask_token", "vit.embeddings.mask_token"),
                         ("encoder.class_token", "vit.embeddings.cls_token"),
                         ("encoder.positions", "vit.embeddings.position_embeddings"),
                         ("encoder.patch_embed.", "vit.embeddings.patch_embeddings.projection."),
                         ("encoder.norm.", "vit.layernorm."), ("encoder.blocks", "vit.layers"),
                         ("norm1.", "layernorm_before."), ("norm2.", "layernorm_after."), ("mlp.linear", "mlp.fc"),
                         ("attention.proj", "attention.o_proj")]:
        name = name.replace(ours, theirs)
    return name


def swin_name(base, name):
    """The same of a Swin."""
    if "qkv" in name and base == "swin":
        return [swin_name(base, name.replace("qkv", part)) for part in ("q_proj", "k_proj", "v_proj")]
    if "qkv" in name:
        return [swin_name(base, name.replace("qkv", part)) for part in ("self.query", "self.key", "self.value")]
    of_base = {"swin": [("attention.proj", "attention.o_proj"), ("mlp.linear", "mlp.fc"), (
        "attention.relative_position_bias_table", "attention.relative_position_bias.relative_position_bias_table")],
        "swinv2": [("attention.proj", "attention.output.dense"), ("mlp.linear1", "intermediate.dense"),
                   ("mlp.linear2", "output.dense"), ("attention.query_bias", "attention.self.query.bias"),
                   ("attention.value_bias", "attention.self.value.bias"),
                   ("attention.logit_scale", "attention.self.logit_scale"),
                   ("attention.position_bias.linear1", "attention.self.continuous_position_bias_mlp.0"),
                   ("attention.position_bias.linear2", "attention.self.continuous_position_bias_mlp.2")]}[base]
    for ours, theirs in [("head.", "decoder.0."), ("mask_token", f"{base}.embeddings.mask_token"),
                         ("encoder.patch_embed.", f"{base}.embeddings.patch_embeddings.projection."),
                         ("encoder.patch_norm.", f"{base}.embeddings.norm."), ("encoder.norm.", f"{base}.layernorm."),
                         ("encoder.stages.1.merge.", f"{base}.encoder.layers.0.downsample."),
                         ("encoder.stages", f"{base}.encoder.layers"), *of_base,
                         ("norm1.", "layernorm_before."), ("norm2.", "layernorm_after.")]:
        name = name.replace(ours, theirs)
    return name


COMMON = dict(image_size=16, patch_size=2)
SIZES = dict(dim=8, depths=(2, 1), heads=(2, 2), window=4, **COMMON)
OFFICIAL = dict(embed_dim=8, depths=[2, 1], num_heads=[2, 2], window_size=4, encoder_stride=4, drop_path_rate=0.0,
                **COMMON)
PAIRS = {  # of transformers: its configuration, our encoder, and its names
    "ViT": (dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, encoder_stride=2,
                 layer_norm_eps=1e-6, **COMMON), partial(ViT, dim=16, depth=2, heads=2, **COMMON), vit_name),
    "Swin": (OFFICIAL, partial(Swin, **SIZES), partial(swin_name, "swin")),
    "Swinv2": (OFFICIAL, partial(SwinV2, **SIZES), partial(swin_name, "swinv2")),
}


def channels_first(place):
    """(B, S, S, 3, h, w) -> (B, 3 S S, h, w)"""
    return place.permute(0, 3, 1, 2, 4, 5).flatten(1, 3)


@pytest.mark.parity
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("output", ["reconstruction", "loss"])
def test_equal_to_transformers(name, output, rng):
    transformers = import_official("transformers")
    import torch
    config, encoder, rename = PAIRS[name]
    official = draw(getattr(transformers, f"{name}ForMaskedImageModeling")(
        getattr(transformers, f"{name}Config")(**config)))
    ours = simmim.SimMIM(encoder(num_classes=0), unit=4)
    S = ours.stride
    # PixelShuffle reads the numbers of a place as (channel, row, column); ours are in the order (row, column, channel)
    official.decoder[1].register_forward_pre_hook(
        lambda module, inputs: channels_first(inputs[0].unflatten(1, (S, S, 3))))
    mask = simmim.enlarged(simmim.random_units(rng, 2, (4, 4)), 2)

    def run(model, x):
        return model(x, mask) if output == "loss" else model.paint(x, mask).transpose(0, 3, 1, 2)
    assert_equal(ours, official, rename, rng.standard_normal((2, 16, 16, 3)), run, lambda model, x: getattr(
        model(x, bool_masked_pos=torch.tensor(mask.reshape(2, -1))), output))
