"""SETR: the decoders against PyTorch, the paper's sizes, and which backbones can carry which decoder."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad
from minivit.models import setr
from minivit.models.vit import VARIANTS as VIT

torch = pytest.importorskip("torch")
functional = torch.nn.functional

SMALL = {"dim": 16, "depth": 4, "heads": 2, "patch_size": 4, "image_size": (16, 24), "width": 8, "num_classes": 5}


def small(decoder, **changes):
    """A small SETR on a ViT, all of its numbers drawn, in float64."""
    model = setr.SETR(VIT["cifar"], decoder=decoder, **SMALL | changes).initialise(0).astype(np.float64)
    rng = np.random.default_rng(1)
    for parameter in model.parameters():
        parameter.data = parameter.data + 0.2 * rng.standard_normal(parameter.shape)
    return model


def tensor(parameter):
    return None if parameter is None else torch.tensor(parameter.numpy())


def conv(x, module, padding):
    """(B, C, H, W)"""
    return functional.conv2d(x, tensor(module.weight).permute(3, 2, 0, 1), tensor(module.bias), padding=padding)


def mixed(x, module, training):
    """Convolution, batch norm, ReLU."""
    x, norm = conv(x, module.conv, module.conv.weight.shape[0] // 2), module.norm
    statistics = (tensor(norm.running_mean), tensor(norm.running_var))
    return functional.batch_norm(x, *statistics, tensor(norm.weight), tensor(norm.bias), training, eps=1e-5).relu()


def normed(grid, module):
    """(B, H, W, C) -> (B, C, H, W)"""
    x = functional.layer_norm(torch.tensor(grid.numpy()), grid.shape[-1:], tensor(module.weight), tensor(module.bias),
                              eps=1e-6)
    return x.permute(0, 3, 1, 2)


def stretched(x, size, align_corners=False):
    return functional.interpolate(x, size, mode="bilinear", align_corners=align_corners)


def naive(decoder, grids, size, training):
    x = mixed(normed(grids[0], decoder.norm), decoder.mix, training)
    return stretched(conv(x, decoder.head, 0), size)


def pup(decoder, grids, size, training):
    x = normed(grids[0], decoder.norm)
    for step, mix in enumerate(decoder.mixes):
        if step:
            x = stretched(x, (2 * x.shape[2], 2 * x.shape[3]))
        x = mixed(x, mix, training)
    return stretched(conv(x, decoder.head, 0), size)


def mla(decoder, grids, size, training):
    p2, p3, p4, p5 = (mixed(normed(grid, norm), narrow, training)
                      for grid, norm, narrow in zip(grids, decoder.norms, decoder.narrow, strict=True))
    p4 = p5 + p4
    p3 = p4 + p3
    p2 = p3 + p2
    heads = []
    for x, mix, (one, two) in zip((p2, p3, p4, p5), decoder.mixes, (stream.layers for stream in decoder.streams),
                                  strict=True):
        x = mixed(mixed(mixed(x, mix, training), one, training), two, training)
        heads.append(stretched(x, (4 * x.shape[2], 4 * x.shape[3]), align_corners=True))
    return stretched(conv(torch.cat(heads, 1), decoder.head, 1), size)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("reference", [naive, pup, mla])
def test_the_decoders_are_those_of_the_authors(reference, training, rng):
    model = small(reference.__name__).train(training)
    grids = [Tensor(rng.standard_normal((2, 4, 6, 16))) for _ in model.layers]
    with minivit.no_grad():
        expected = reference(model.decoder, grids, (16, 24), training).permute(0, 2, 3, 1)
        found = model.decoder(grids if reference is mla else grids[0], (16, 24))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-9, atol=1e-9)


def test_the_auxiliary_heads_watch_their_layers(rng):
    images = rng.standard_normal((2, 16, 24, 3))
    model = small("pup", auxiliary=(1, 2)).eval()
    main, *early = model.all_heads(images)
    np.testing.assert_array_equal(main.numpy(), model(images).numpy())
    for head, layer, found in zip(model.early, (1, 2), early, strict=True):
        x = mixed(normed(model.backbone.features(images, [layer])[0], head.norm), head.mix, False)
        x = conv(stretched(x, (16, 24)), head.head, 0)  # four times 4 x 6
        np.testing.assert_allclose(found.numpy(), stretched(x, (16, 24)).permute(0, 2, 3, 1).numpy(), rtol=1e-9,
                                   atol=1e-9)
    model = small("mla", auxiliary=(0, 1, 2, 3)).eval()
    main, *early = model.all_heads(images)
    levels = model.decoder.aggregate(model.backbone.features(images, [0, 1, 2, 3]))
    for head, level, found in zip(model.early, levels, early, strict=True):
        assert head.head.bias is None
        x = conv(torch.tensor(level.numpy()).permute(0, 3, 1, 2), head.head, 0)
        np.testing.assert_allclose(found.numpy(), stretched(x, (16, 24)).permute(0, 2, 3, 1).numpy(), rtol=1e-9,
                                   atol=1e-9)


def test_the_sizes_of_the_paper():
    """Counted in the authors' code for ViT-L at 768 pixels and 19 classes; the encoder's last norm is not read."""
    last_norm = 2 * 1024
    for variant, main, whole in [("naive", 305_728_019, None), ("pup", 309_596_947, 319_064_927),
                                 ("mla", 310_737_427, None)]:
        model = minivit.create("setr", variant)
        early = sum(parameter.size for head in model.early for parameter in head.parameters())
        count = sum(parameter.size for parameter in model.parameters()) - last_norm
        assert count - early == main
        assert whole in (None, count)


def test_layers_in_equal_steps():
    assert setr.equal_steps(24, 4) == (5, 11, 17, 23)
    assert setr.equal_steps(24, 1) == (23,)


@pytest.mark.parametrize("name", ["swin", "resnet", "pvt_v2", "cait", "poolformer"])
def test_other_families_carry_it(name, rng):
    model = setr.SETR(lambda **settings: minivit.create(name, "cifar", **settings), num_classes=3, width=8,
                      decoder="pup", auxiliary=(0,)).initialise(0)
    main, early = model.all_heads(rng.standard_normal((2, *model.image_size, 3), np.float32))
    assert main.shape == early.shape == (2, *model.image_size, 3)


def test_every_parameter_learns_but_the_norm_that_is_not_read(rng):
    for decoder in setr.DECODERS:
        model = small(decoder, auxiliary=(0, 1, 2, 3)).train()
        heads = model.all_heads(rng.standard_normal((2, 16, 24, 3)))
        assert len(heads) == 5
        gradients = grad(sum((head * rng.standard_normal(head.shape)).sum() for head in heads), model.parameters())
        names = [name for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True)
                 if not np.abs(gradient).max() > 0]
        assert names == ["backbone.norm.weight", "backbone.norm.bias"]


@pytest.mark.parametrize(("changes", "message"), [
    ({"decoder": "unet"}, "SETR: decoder: expected one of naive, pup, mla, got 'unet'"),
    ({"decoder": "pup", "layers": (0, 1)}, "'pup' reads one layer, but layers .* have 4 x 6 x 16, 4 x 6 x 16"),
    ({"decoder": "mla", "layers": (0, 1)}, "'mla' reads four layers of one grid, but layers"),
    ({"decoder": "pup", "auxiliary": (4,)}, "SETR: layer 4 is asked for, but this ViTGAP has 4")])
def test_what_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        setr.SETR(VIT["cifar"], **SMALL | changes)


def test_stages_of_several_grids_are_no_four_levels():
    with pytest.raises(ValueError, match="'mla' reads four layers of one grid, but layers .* of this Swin"):
        setr.SETR(lambda **settings: minivit.create("swin", "cifar", **settings), decoder="mla", num_classes=3)
