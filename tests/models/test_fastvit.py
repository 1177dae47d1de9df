"""FastViT: its branches and the one convolution that they become; equality with the official code is elsewhere."""

import numpy as np
import pytest

import minivit
from minivit import nn
from minivit.models.fastvit import AttentionBlock, FastViT, MixerBlock, RepMixer
from tests.families.fastvit import FIGURES
from tests.models.drawn import assert_folds_whole
from tests.models.test_counts import rounds_to

SIZES = dict(num_classes=5, dims=(8, 16, 32), depths=(1, 2, 1), attention_stages=1)


@pytest.mark.parametrize("inputs, outputs, kernels, settings", [
    (6, 6, (3, 1), dict(groups=6)), (6, 6, (3, 1), dict(groups=2)), (4, 4, (1,), {}), (3, 8, (3, 1), dict(stride=2)),
    (4, 8, (7, 3), dict(stride=2, groups=4)), (4, 8, (5, 3, 1), dict(groups=2))])
def test_branches_become_one_convolution(inputs, outputs, kernels, settings, rng):
    branches = nn.Branches(inputs, outputs, kernels, **settings)
    assert (branches.norm is not None) == (inputs == outputs)
    assert isinstance(assert_folds_whole(branches, rng.standard_normal((2, 5, 8, inputs)), rng), nn.Conv2d)


def test_the_mixer_becomes_one_convolution(rng):
    assert isinstance(assert_folds_whole(RepMixer(6, 1e-5), rng.standard_normal((2, 5, 4, 6)), rng), nn.Conv2d)


@pytest.mark.parametrize("block", [MixerBlock, AttentionBlock])
def test_blocks_keep_their_shortcuts_round_what_is_not_linear(block, rng):
    folded = assert_folds_whole(block(32, mlp_ratio=2, layer_scale=1e-5), rng.standard_normal((2, 5, 4, 32)), rng)
    assert isinstance(folded, block)


def test_what_a_norm_adds_is_the_same_at_the_border():
    """0 0 3, convolved with 1 1 1: 0 3 3. With the shortcut and 1 behind the convolution 1 4 7; before it 2 6 8."""
    mixer = RepMixer(1, 1.0).astype(np.float64).eval()
    weights = {name: np.zeros_like(values) for name, values in mixer.state_dict().items()}
    for name in ("mixer.convs.0.norm", "mixer.convs.1.norm", "mixer.norm", "norm"):
        weights |= {f"{name}.running_var": np.full(1, 1 - 1e-5), f"{name}.weight": np.ones(1)}
    weights["mixer.convs.0.conv.weight"][1] = 1
    mixer.load_state_dict(weights | {"mixer.convs.0.norm.bias": np.ones(1), "scale.gamma": np.ones(1)})
    x = np.array([0.0, 0.0, 3.0]).reshape(1, 1, 3, 1)
    for each in (mixer, nn.fold(mixer)):
        np.testing.assert_allclose(each(x).numpy().ravel(), [1, 4, 7], rtol=1e-12)


@pytest.mark.parametrize("settings", [{}, dict(attention_stages=0, stem_strides=(2, 1))])
def test_the_inference_form_has_no_norms_and_computes_the_same(settings, rng):
    model, images = FastViT(**SIZES | settings), rng.standard_normal((2, 45, 64, 3))
    assert_folds_whole(model, images, rng)


@pytest.mark.parametrize("line", FIGURES[0].lines, ids=lambda line: line.variant)
def test_the_papers_parameters_are_those_of_what_is_not_merged(line):
    """Linear maps, factors, and the merged large kernel between stages: a convolution with a bias."""
    merged = ("stem.", ".shrink.layers.1.", ".convs.1.", ".convs.0.norm.weight", ".mixer.", ".positions.",
              ".mlp.layers.0.", "final.")
    parameters = sum(parameter.size for name, parameter in minivit.create("fastvit", line.variant).named_parameters()
                     if not any(part in name for part in merged))
    assert rounds_to(parameters / 1e6, line.parameters), parameters


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="heads of 32 channels, which do not divide 48"):
        FastViT(**SIZES | dict(dims=(8, 16, 48)))
    with pytest.raises(ValueError, match=r"a multiple of the one before; got \(8, 12, 32\)"):
        FastViT(**SIZES | dict(dims=(8, 12, 32)))
    with pytest.raises(ValueError, match="one number for each stage"):
        FastViT(**SIZES | dict(depths=(1, 2)))
