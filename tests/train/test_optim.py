"""Optimisers, clipping, the average of weights and the schedule, against PyTorch in float64."""

import math

import numpy as np
import pytest

from minivit import Tensor
from minivit.nn import Linear, Module, Parameter, Sequential
from minivit.train.optim import ExponentialMovingAverage
from minivit.train.optim import SAM, SGD, AdamW, Muon, clip_gradients, parameter_groups
from minivit.train.optim import warmup_cosine

SHAPES = [(7, 5), (5,), (3, 3, 2, 4), (), (300, 250)]  # the last one is cut into blocks


def draw(rng, shapes=SHAPES):
    return [rng.standard_normal(shape) for shape in shapes]


def alike(torch):
    """The same parameters, ours and PyTorch's."""
    start = draw(np.random.default_rng(0))
    return ([Tensor(x, requires_grad=True) for x in start],
            [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in start])


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
    ours, theirs = alike(torch)
    twenty_steps({"AdamW": AdamW, "SGD": SGD}[name](ours, **settings), ours)
    twenty_steps_of_torch(torch, getattr(torch.optim, name)(theirs, **settings), theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.data, reference.detach().numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["AdamW", "SGD"])
def test_a_schedule_of_weight_decay_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours, theirs = alike(torch)
    optimiser = {"AdamW": AdamW, "SGD": SGD}[name]([{"params": ours[:1], "weight_decay": 0.1}, {
        "params": ours[1:], "weight_decay": 0.0}], lr=1e-2)
    official = getattr(torch.optim, name)([{"params": theirs[:1]}, {"params": theirs[1:]}], lr=1e-2, weight_decay=0.0,
                                          **({"momentum": 0.9} if name == "SGD" else {}))
    for step, factor in enumerate((1.0, 3.0, 0.5)):
        optimiser.scale_decay(factor)
        official.param_groups[0]["weight_decay"] = 0.1 * factor
        twenty_steps(optimiser, ours, seed=step)
        twenty_steps_of_torch(torch, official, theirs, seed=step)
    for mine, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.data, reference.detach().numpy(), rtol=1e-10, atol=1e-14)


def test_matrices_of_muon_and_what_sam_is_around_follow_a_schedule_of_weight_decay():
    weights = [Tensor(np.ones((3, 3)), requires_grad=True) for _ in range(2)]
    muon = Muon([{"params": weights[:1], "orthogonal": True}, {"params": weights[1:]}], lr=0.1, weight_decay=0.2)
    around = SAM(muon)
    around.scale_decay(2.5)
    for weight in weights:
        weight.grad = np.zeros((3, 3))
    around.step()
    np.testing.assert_allclose(weights[0].numpy(), 1 - 0.1 * 0.5)
    np.testing.assert_allclose(weights[1].numpy(), 1 - 0.25 * 0.1 * 0.5)
    with pytest.raises(ValueError, match="factor: expected 0 <= factor < inf, got -1"):
        muon.scale_decay(-1)


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


def group_of(*parameters, **settings):
    return {"params": list(parameters)} | settings


