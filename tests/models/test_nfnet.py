"""NFNet: its standardised weights, the variance of its signals, stochastic depth, and its inference form."""

import numpy as np
import pytest

from minivit import Tensor, nn
from minivit.models import nfnet
from minivit.ops import gelu_tanh, tanh

SIZES = dict(num_classes=5, stem=(4, 8, 8, 16), dims=(32, 32, 64, 64), depths=(1, 2, 3, 1), group=8)


@pytest.mark.parametrize("standardise", [nfnet.standardise, nfnet.standardise_timm])
def test_the_weights_of_each_output_have_mean_0_and_squares_that_sum_to_the_gain_s(standardise, rng):
    weight, gain = 30 * rng.standard_normal((3, 3, 5, 7)) + 4, rng.standard_normal(7)
    standardised = standardise(Tensor(weight), Tensor(gain)).numpy()
    np.testing.assert_allclose(standardised.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose((standardised ** 2).sum(axis=(0, 1, 2)), gain ** 2, rtol=1e-6)


def test_three_weights_by_hand():
    """1 2 3 have mean 2 and squares of the distances that sum to 2."""
    weight = np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1)
    found = nfnet.standardise(Tensor(weight), Tensor(np.ones(1))).numpy().ravel()
    np.testing.assert_allclose(found, [-0.5 ** 0.5, 0, 0.5 ** 0.5], atol=1e-12)


def test_equal_weights_become_0_and_not_infinite():
    for standardise in (nfnet.standardise, nfnet.standardise_timm):
        assert not standardise(Tensor(np.full((1, 1, 4, 2), 3.0)), Tensor(np.ones(2))).numpy().any()


@pytest.mark.parametrize("activation", nfnet.GAMMA, ids=lambda activation: activation.__name__)
def test_gamma_gives_a_normal_input_variance_1(activation):
    z, weights = np.polynomial.hermite_e.hermegauss(200)  # integrates against the normal density
    y, share = nfnet.ScaledActivation(activation)(Tensor(z)).numpy(), weights / weights.sum()
    mean = share @ y
    assert share @ (y - mean) ** 2 == pytest.approx(1, abs=5e-3)


def test_an_activation_of_unknown_gamma_is_refused():
    with pytest.raises(ValueError, match=r"activation: expected one whose gamma is known \(gelu_tanh, gelu, relu"):
        nfnet.NFNet(activation=tanh)


def test_the_expected_variance_grows_by_alpha_squared_and_starts_anew_behind_the_first_block_of_a_stage():
    variances = [[std ** 2 for std in stds] for stds in nfnet.expected_stds((2, 3, 1), 0.5)]
    np.testing.assert_allclose(np.concatenate(variances), [1, 1.25, 1.5, 1.25, 1.5, 1.75], rtol=1e-12)


def test_blocks_read_numbers_of_variance_1(rng):
    """In a stage, with all gains at 1 and without squeeze and excite, whose factors depend on the picture."""
    model = nfnet.NFNet(num_classes=0, dims=(128,), depths=(6,), group=64, alpha=0.7).initialise(2)
    for _, block in blocks(model):
        block.skip_gain.data = np.ones((), np.float32)
        block.excite.expand.weight.mutable()[...] = 0  # a factor of 1/2 for all channels
    x, plain, scaled = model.stem(rng.standard_normal((2, 64, 64, 3), np.float32)), [], []
    for _, block in blocks(model):
        plain.append(x.numpy().var(axis=(0, 1, 2)).mean())
        scaled.append(plain[-1] / block.std ** 2)
        x = block(x)
    assert plain[-1] > 2.5
    np.testing.assert_allclose(scaled, 1, atol=0.25)


def blocks(model):
    return [(name, part) for name, part in model.named_modules() if isinstance(part, nfnet.Block)]


