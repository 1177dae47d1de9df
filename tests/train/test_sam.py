"""Sharpness-aware minimisation: the paper's equations, and its place in a step of training."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, create
from minivit.nn import Linear, Sequential
from minivit.ops import cross_entropy, gelu
from minivit.tasks.classify import Classify
from minivit.train import SAM, SGD, AdamW, Muon, resume, train
from minivit.train.optim import unchanged
from minivit.train.threads import Threads
from minivit.train.trainer import Trainer
from tests.train.runs import assert_same_end, batches_of, without_times
from tests.train.test_loop import stop_at

RHO = 0.3


def batch(step):
    rng = np.random.default_rng(step)
    return rng.standard_normal((12, 5)), rng.integers(4, size=12)


def model():
    return Sequential(Linear(5, 8), gelu, Linear(8, 4)).initialise(0).astype(np.float64)


def torchs(torch, start, name, settings):
    """Algorithm 1 on PyTorch's gradients: w + rho g / |g|, the gradient there, and a step of the optimiser from w."""
    w1, b1, w2, b2 = weights = [torch.tensor(x, requires_grad=True) for x in start]
    optimiser = getattr(torch.optim, name)(weights, **settings)

    def gradients(step):
        x, labels = map(torch.tensor, batch(step))
        logits = torch.nn.functional.gelu(x @ w1 + b1) @ w2 + b2
        return torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels), weights)

    for step in range(20):
        with torch.no_grad():
            before = [w.clone() for w in weights]
        first = gradients(step)
        length = torch.sqrt(sum((g ** 2).sum() for g in first))
        with torch.no_grad():
            for w, g in zip(weights, first, strict=True):
                w += RHO * g / length
        second = gradients(step)
        with torch.no_grad():
            for w, value, g in zip(weights, before, second, strict=True):
                w.copy_(value)
                w.grad = g
        optimiser.step()
    return [w.detach().numpy() for w in weights]


@pytest.mark.parametrize(("kind", "settings"), [
    (SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.01)), (AdamW, dict(lr=0.02, weight_decay=0.1))],
    ids=["SGD", "AdamW"])
def test_twenty_steps_are_the_papers_equations(kind, settings):
    torch = pytest.importorskip("torch")
    ours = model()
    start = [p.numpy().copy() for p in ours.parameters()]
    optimiser = SAM(kind(ours.parameters(), **settings), rho=RHO)

    def backward(step):
        x, labels = batch(step)
        cross_entropy(ours(Tensor(x)), labels).backward()

    for step in range(20):
        backward(step)
        with optimiser.uphill():
            optimiser.zero_grad()
            backward(step)
        optimiser.step()
        optimiser.zero_grad()
    for parameter, expected, first in zip(ours.parameters(), torchs(torch, start, kind.__name__, settings), start,
                                          strict=True):
        np.testing.assert_allclose(parameter.numpy(), expected, rtol=1e-10, atol=1e-12)
        assert np.abs(expected - first).max() > 0.05


def test_the_climb_leads_rho_far_along_the_gradient_and_back_to_the_same_bits(rng):
    weights = [Tensor(np.array(rng.standard_normal(shape), np.float32), requires_grad=True)
               for shape in [(4, 3), (5,), ()]]
    unused = Tensor(np.ones(2), requires_grad=True)
    optimiser = SAM(SGD([*weights, unused], lr=0.1), rho=0.7)
    before = [w.numpy().copy() for w in weights]
    for w in weights:
        w.grad = rng.standard_normal(w.shape, np.float32) if w.shape else np.array(0.3, np.float32)
    moved = []

    def climb_and_stumble():
        with optimiser.uphill():
            moved.extend(w.numpy() - x for w, x in zip(weights, before, strict=True))
            raise RuntimeError("in the middle")
    with pytest.raises(RuntimeError, match="in the middle"):
        climb_and_stumble()
    climbed, length = (np.linalg.norm(np.concatenate([np.ravel(x) for x in xs]).astype(np.float64))
                       for xs in (moved, [w.grad for w in weights]))
    assert climbed == pytest.approx(0.7, rel=1e-5)
    for w, step in zip(weights, moved, strict=True):
        np.testing.assert_allclose(step, 0.7 * w.grad / length, rtol=1e-4, atol=1e-6)
    for w, x in zip(weights, before, strict=True):
        np.testing.assert_array_equal(w.numpy(), x)
        assert w.dtype == np.float32
    assert (unused.numpy() == 1).all()