@pytest.mark.parametrize("optimiser", [AdamW, SGD, Muon])
@pytest.mark.parametrize(("error", "message", "params"), [
    (ValueError, "at least one parameter, got none", lambda layer: []),
    (TypeError, r"params: expected a list, such as model.parameters\(\), got one Parameter",
     lambda layer: layer.weight),
    (TypeError, "params: expected a list, .* got one Linear", lambda layer: layer),
    (TypeError, "params: expected a list, .* got one dict", lambda layer: group_of(layer.weight)),
    (TypeError, '"params" of a group: expected a list, .* got one Parameter', lambda layer: [{"params": layer.weight}]),
    (TypeError, r"params\[0\]: expected a Parameter or a Tensor, got tuple", lambda layer: layer.named_parameters()),
    (TypeError, r"params\[0\]: expected a Parameter or a Tensor, got ndarray", lambda layer: [layer.weight.data]),
    (ValueError, r"params\[0\]: expected a tensor that you made yourself, got one computed by 'mul'",
     lambda layer: [layer.weight * 2]),
    (ValueError, r"params\[1\]: expected requires_grad, got a tensor of shape \(2,\) without",
     lambda layer: [layer.weight, Tensor([1.0, 2.0])]),
    (ValueError, r"params\[0\]: expected requires_grad", lambda layer: [layer.weight.detach()]),
    (ValueError, r"params\[2\]: expected each parameter once, got params\[0\] again",
     lambda layer: [*layer.parameters(), layer.weight]),
    (ValueError, r"params\[1\]: expected each parameter once, got params\[0\] again",
     lambda layer: [group_of(layer.weight), group_of(layer.weight, lr=0.1)]),
    (ValueError, "setting of a group: 'weight_decai' does not exist; did you mean 'weight_decay'",
     lambda layer: [group_of(layer.weight, weight_decai=0.1)]),
    (ValueError, "setting of a group: 'parameters' does not exist", lambda layer: [{"parameters": [layer.weight]}]),
    (ValueError, 'expected groups with "params", got one with \'lr\'', lambda layer: [{"lr": 0.1}]),
    (ValueError, "lr: expected 0 <= lr < inf, got -0.1", lambda layer: [group_of(layer.weight, lr=-0.1)]),
    (ValueError, "weight_decay: expected 0 <= weight_decay < inf, got nan",
     lambda layer: [group_of(layer.weight, weight_decay=math.nan)]),
])
def test_what_would_not_be_trained_is_refused(optimiser, error, message, params):
    with pytest.raises(error, match=message):
        optimiser(params(Linear(3, 2)))


@pytest.mark.parametrize(("optimiser", "setting", "wrong"), [
    *[(optimiser, name, wrong) for optimiser in (AdamW, SGD, Muon) for name in ("lr", "weight_decay")
      for wrong in (-1e-3, math.nan, math.inf, "0.1", None)],
    *[(AdamW, "betas", wrong) for wrong in [(0.9, 1.0), (1.5, 0.9), (-0.1, 0.9), (0.9, math.nan), (0.9,), 0.9, "ab"]],
    *[(AdamW, "eps", wrong) for wrong in (-1e-8, math.nan)],
    *[(optimiser, "momentum", wrong) for optimiser in (SGD, Muon) for wrong in (-0.1, 1.0, 1.5, math.nan)],
    *[(Muon, "adam_lr", wrong) for wrong in (-1, math.nan)]])
def test_settings_that_would_ruin_the_weights_are_refused(optimiser, setting, wrong):
    with pytest.raises(ValueError, match=f"{setting}: expected .* {setting} .*, got "):
        optimiser(Linear(3, 2).parameters(), **{setting: wrong})


