"""Adaptive gradient clipping: timm's values, what a unit is, and its place in a step of training."""

from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, create
from minivit.nn import Linear
from minivit.tasks.classify import Classify
from minivit.train import clip_gradients, clip_units
from minivit.train.optim import clipped_units
from minivit.train.threads import Threads
from minivit.train.trainer import Trainer
from tests.counterpart import import_official
from tests.train.runs import batches_of

SHAPES = [(6, 5), (3, 3, 4, 7), (1, 1, 8, 3), (5, 4, 6), (9,), ()]


def with_gradient(weight, gradient):
    parameter = Tensor(np.array(weight), requires_grad=True)
    parameter.grad = np.array(gradient)
    return parameter


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-6)])
@pytest.mark.parametrize("factor", [0.01, 0.5])
def test_clipped_are_timms_values(rng, dtype, rtol, factor):
    """Gradients from far too small to far too large, unit by unit; timm's outputs are the first axis, ours the last."""
    import_official("timm")
    torch = pytest.importorskip("torch")
    from timm.utils.agc import adaptive_clip_grad
    ours, theirs, ratios = [], [], []
    for shape in SHAPES:
        scales = np.exp(3 * rng.standard_normal(shape[-1:]))
        weight = (rng.standard_normal(shape) * np.exp(rng.standard_normal(shape[-1:]))).astype(dtype)
        gradient = (0.1 * rng.standard_normal(shape) * scales).astype(dtype)
        ours.append(with_gradient(weight, gradient))
        there = [torch.from_numpy(np.array(np.moveaxis(x, -1, 0) if x.ndim else x)) for x in (weight, gradient)]
        theirs.append(torch.nn.Parameter(there[0]))
        theirs[-1].grad = there[1]
    gradients = [parameter.grad.copy() for parameter in ours]
    clip_units(ours, factor)
    adaptive_clip_grad(theirs, factor)
    for mine, other, before in zip(ours, theirs, gradients, strict=True):
        expected = other.grad.numpy()
        assert mine.grad.dtype == dtype
        ratios.append(np.ravel(mine.grad / before))
        np.testing.assert_allclose(mine.grad, np.moveaxis(expected, 0, -1) if expected.ndim else expected, rtol=rtol)
    ratios = np.concatenate(ratios)
    assert ratios.min() < 0.9
    assert (ratios == 1).any()


def test_two_units_by_hand():
    """Weights (3, 4) and (0.003, 0.004) have the norms 5 and 0.005; a hundredth of them is left of (3, 4)."""
    parameter = with_gradient([[3, 0.003], [4, 0.004]], [[3.0, 3.0], [4.0, 4.0]])
    clip_units([parameter], 0.01)
    np.testing.assert_allclose(parameter.grad, [[0.03, 0.00003], [0.04, 0.00004]], rtol=1e-12)


def test_a_unit_of_zeros_can_start_and_a_gradient_of_0_stays():
    parameter = with_gradient(np.zeros((2, 2)), [[3.0, 0.0], [4.0, 0.0]])
    clip_units([parameter], 0.01)
    np.testing.assert_allclose(parameter.grad, [[0.6e-5, 0], [0.8e-5, 0]], rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (4, 1), (1, 1, 4)])
def test_a_vector_is_one_unit_however_it_is_shaped(shape):
    parameter = with_gradient(np.full(shape, 0.5), np.array([1.0, 2, 2, 4]).reshape(shape))
    clip_units([parameter], 0.1)
    np.testing.assert_allclose(parameter.grad.ravel(), np.array([1, 2, 2, 4]) * 0.1 / 5, rtol=1e-12)


def test_half_precision_does_not_overflow():
    parameter = with_gradient(np.full((300, 1), 100, np.float16), np.full((300, 1), 200, np.float16))
    clip_units([parameter], 0.5)
    assert parameter.grad.dtype == np.float16
    np.testing.assert_allclose(parameter.grad, 50, rtol=1e-3)


def test_without_gradient_nothing_happens_and_wrong_numbers_are_refused():
    layer = Linear(3, 2)
    clip_units(layer.parameters(), 0.1)
    assert layer.weight.grad is None
    with pytest.raises(ValueError, match="factor: expected a number above 0, got 0"):
        clip_units(layer.parameters(), 0)
    with pytest.raises(ValueError, match="eps: expected a number above 0, got nan"):
        clip_units(layer.parameters(), 0.1, eps=np.nan)
    with pytest.raises(TypeError, match="expected a list, .* got one Linear"):
        clip_units(layer, 0.1)


def test_the_head_is_spared():
    task = Classify(create("nfnet", "cifar"))
    clipped = {id(parameter) for parameter in clipped_units(task)}
    spared = {name for name, parameter in task.named_parameters() if id(parameter) not in clipped}
    assert spared == {"model.head.weight", "model.head.bias"}


@pytest.mark.parametrize("clip", [None, 0.01])
def test_a_recipe_clips_units_first_and_then_all_together(small_data, recipe, clip):
    recipe = replace(recipe, agc=0.002, clip=clip)
    task = Classify(create("vit", "cifar", **recipe.settings), **recipe.task_settings).initialise(0).train()
    with Threads(2) as threads, batches_of(small_data[0], recipe, 0.5, 0.25, task) as batches:
        trainer, batch = Trainer(task, recipe, batches, threads), batches[0]
        names = [name for name, _ in task.named_parameters()]
        threads.gradients(task.loss, task.parameters(), *batch, seed=(1, 2))
        raw = {name: parameter.grad.copy() for name, parameter in task.named_parameters()}
        clip_units(clipped_units(task), 0.002)
        norm = clip_gradients(task.parameters(), clip or np.inf)
        expected = [parameter.grad for parameter in task.parameters()]
        numbers = trainer.gradient(*batch, seed=(1, 2))
    assert numbers[1] == pytest.approx(norm)
    for parameter, gradient in zip(task.parameters(), expected, strict=True):
        np.testing.assert_array_equal(parameter.grad, gradient)
    if clip is None:
        same = {name for name, gradient in zip(names, expected, strict=True) if np.array_equal(gradient, raw[name])}
        assert {name for name in names if "head" in name} <= same
        assert len(same) < len(names) / 2
