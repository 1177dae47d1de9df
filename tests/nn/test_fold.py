"""The inference form of a model is equal to the model."""

from functools import partial

import numpy as np
import pytest

import minivit
from minivit import Tensor, nn
from minivit.ops import relu, silu

LAYERS = {
    "convolution": (lambda: nn.ConvNorm(4, 6, 3, stride=2, activation=relu), (2, 7, 9, 4)),
    "depthwise": (lambda: nn.ConvNorm(4, 8, 3, groups=4, bias=True), (2, 7, 9, 4)),
    "linear": (lambda: nn.LinearNorm(4, 6), (2, 7, 4)),
    "linear with bias": (lambda: nn.LinearNorm(4, 6, bias=True), (2, 7, 4)),
    "linear behind": (lambda: nn.NormLinear(4, 6), (3, 4)),
    "linear behind without bias": (lambda: nn.NormLinear(4, 6, bias=False), (3, 4)),
    "inverted residual": (lambda: nn.MBConv(4, 4, hidden=8, excite=partial(nn.SqueezeExcite, hidden=3)), (2, 5, 6, 4)),
    "positions": (lambda: nn.ConvPositions(4, 5), (2, 7, 9, 4)),
    "in lists and dicts": (lambda: nn.Sequential(nn.ConvNorm(4, 6, 3), silu, nn.Sequential(nn.ConvNorm(6, 4, 1))),
                           (2, 7, 9, 4)),
}


def drawn(module, rng):
    """Every number random, so that no part of it can be forgotten; in float64 and in eval."""
    module.astype(np.float64).eval()
    for name, tensor in module.named_parameters() + module.named_buffers():
        values = rng.standard_normal(tensor.shape)
        tensor.data = np.exp(values) if name.endswith("running_var") else values
    return module


def norms(model):
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", LAYERS)
def test_the_folded_layer_is_the_layer_without_norms(name, rng):
    make, shape = LAYERS[name]
    layer, x = drawn(make(), rng), Tensor(rng.standard_normal(shape))
    expected, before = layer(x).numpy(), layer.state_dict()
    folded = nn.fold(layer)
    np.testing.assert_allclose(folded(x).numpy(), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    assert not norms(folded)
    assert not any(module.training for module in folded.modules())
    assert len(folded.named_parameters()) <= len(layer.named_parameters())
    assert layer.state_dict().keys() == before.keys()                         # the layer itself is what it was
    assert all(np.array_equal(values, before[key]) for key, values in layer.state_dict().items())
    np.testing.assert_array_equal(layer(x).numpy(), expected)


def test_single_precision_stays_single_precision(rng):
    layer, x = nn.ConvNorm(3, 4, 3).eval(), rng.standard_normal((1, 5, 5, 3), np.float32)
    folded = nn.fold(layer)
    assert folded(x).dtype == np.float32
    np.testing.assert_allclose(folded(x).numpy(), layer(x).numpy(), rtol=1e-4, atol=1e-5)


def test_in_training_there_is_nothing_to_fold():
    model = nn.Sequential(nn.ConvNorm(3, 4, 3)).eval()
    model[0].norm.train()
    with pytest.raises(ValueError, match=r"expected a model in eval\(\), but layers.0.norm is in training"):
        nn.fold(model)


def test_a_norm_that_looks_at_its_input_stays(rng):
    layer = drawn(nn.ConvNorm(3, 4, 3, norm=nn.LayerNorm), rng)
    x = Tensor(rng.standard_normal((1, 5, 5, 3)))
    folded = nn.fold(layer)
    np.testing.assert_array_equal(folded(x).numpy(), layer(x).numpy())
    folded.train()
    assert not any(module.training for module in layer.modules())


class Branches(nn.Module):
    """What a model of several branches does, as RepVGG and FastViT: it adds what its parts have become."""

    def __init__(self):
        self.branches = [nn.ConvNorm(4, 4, 3), nn.ConvNorm(4, 4, 3)]

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)

    def folded(self):
        first, second = (branch.conv for branch in self.branches)
        return nn.with_values(first, first.weight.data + second.weight.data, first.bias.data + second.bias.data)


def test_parts_are_folded_before_the_module_that_joins_them(rng):
    model, x = drawn(nn.Sequential(Branches(), relu), rng), Tensor(rng.standard_normal((2, 5, 6, 4)))
    folded, expected = nn.fold(model), model(x).numpy()
    assert isinstance(folded[0], nn.Conv2d)
    np.testing.assert_allclose(folded(x).numpy(), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())


def test_a_part_in_two_places_stays_one(rng):
    conv = nn.ConvNorm(3, 3, 3)
    folded = nn.fold(drawn(nn.Sequential(conv, relu, conv), rng))
    assert folded[0] is folded[2]
    assert folded[0] is not conv


def test_what_cannot_be_folded_is_copied_with_its_parameters(rng):
    model = minivit.create("vit").eval()
    folded, images = nn.fold(model), rng.standard_normal((1, 32, 32, 3), np.float32)
    assert folded is not model
    assert folded.head is not model.head
    assert folded.head.weight is model.head.weight
    np.testing.assert_array_equal(folded(images).numpy(), model(images).numpy())


def test_on_a_device(device, rng):
    model = drawn(nn.Sequential(nn.ConvNorm(3, 4, 3), nn.ConvPositions(4), nn.NormLinear(4, 5)), rng)
    x = Tensor(rng.standard_normal((1, 5, 6, 3)))
    expected = model(x).numpy()
    folded = nn.fold(model.to(device))
    assert {parameter.device for parameter in folded.parameters()} == {device}
    np.testing.assert_allclose(folded(x.to(device)).numpy(), expected, rtol=1e-9, atol=1e-9)


def test_more_training_may_follow(rng):
    folded, x = nn.fold(drawn(nn.ConvNorm(3, 4, 3), rng)).train(), Tensor(rng.standard_normal((1, 5, 5, 3)))
    gradients = minivit.grad((folded(x) ** 2).sum(), folded.parameters())
    assert [gradient.shape for gradient in gradients] == [(3, 3, 3, 4), (4,)]
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)