def test_a_learning_rate_is_checked_where_it_changes_and_numpys_numbers_are_numbers():
    optimiser = SGD(Linear(3, 2).parameters(), lr=np.float32(0.5), momentum=np.float64(0.9), weight_decay=np.int64(0))
    optimiser.lr = np.float64(0.25)
    with pytest.raises(ValueError, match="lr: expected 0 <= lr < inf, got nan"):
        optimiser.lr = math.nan
    assert optimiser.lr == 0.25


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_groups_with_learning_rates_of_their_own_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    ours, theirs = alike(torch)

    def groups(parameters):
        first, second, third = parameters[:2], parameters[2:4], parameters[4:]
        return [group_of(*first, lr=0.03), group_of(*second), group_of(*third, lr=0.0)]

    mine = {"AdamW": AdamW, "SGD": SGD}[name](groups(ours), lr=0.01, weight_decay=0.1)
    reference = getattr(torch.optim, name)(groups(theirs), lr=0.01, weight_decay=0.1,
                                           **({"momentum": 0.9} if name == "SGD" else {}))
    for factor in (1.0, 0.5):  # a schedule moves all groups alike
        mine.lr = 0.01 * factor
        for group, rate in zip(reference.param_groups, (0.03, 0.01, 0.0), strict=True):
            group["lr"] = rate * factor
        twenty_steps(mine, ours)
        twenty_steps_of_torch(torch, reference, theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.data, other.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(ours[-1].data, alike(torch)[0][-1].data)
    with pytest.raises(ValueError, match="lr: expected more than 0, which the 0.1 of a group can be a multiple of"):
        SGD([group_of(ours[0], lr=0.1)], lr=0.0)


@pytest.mark.parametrize("optimiser", [AdamW, SGD, Muon])
@pytest.mark.parametrize("gradient", [
    np.ones((2, 3)), np.ones(()), np.ones((1, 3, 2)), [[1.0, 1], [1, 1], [1, 1]], 1.0])
def test_a_gradient_of_another_shape_is_refused_and_nothing_has_changed(optimiser, gradient):
    layer = Linear(3, 2)
    before, made = layer.weight.numpy().copy(), optimiser(layer.parameters(), lr=0.1)
    layer.bias.grad, layer.weight.grad = np.ones(2, np.float32), gradient
    with pytest.raises(ValueError, match=r"the gradient of parameter 0: expected an array of shape \(3, 2\), got"):
        made.step()
    assert made.steps == [0, 0]
    np.testing.assert_array_equal(layer.weight.data, before)


def test_frozen_parameters_are_in_no_group():
    model = Sequential(Linear(3, 4), Linear(4, 2))
    model[0].weight.requires_grad = False
    groups = parameter_groups(model, weight_decay=0.3)
    assert [p for group in groups for p in group["params"] if not p.requires_grad] == []
    AdamW(groups)


def test_matrices_alone_are_orthogonal():
    layer = Linear(3, 2)
    with pytest.raises(ValueError, match=r'"orthogonal" of a group: expected matrices .* of shape \(2,\)'):
        Muon([group_of(layer.bias, orthogonal=True)])
    with pytest.raises(ValueError, match="setting of a group: 'orthogonal' does not exist"):
        AdamW([group_of(layer.weight, orthogonal=True)])


@pytest.mark.parametrize("max_norm", [-1.0, 0.0, math.nan])
def test_a_limit_that_would_turn_or_stop_the_gradient_is_refused(max_norm):
    layer = Linear(3, 2)
    layer.weight.grad = np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"clip_gradients: max_norm: expected more than 0 \(inf is no limit\), got"):
        clip_gradients(layer.parameters(), max_norm)
    np.testing.assert_array_equal(layer.weight.grad, np.ones((3, 2)))


def test_clipping_counts_each_parameter_once_and_takes_a_list():
    layer = Linear(3, 2)
    layer.weight.grad = np.ones((3, 2), np.float32)
    assert clip_gradients([layer.weight, layer.weight], 1.0) == pytest.approx(math.sqrt(6))
    assert math.sqrt((layer.weight.grad ** 2).sum()) == pytest.approx(1.0, rel=1e-5)
    with pytest.raises(TypeError, match="clip_gradients: parameters: expected a list"):
        clip_gradients(layer.weight, 1.0)
    large = Tensor(np.ones(70_000, np.float16), requires_grad=True)
    large.grad = np.full(70_000, 2, np.float16)
    assert clip_gradients([large], 1e9) == pytest.approx(math.sqrt(280_000))


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
    for wrong in ({"steps": 0}, {"warmup": -1}, {"peak": -0.1}, {"peak": math.nan}, {"final": -1.0}):
        with pytest.raises(ValueError, match="warmup_cosine: expected"):
            warmup_cosine(0, **{"steps": 5, "peak": 1.0, "warmup": 1} | wrong)
    with pytest.raises(TypeError, match="integer"):
        warmup_cosine(0, steps=2.5, peak=1.0, warmup=0)


def test_schedule_is_pytorchs_cosine():
    torch = pytest.importorskip("torch")
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=49)
    for step in range(50):
        ours = warmup_cosine(step, steps=50, peak=0.3, warmup=0)
        assert math.isclose(ours, optimiser.param_groups[0]["lr"], rel_tol=1e-9, abs_tol=1e-12)
        optimiser.step()
        cosine.step()
