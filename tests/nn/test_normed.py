"""Maps with their norm, and the blocks made of them, against PyTorch and timm: values and gradients."""

from functools import partial

import numpy as np
import pytest

from minivit import Tensor, nn
from minivit.counting import count
from minivit.ops import max_pool2d, relu, silu, tanh
from tests.counterpart import assert_equal, draw, import_official


def channels_last(model, x):
    """(B, C, H, W) -> (B, H', W', C'), through a model of PyTorch."""
    return model(x).permute(0, 2, 3, 1)


def with_beginnings(exchanged):
    """Our name in the words of PyTorch: {our beginning: theirs}."""
    def rename(name):
        for ours, theirs in exchanged.items():
            if name.startswith(ours):
                return theirs + name[len(ours):]
        raise AssertionError(f"{name} has no counterpart")
    return rename


@pytest.mark.parametrize("settings, training", [
    (dict(stride=2), True), (dict(stride=2), False), (dict(dilation=2, padding=2), True),
    (dict(groups=2, bias=True), False)])  # in training, BatchNorm takes a bias away again
def test_conv_norm_is_pytorch_s(settings, training, rng):
    torch = pytest.importorskip("torch")
    official = torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3, **dict(padding=1, bias=False) | settings),
                                   torch.nn.BatchNorm2d(6, eps=1e-3), torch.nn.ReLU())
    ours = nn.ConvNorm(4, 6, 3, norm=partial(nn.BatchNorm2d, eps=1e-3), activation=relu, **settings)
    assert_equal(ours.train(training), draw(official).train(training), with_beginnings({"conv.": "0.", "norm.": "1."}),
                 rng.standard_normal((2, 7, 9, 4)), run_official=channels_last)


@pytest.mark.parity
def test_conv_norm_with_layer_norm_embeds_overlapping_patches_as_timm_s_pvt_v2(rng):
    timm = import_official("timm")
    official = draw(timm.models.pvt_v2.OverlapPatchEmbed(7, 4, 3, 5))
    ours = nn.ConvNorm(3, 5, 7, stride=4, bias=True, norm=partial(nn.LayerNorm, eps=1e-5))
    assert_equal(ours, official, with_beginnings({"conv.": "proj.", "norm.": "norm."}),
                 rng.standard_normal((2, 17, 24, 3)))


@pytest.mark.parity
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["LinearNorm", "NormLinear"])
def test_linear_maps_with_norms_are_those_of_timm_s_levit(name, training, rng):
    official = draw(getattr(import_official("timm").models.levit, name)(4, 6)).train(training)
    rows = rng.standard_normal((2, 3, 5, 4))  # of NormLinear, timm takes (B, C) alone
    assert_equal(getattr(nn, name)(4, 6).train(training), official,
                 with_beginnings({"norm.": "bn.", "linear.": "linear."}), rows,
                 run=lambda model, x: model(x.reshape(30, 4)),
                 run_official=lambda model, x: model(x.permute(0, 2, 3, 1).reshape(1, 30, 4)[0] if name == "NormLinear"
                                                     else x.permute(0, 2, 3, 1).reshape(1, 30, 4)).reshape(30, 6))


