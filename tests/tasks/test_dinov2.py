"""DINOv2: its three losses, centres, Sinkhorn-Knopp and masks against the authors' formulas in PyTorch."""

import math
import warnings

import numpy as np
import pytest

import minivit
from minivit import Tensor, data, gradcheck
from minivit.tasks.dinov2 import DINOv2Task, ScaledHead, draw_masks, koleo, sinkhorn_knopp
from minivit.train import Threads
from tests.tasks.contract import check_captured, check_resume, check_threads
from tests.tasks.tiny_tasks import tiny_vit

SMALL = dict(outputs=12, hidden=10, bottleneck=6, local_views=2, local_size=16, blur=0.0, mask_ratio=(0.2, 0.5))


def backbone(**settings):
    return minivit.create("dinov2", "cifar", dim=16, depth=1, heads=2, patch_size=8, num_classes=0, **settings)


def make(model=None, **settings):
    return DINOv2Task(model or backbone(), **SMALL | settings)


def prepared(sets, B=4, **settings):
    """A task in float64 whose teacher is another network, and a batch for it."""
    rng = np.random.default_rng(2)
    task = make(**settings).initialise(0).astype(np.float64).train()
    for _, tensor in task.named_parameters() + task.teacher.named_buffers():
        tensor.data = tensor.data + 0.2 * rng.standard_normal(tensor.shape)
    for centre in (task.centre, task.patch_centre):
        centre.data = 0.3 * rng.standard_normal(12)
    samples = data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3)
    batch = task.batch(samples, np.arange(B), rng)
    batch = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in batch]
    batch[2] = (batch[2] > 0) / np.maximum(batch[0].sum(axis=-1, keepdims=True), 1)  # which were rounded
    return task, batch


def authors(task, batch, centres):
    """DINO's, iBOT's and KoLeo's loss, a view, a picture and a patch at a time; and the teacher's logits."""
    import torch
    B, V = batch[0].shape[0], batch[-1].shape[1]
    mask = torch.tensor(batch[0]).swapaxes(0, 1).reshape(2 * B, -1)
    both, local = np.concatenate(batch[4:6]), batch[6].swapaxes(0, 1).reshape(B * V, 16, 16, 3)

    def outputs(network, images, mask=None):
        tokens = network.backbone.encode(network.backbone.embed(images, mask))
        found = tokens[:, 0], network.head(tokens[:, 0]), network.head(tokens[:, 1:])
        return [torch.tensor(x.numpy()) for x in found]
    whole, s, s_patches = outputs(task.student, both, mask.numpy())
    _, s_local, _ = outputs(task.student, local)
    _, t, t_patches = outputs(task.teacher, both)
    heat = float(task.temperature.numpy())
    q, q_patches = centres(t, t_patches[mask], heat)

    students, teachers = [*s.chunk(2), *s_local.chunk(V)], q.chunk(2)
    pairs = [-(teachers[i] * torch.log_softmax(students[j] / 0.1, -1)).sum(-1).mean()
             for i in range(2) for j in range(2 + V) if i != j]
    distilled = sum(pairs) / len(pairs)

    patches, start = 0.0, 0
    for picture in range(2 * B):
        n = int(mask[picture].sum())
        for row in range(n):
            log_p = torch.log_softmax(s_patches[picture][mask[picture]][row] / 0.1, -1)
            patches = patches - (q_patches[start + row] * log_p).sum() / n / (2 * B)
        start += n

    spread = 0.0
    for crop in whole.chunk(2):
        x = torch.nn.functional.normalize(crop, dim=-1, eps=1e-8)
        nearest = (x @ x.T - 2 * torch.eye(B, dtype=x.dtype)).argmax(1)
        distance = torch.nn.PairwiseDistance(2, eps=1e-8)(x, x[nearest])
        spread = spread - torch.log(distance + 1e-8).mean()
    return distilled, patches, spread, t, t_patches[mask]


@pytest.mark.parametrize("sinkhorn", [False, True])
def test_the_losses_are_those_of_the_authors(sinkhorn, sets):
    torch = pytest.importorskip("torch")
    task, batch = prepared(sets, sinkhorn=sinkhorn, patches=0.7, spread=0.3)

    def by_centres(t, t_patches, heat):
        return [torch.softmax((x - torch.tensor(centre.numpy())) / heat, -1)
                for x, centre in [(t, task.centre), (t_patches, task.patch_centre)]]

    def by_sinkhorn(t, t_patches, heat):
        return [slow_sinkhorn(x / heat) for x in (t, t_patches)]
    distilled, patches, spread, t, t_patches = authors(task, batch, by_sinkhorn if sinkhorn else by_centres)
    loss, numbers = task.loss(*batch)
    assert loss.item() == pytest.approx(float(distilled + 0.7 * patches + 0.3 * spread), rel=1e-10)
    assert float(numbers["patch_loss"]) == pytest.approx(float(patches), rel=1e-10)
    assert float(numbers["koleo"]) == pytest.approx(float(spread) / 2, rel=1e-10)
    before = task.centre.numpy().copy(), task.patch_centre.numpy().copy()
    task.after_step(1, 10)
    for centre, old, logits in zip((task.centre, task.patch_centre), before, (t, t_patches), strict=True):
        np.testing.assert_allclose(centre.numpy(), 0.9 * old + 0.1 * logits.mean(0).numpy(), rtol=1e-9)


