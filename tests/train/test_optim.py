"""Optimisers, clipping, the average of weights and the schedule, against PyTorch in float64."""

import math

import numpy as np
import pytest

from minivit import Tensor
from minivit.nn import Linear, Module, Parameter
from minivit.train.optim import ExponentialMovingAverage
from minivit.train.optim import SGD, AdamW, clip_gradients, parameter_groups
from minivit.train.optim import warmup_cosine

SHAPES = [(7, 5), (5,), (3, 3, 2, 4), (), (300, 250)]  # the last one is cut into blocks


def draw(rng, shapes=SHAPES):
    return [rng.standard_normal(shape) for shape in shapes]


def twenty_steps(optimiser, parameters, seed=1):
    """Steps with gradients that depend on the weights, as training's do."""
    rng = np.random.default_rng(seed)
    for _ in range(20):
        for parameter, noise in zip(parameters, draw(rng), strict=True):
            parameter.grad = 0.1 * np.asarray(parameter.data) + noise
        optimiser.step()


def twenty_steps_of_torch(torch, optimiser, parameters, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(20):
        for parameter, noise in zip(parameters, draw(rng), strict=True):
            parameter.grad = 0.1 * parameter.detach() + torch.tensor(noise, dtype=torch.float64)
        optimiser.step()


@pytest.mark.parametrize(("name", "settings"), [
    ("AdamW", {"lr": 3e-3, "weight_decay": 0.1}),
    ("AdamW", {"lr": 1e-2, "weight_decay": 0.0, "betas": (0.8, 0.99), "eps": 1e-6}),
    ("SGD", {"lr": 0.1, "momentum": 0.0}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}),
])
def test_twenty_steps_are_pytorchs(name, settings):
    torch = pytest.importorskip("torch")
    start = draw(np.random.default_rng(0))
    ours = [Tensor(x, requires_grad=True) for x in start]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in start]
    twenty_steps({"AdamW": AdamW, "SGD": SGD}[name](ours, **settings), ours)
    twenty_steps_of_torch(torch, getattr(torch.optim, name)(theirs, **settings), theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.data, reference.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_a_step_writes_to_weights_in_any_order_of_axes():
    weight = Tensor(np.zeros((4, 3)), requires_grad=True)
    weight.data = np.zeros((3, 4)).T  # what a loaded, transposed checkpoint leaves behind
    weight.grad = np.ones((4, 3))
    SGD([weight], lr=1.0, momentum=0.0).step()
    np.testing.assert_array_equal(weight.data, -np.ones((4, 3)))


def test_float32_stays_float32_and_parameters_without_gradient_stay():
    used, unused = (Tensor(np.ones(3, np.float32), requires_grad=True) for _ in range(2))
    used.grad = np.ones(3, np.float32)
    for optimiser in [AdamW([used, unused]), SGD([used, unused])]:
        optimiser.step()
    assert used.dtype == np.float32
    assert (used.data != 1).all()
    np.testing.assert_array_equal(unused.data, np.ones(3))
    optimiser.zero_grad()
    assert used.grad is None


@pytest.mark.parametrize("kind", [AdamW, SGD])
def test_a_stored_optimiser_goes_on_with_the_same_bits(kind):
    weights = draw(np.random.default_rng(0))
    straight = [Tensor(x, requires_grad=True) for x in weights]
    optimiser = kind(straight, lr=0.01)
    twenty_steps(optimiser, straight)
    resumed = [Tensor(x.data, requires_grad=True) for x in straight]
    other = kind(resumed, lr=0.01)
    other.load_state_dict(optimiser.state_dict())
    twenty_steps(optimiser, straight, seed=2)
    twenty_steps(other, resumed, seed=2)
    for a, b in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    with pytest.raises(ValueError, match="of another optimiser, or of other parameters"):
        other.load_state_dict({"steps": np.zeros(5, int)})


def test_no_parameters_is_an_error():
    with pytest.raises(ValueError, match="at least one parameter"):
        AdamW([])


class Tokens(Module):
    def __init__(self):
        self.class_token, self.positions = Parameter((1, 1, 4), None), Parameter((1, 5, 4), None)
        self.layers = [Linear(4, 4), Linear(4, 2)]


def test_decay_spares_biases_norms_tokens_and_positions():
    model = Tokens()
    decayed, spared = parameter_groups(model, weight_decay=0.3)
    assert decayed == {"params": [layer.weight for layer in model.layers], "weight_decay": 0.3}
    assert spared["weight_decay"] == 0
    assert {id(p) for p in spared["params"]} == {
        id(p) for p in [model.class_token, model.positions, *(layer.bias for layer in model.layers)]}


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_is_pytorchs(max_norm):
    torch = pytest.importorskip("torch")
    gradients = draw(np.random.default_rng(3))
    ours = [Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    theirs = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in map(np.asarray, gradients)]
    for mine, reference, g in zip(ours, theirs, gradients, strict=True):
        mine.grad, reference.grad = np.array(g), torch.tensor(g)
    norm = clip_gradients(ours, max_norm)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, max_norm).item(), rel=1e-12)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.grad, reference.grad.numpy(), rtol=1e-12)


def test_average_of_weights():
    model = Linear(3, 2).astype(np.float64)
    average = ExponentialMovingAverage(model, 0.9)
    expected, weights = model.weight.data.copy(), [model.weight.data.copy()]
    for step in range(1, 200):
        model.weight.data = model.weight.data + np.random.default_rng(step).standard_normal((3, 2))
        weights.append(model.weight.data.copy())
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weights[-1]
        average.update()
    with average.applied():
        np.testing.assert_allclose(model.weight.data, expected, rtol=1e-12)
    np.testing.assert_array_equal(model.weight.data, weights[-1])
    other = ExponentialMovingAverage(model, 0.9)
    other.load_state_dict(average.state_dict(), average.steps)
    np.testing.assert_array_equal(other.averages["weight"], average.averages["weight"])
    with pytest.raises(ValueError, match="0 <= decay < 1, got 1.0"):
        ExponentialMovingAverage(model, 1.0)


def test_schedule():
    rates = [warmup_cosine(step, steps=101, peak=2.0, warmup=10, final=0.5) for step in range(101)]
    np.testing.assert_allclose(rates[:11], 2 * np.arange(1, 12) / 11)
    assert max(rates) == rates[10] == 2
    assert rates[-1] == pytest.approx(0.5)
    assert rates[55] == pytest.approx(1.25)
    assert all(isinstance(rate, float) for rate in rates)
    assert warmup_cosine(0, steps=1, peak=1.0, warmup=0) == 1
    with pytest.raises(ValueError, match="0 to 100, got 101"):
        warmup_cosine(101, steps=101, peak=1.0, warmup=0)


def test_schedule_is_pytorchs_cosine():
    torch = pytest.importorskip("torch")
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=49)
    for step in range(50):
        ours = warmup_cosine(step, steps=50, peak=0.3, warmup=0)
        assert math.isclose(ours, optimiser.param_groups[0]["lr"], rel_tol=1e-9, abs_tol=1e-12)
        optimiser.step()
        cosine.step()