@pytest.mark.parity
@pytest.mark.parametrize("pixels", [(8, 9), (13, 10)])
@pytest.mark.parametrize("kernel, stride, dilation", [(7, 2, 1), (2, 2, 1), (3, 1, 2), (3, 5, 1)])
def test_a_convolution_with_padding_same_is_timm_s_and_tensorflow_s(kernel, stride, dilation, pixels, rng):
    official = draw(import_official("timm").layers.Conv2dSame(3, 4, kernel, stride=stride, dilation=dilation))
    ours = nn.Conv2d(3, 4, kernel, stride=stride, dilation=dilation, padding="same")
    x = rng.standard_normal((2, *pixels, 3))
    assert_equal(ours, official, str, x, run_official=channels_last)
    grid = tuple(-(-n // stride) for n in pixels)
    assert ours(x.astype(np.float32)).shape == (2, *grid, 4)
    assert count(ours, x.shape).rows[0].output == (2, *grid, 4)


def test_same_padding_adds_an_uneven_pixel_below_and_on_the_right(rng):
    assert nn.same_padding((8, 9), 3, 2) == ((0, 1), (1, 1))
    assert nn.same_padding((224, 224), 7, 2) == ((2, 3), (2, 3))
    assert nn.same_padding((4, 4), 1, 3) == ((0, 0), (0, 0))
    x = Tensor(rng.standard_normal((1, 8, 9, 2)))
    assert max_pool2d(x, 3, stride=2, padding=nn.same_padding((8, 9), 3, 2)).shape == (1, 4, 5, 2)


@pytest.mark.parity
@pytest.mark.parametrize("settings, activation, gate", [
    ({}, "relu", "sigmoid"), (dict(activation=silu), "silu", "sigmoid"), (dict(gate=tanh), "relu", "tanh")])
def test_squeeze_excite_is_timm_s(settings, activation, gate, rng):
    timm = import_official("timm")
    official = draw(timm.models._efficientnet_blocks.SqueezeExcite(
        8, rd_channels=3, act_layer=timm.layers.get_act_layer(activation), gate_layer=timm.layers.get_act_layer(gate)))
    ours = nn.SqueezeExcite(8, 3, **settings)
    assert_equal(ours, official, with_beginnings({"reduce.": "conv_reduce.", "expand.": "conv_expand."}),
                 rng.standard_normal((2, 5, 4, 8)), run_official=channels_last)


MBCONV = {"expand.conv.": "conv_pw.", "expand.norm.": "bn1.", "depthwise.conv.": "conv_dw.", "depthwise.norm.": "bn2.",
          "excite.reduce.": "se.conv_reduce.", "excite.expand.": "se.conv_expand.", "project.conv.": "conv_pwl.",
          "project.norm.": "bn3."}


@pytest.mark.parity
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("outputs, stride, kernel, excited", [(8, 1, 3, False), (8, 2, 3, True), (12, 1, 5, True)])
def test_mbconv_is_timm_s_inverted_residual(outputs, stride, kernel, excited, training, rng):
    timm, torch = import_official("timm"), pytest.importorskip("torch")
    blocks = timm.models._efficientnet_blocks
    official = draw(blocks.InvertedResidual(8, outputs, kernel, stride=stride, exp_ratio=4, act_layer=torch.nn.SiLU,
                                            group_size=1, se_layer=partial(blocks.SqueezeExcite, rd_channels=3)
                                            if excited else None)).train(training)
    ours = nn.MBConv(8, outputs, hidden=32, stride=stride, kernel=kernel,
                     excite=partial(nn.SqueezeExcite, hidden=3, activation=silu) if excited else None)
    assert_equal(ours.train(training), official, with_beginnings(MBCONV), rng.standard_normal((2, 7, 6, 8)),
                 run_official=channels_last)


@pytest.mark.parity
@pytest.mark.parametrize("kernel", [3, 7])
def test_conv_positions_are_those_of_timm(kernel, rng):
    timm = import_official("timm")
    if kernel == 3:
        official, beginning = timm.models.twins.PosConv(6, 6), "proj.0."
        run = lambda model, x: model(x.flatten(2).transpose(1, 2), x.shape[2:]).unflatten(1, x.shape[2:])  # noqa: E731
    else:
        official, beginning, run = timm.models.fastvit.RepConditionalPosEnc(6, 6, (7, 7)), "pos_enc.", channels_last
    assert_equal(nn.ConvPositions(6, kernel), draw(official), with_beginnings({"conv.": beginning}),
                 rng.standard_normal((2, 5, 8, 6)), run_official=run)


def test_conv_positions_need_a_centre():
    with pytest.raises(ValueError, match="expected an odd kernel, which has a centre, got 4"):
        nn.ConvPositions(6, 4)