def slow_sinkhorn(logits):
    """Alternately every output and every picture gets the same weight: the authors' three iterations."""
    Q = logits.exp().T / logits.exp().sum()
    K, B = Q.shape
    for _ in range(3):
        Q = Q / Q.sum(1, keepdim=True) / K
        Q = Q / Q.sum(0, keepdim=True) / B
    return (Q * B).T


def test_gradients_of_everything_by_differences(sets, rng):
    task, batch = prepared(sets, B=3)
    loss, _ = task.loss(*batch)
    parameters = task.parameters()
    gradients = minivit.grad(loss, parameters)
    directions = [rng.standard_normal(parameter.shape) for parameter in parameters]
    values = []
    for step in (1e-6, -1e-6):
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.data = parameter.data + step * direction
        values.append(task.loss(*batch)[0].item())
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.data = parameter.data - step * direction
    expected = sum((gradient * direction).sum() for gradient, direction in zip(gradients, directions, strict=True))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected, rel=1e-5)
    index = [id(parameter) for parameter in parameters].index(id(task.student.backbone.mask_token))
    assert np.abs(gradients[index]).max() > 0


def test_koleo_and_its_gradient(rng):
    x = rng.standard_normal((6, 5))
    gradcheck(lambda x: koleo(x, np.arange(6)), x, rng=rng)
    even = koleo(Tensor(np.eye(5)), np.arange(5)).item()
    close = koleo(Tensor(np.eye(5)[[0, 0, 1, 1, 2]] + 1e-3 * rng.standard_normal((5, 5))), np.arange(5)).item()
    assert even == pytest.approx(-math.log(math.sqrt(2)), rel=1e-6)
    assert close > even


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_neighbours_are_looked_for_in_the_whole_batch(threads, rng):
    x = rng.standard_normal((9, 4))
    expected = koleo(Tensor(x), np.arange(9)).item()
    with Threads(threads) as team:
        loss, _ = team.gradients(lambda x, place: (koleo(Tensor(x, requires_grad=True), place), {}), [], x,
                                 np.arange(9), seed=(0,))
    assert loss == pytest.approx(expected, rel=1e-12)


def test_sinkhorn_makes_outputs_equally_frequent_and_leaves_out_what_does_not_count(rng):
    logits = rng.standard_normal((40, 5))
    q = sinkhorn_knopp(logits, np.ones(40), iterations=50)
    np.testing.assert_allclose(q.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(q.sum(axis=0), 8, rtol=1e-4)
    counted = (np.arange(40) < 30).astype(float)
    np.testing.assert_allclose(sinkhorn_knopp(logits, counted)[:30], sinkhorn_knopp(logits[:30], np.ones(30)),
                               rtol=1e-12)


def test_masks_hide_blocks_in_half_of_the_pictures_and_the_ratio_goes_through_its_range(rng):
    masks = draw_masks(rng, 40, (8, 8), 0.5, (0.1, 0.5))
    counts = masks.sum(axis=1)
    assert masks.shape == (40, 64)
    assert (counts > 0).sum() == 20
    assert counts.max() <= 32
    assert 1 <= counts[counts > 0].min() <= 9
    assert counts[counts > 0].mean() == pytest.approx(0.3 * 64, abs=3)


def test_the_batch_says_which_patches_are_hidden(sets, rng):
    task = make()
    samples = data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3)
    mask, hidden, weights, place, one, _, local = task.batch(samples, np.arange(6), rng)
    assert mask.shape == (6, 2, 16)
    assert hidden.shape == weights.shape == (6, 2, 8)
    np.testing.assert_array_equal((weights > 0).sum(-1), mask.sum(-1))
    np.testing.assert_allclose(weights.sum(-1), mask.any(-1), rtol=1e-6)
    assert np.take_along_axis(mask, hidden, -1)[weights > 0].all()
    assert one.shape == (6, 32, 32, 3)
    assert local.shape == (6, 2, 16, 16, 3)
    np.testing.assert_array_equal(place, np.arange(6))


def test_directions_have_a_learned_length(rng):
    head = ScaledHead(5, 7, 4, 3).initialise(0)
    x = Tensor(rng.standard_normal((9, 5), np.float32))
    before = head(x).numpy()
    head.scale.data = 2 * head.scale.data
    np.testing.assert_allclose(head(x).numpy(), 2 * before, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


@pytest.mark.parametrize("sinkhorn", [False, True])
def test_any_number_of_threads_computes_the_loss_and_gradient_of_one(sinkhorn, sets):
    check_threads(lambda: make(sinkhorn=sinkhorn), sets)


def test_a_captured_step_is_the_step(sets, gpu, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # if the step cannot be captured
        check_captured(make, sets, monkeypatch)


@pytest.mark.parametrize("model, settings, message", [
    (tiny_vit, {}, "dinov2: needs a model with a mask token, as dinov2; this is a ViTGAP"),
    (lambda: backbone(mask_token=False), {}, "dinov2: needs a model with a mask token, as dinov2; this is a DINOv2"),
    (backbone, dict(masked=1.2), r"masked: expected a number from 0 to 1, got 1\.2"),
    (backbone, dict(mask_ratio=(0.01, 0.05)), r"mask_ratio: 0\.05 of 16 patches hides none"),
    (backbone, dict(mask_ratio=(0.1, 1.5)), r"mask_ratio: expected a number above 0, up to 1, got 1\.5")])
def test_settings_that_cannot_be(model, settings, message):
    with pytest.raises(ValueError, match=message):
        make(model(), **settings)