def test_a_gradient_of_0_leads_nowhere():
    weight = Tensor(np.ones(3), requires_grad=True)
    weight.grad = np.zeros(3)
    with SAM(SGD([weight])).uphill():
        np.testing.assert_array_equal(weight.numpy(), 1)


def test_it_has_the_learning_rate_and_the_state_of_the_other_optimiser():
    layer = Linear(3, 2).initialise(0)
    optimiser = SAM(Muon([{"params": layer.parameters()}], lr=0.1))
    optimiser.lr = 0.2
    assert optimiser.lr == optimiser.optimiser.lr == 0.2
    assert optimiser.state_dict().keys() == optimiser.optimiser.state_dict().keys()
    with pytest.raises(ValueError, match="rho: expected 0 <= rho < inf, got -1"):
        SAM(SGD(layer.parameters()), rho=-1)


def sam(recipe, base, **settings):
    return replace(recipe, optimiser="sam", optimiser_settings={"base": base} | settings)


@pytest.mark.parametrize(("name", "settings"), [("vit", None), ("resnet", {"width": 4})])
def test_without_a_hill_it_is_the_run_of_the_other_optimiser(small_data, recipe, tmp_path, name, settings):
    """With rho = 0 both passes are the same if they see the same pictures, random numbers and buffers: to the bit."""
    recipe = replace(recipe, model=name, steps=5, optimiser="adamw", settings=settings or recipe.settings)
    _, expected = train(recipe, tmp_path / "adamw")
    _, run = train(sam(recipe, "adamw", rho=0.0), tmp_path / "sam")
    assert_same_end(run, expected)


@pytest.mark.parametrize("base", ["sgd", "muon"])
def test_interrupted_and_resumed_is_the_same_run(small_data, recipe, tmp_path, monkeypatch, base):
    recipe = replace(sam(recipe, base, rho=0.1), agc=0.05, steps=8)
    _, expected = train(recipe, tmp_path / "never stopped")
    with monkeypatch.context() as patch:
        stop_at(patch, 4, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt, match="checkpoint of step 5"):
            train(recipe, tmp_path / "run")
    _, run = resume(tmp_path / "run")
    assert_same_end(run, expected)
    _, without = train(replace(recipe, optimiser_settings={"base": base, "rho": 0.0}), tmp_path / "without")
    assert without_times(run.metrics())[-1] != without_times(without.metrics())[-1]


@pytest.mark.parametrize("agc", [None, 0.05])
def test_a_step_of_a_recipe_has_the_gradient_uphill_and_the_buffers_and_loss_of_the_first_pass(
        small_data, recipe, agc):
    recipe = replace(sam(recipe, "sgd", rho=RHO), model="resnet", settings={"width": 4}, clip=None, agc=agc, threads=1)
    task = Classify(create("resnet", "cifar", width=4), **recipe.task_settings).initialise(0).astype(np.float64).train()
    with Threads(1) as threads, batches_of(small_data[0], recipe, 0.5, 0.25, task) as batches:
        trainer, seed = Trainer(task, recipe, batches, threads), (1, 2)
        batch = [array.astype(np.float64) for array in batches[0]]
        buffers = [buffer for _, buffer in task.named_buffers()]
        start = [buffer.numpy().copy() for buffer in buffers]

        def backward():
            loss, _ = threads.gradients(task.loss, task.parameters(), *batch, seed=seed)
            return loss, [parameter.grad for parameter in task.parameters()]
        loss, first = backward()
        seen = [buffer.numpy().copy() for buffer in buffers]
        length = np.sqrt(sum((g ** 2).sum() for g in first))
        with unchanged(task.parameters()):
            for parameter, g in zip(task.parameters(), first, strict=True):
                parameter.data = parameter.data + RHO / length * g
            other_loss, expected = backward()
        for buffer, values in zip(buffers, start, strict=True):
            buffer.data = values
        numbers = trainer.gradient(*batch, seed=seed)
    assert numbers[0] == pytest.approx(loss, rel=1e-12)
    assert abs(other_loss - loss) > 1e-3
    assert all(np.array_equal(buffer.numpy(), values) for buffer, values in zip(buffers, seen, strict=True))
    assert not any(np.array_equal(values, before) for values, before in zip(seen, start, strict=True))
    if agc is None:
        for parameter, gradient in zip(task.parameters(), expected, strict=True):
            np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-8, atol=1e-11)
    assert numbers[1] == pytest.approx(np.sqrt(sum((p.grad ** 2).sum() for p in task.parameters())), rel=1e-9)