def test_a_new_network_is_linear_in_its_shortcuts(rng):
    """SkipInit: all gains of the branches are 0, so that blocks which keep the shape change nothing."""
    model = nfnet.NFNet(**SIZES).initialise(0)
    x = rng.standard_normal((2, 8, 8, 32), np.float32)
    np.testing.assert_array_equal(model.stages[1][1](x).numpy(), x)
    assert not np.array_equal(model.stages[1][0](x).numpy(), x[:, ::2, ::2])


def test_stochastic_depth_leaves_out_whole_pictures_and_keeps_the_others_as_they_are(rng):
    layer, x = nfnet.StochasticDepth(0.4), rng.standard_normal((200, 3, 2))
    with nn.randomness(np.random.default_rng(0)):
        y = layer(Tensor(x)).numpy()
    kept = y.any(axis=(1, 2))
    assert 80 < kept.sum() < 160
    np.testing.assert_allclose(y[kept], x[kept], rtol=1e-12)
    np.testing.assert_array_equal(layer.eval()(Tensor(x)).numpy(), x)


def test_rates_of_stochastic_depth_grow_to_that_of_a_block_behind_the_last():
    model = nfnet.NFNet(**SIZES, drop_path=0.35)
    np.testing.assert_allclose([block.drop_path.rate for _, block in blocks(model)], 0.05 * np.arange(7))


def test_the_folded_network_has_plain_convolutions_and_the_same_outputs(rng):
    model = nfnet.NFNet(**SIZES).initialise(0).astype(np.float64)
    for _, parameter in model.named_parameters():
        parameter.data = 0.5 * rng.standard_normal(parameter.shape)
    images = Tensor(rng.standard_normal((2, 37, 50, 3)))
    with pytest.raises(ValueError, match="expected a model in eval"):
        nn.fold(model)
    expected = model.eval()(images).numpy()
    folded = nn.fold(model)
    np.testing.assert_allclose(folded(images).numpy(), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    convs = [part for part in folded.modules() if isinstance(part, nn.Conv2d)]
    assert len(convs) == 4 + 7 * 4 + 4 + 1
    assert not any(isinstance(part, nfnet.ScaledConv2d) for part in convs)
    assert sum(p.size for p in folded.parameters()) == sum(p.size for p in model.parameters()) - sum(
        conv.weight.shape[-1] for conv in convs)
    np.testing.assert_array_equal(model(images).numpy(), expected)


def test_groups_that_do_not_divide_are_refused_with_numbers():
    with pytest.raises(ValueError, match="a block of 32 channels has 16 inside, which do not divide into groups of 6"):
        nfnet.NFNet(**SIZES | dict(group=6))


def test_strides_and_depths_are_as_many_as_convolutions_and_stages():
    with pytest.raises(ValueError, match=r"a stride for each .* got stem \(4, 8, 8, 16\), strides \(2, 2\)"):
        nfnet.NFNet(**SIZES, strides=(2, 2))
    with pytest.raises(ValueError, match=r"a depth for each stage, .* depths \(1, 2\)"):
        nfnet.NFNet(**SIZES | dict(depths=(1, 2)))


def test_forms_that_timm_lacks_are_named():
    from minivit.interop import to_official
    timm = dict(activation=nfnet.gelu, standardise=nfnet.standardise_timm)
    with pytest.raises(ValueError, match="standardise: standardise has no counterpart"):
        to_official(nfnet.NFNet(**SIZES, activation=nfnet.gelu))
    with pytest.raises(ValueError, match="activation: gelu_tanh has no counterpart"):
        to_official(nfnet.NFNet(**SIZES, activation=gelu_tanh))
    with pytest.raises(ValueError, match="stem: channels .4, 8, 8, 16. have no counterpart"):
        to_official(nfnet.NFNet(**SIZES, **timm))
    with pytest.raises(ValueError, match="dims: expected multiples of 16"):
        to_official(nfnet.NFNet(**SIZES | dict(stem=(2, 4, 8, 16), dims=(24, 32, 64, 64), group=4), **timm))
