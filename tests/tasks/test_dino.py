"""DINO: loss, head, centre and schedules against the authors' formulas in PyTorch; collapse; views; pictures."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

import minivit
from minivit import Tensor, data, no_grad, tasks
from minivit.tasks import dino
from minivit.tasks.dino import DINO, Head
from minivit.train import Threads
from minivit.train.trainer import Trainer
from tests.tasks.contract import RECIPE, check_captured, check_resume, check_threads, trained
from tests.tasks.tiny_tasks import tiny_vit
from tests.train.runs import batches_of

SMALL = dict(outputs=12, hidden=10, bottleneck=6, local_views=3, local_size=16, blur=1.0)


def make(model=None, **settings):
    return DINO(model or minivit.create("vit", "cifar", dim=16, depth=1, heads=2, patch_size=8, num_classes=0),
                **SMALL | settings)


class Numbers(minivit.nn.Module):
    """A backbone for formulas: a picture's mean colours."""

    image_size = (32, 32)

    def forward(self, x):
        return x.mean(axis=(1, 2))


def views(rng, B, V):
    """Two global views and V local ones, in float64."""
    return (*rng.standard_normal((2, B, 8, 8, 3)), rng.standard_normal((B, V, 4, 4, 3)))


def torch_head(head, x):
    """The authors' projection head, with the weights of ours."""
    import torch
    w = {name: torch.tensor(value, requires_grad=True) for name, value in head.state_dict().items()}
    for index in (0, 2):
        x = torch.nn.functional.gelu(x @ w[f"mlp.layers.{index}.weight"] + w[f"mlp.layers.{index}.bias"])
    x = torch.nn.functional.normalize(x @ w["mlp.layers.4.weight"] + w["mlp.layers.4.bias"], dim=-1)
    weight_norm = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(*w["directions"].shape, bias=False))
    last = weight_norm.double()
    with torch.no_grad():
        last.parametrizations.weight.original0.fill_(1)
        last.parametrizations.weight.original1.copy_(w["directions"].T)
    return last(x), w, last.parametrizations.weight.original1


def pairs_loss(students, teachers, centre, temperature):
    """Equation 3, a pair of views at a time."""
    import torch
    terms = []
    for i, t in enumerate(teachers):
        q = torch.softmax((t - centre) / temperature, dim=-1)
        for j, s in enumerate(students):
            if j != i:
                terms.append(-(q * torch.log_softmax(s / 0.1, dim=-1)).sum(dim=-1).mean())
    return sum(terms) / len(terms)


@pytest.mark.parametrize("V", [0, 1, 5])
def test_the_loss_its_gradients_and_the_centre_are_those_of_the_authors(V, rng):
    torch = pytest.importorskip("torch")
    task = make(Numbers(), local_views=V).initialise(0).astype(np.float64).train()
    for _, tensor in task.teacher.named_buffers():
        tensor.data = tensor.data + 0.3 * rng.standard_normal(tensor.shape)
    task.centre.data, task.temperature.data = rng.standard_normal(12), np.array(0.05)
    one, two, local = views(rng, 4, V)
    loss, numbers = task.loss(one, two, *([local] if V else []))
    loss.backward()

    crops = [one, two, *local.swapaxes(0, 1)]
    means = torch.tensor(np.concatenate([crop.mean(axis=(1, 2)) for crop in crops]))
    students, weights, directions = torch_head(task.student.head, means)
    with torch.no_grad():
        teachers, _, _ = torch_head(task.teacher.head, means[:8])
    expected = pairs_loss(students.chunk(2 + V), teachers.chunk(2), torch.tensor(task.centre.numpy()), 0.05)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for name, parameter in task.student.head.named_parameters():
        theirs = directions.grad.T if name == "directions" else weights[name].grad
        np.testing.assert_allclose(parameter.grad, theirs.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)

    q = torch.softmax((teachers - torch.tensor(task.centre.numpy())) / 0.05, dim=-1)
    entropy = torch.distributions.Categorical(q).entropy().mean().item()
    assert numbers["teacher_entropy"] == pytest.approx(entropy, rel=1e-9)
    assert numbers["kl"] == pytest.approx(expected.item() - entropy, rel=1e-9)
    of_mean = torch.distributions.Categorical(q.mean(dim=0)).entropy().item()
    assert numbers["information"] == pytest.approx(of_mean - entropy, rel=1e-9)
    centre = 0.9 * task.centre.numpy() + 0.1 * teachers.mean(dim=0).numpy()
    task.after_step(1, 10)
    np.testing.assert_allclose(task.centre.numpy(), centre, rtol=1e-12)


def test_momentum_and_temperature_follow_the_authors_schedules():
    steps, task = 200, make(temperatures=(0.04, 0.07), warmup=0.25, momentum=0.9).initialise(0)
    expected = 1 + 0.5 * (0.9 - 1) * (1 + np.cos(np.pi * np.arange(steps) / steps))
    warm = np.concatenate([np.linspace(0.04, 0.07, 51), np.full(steps - 51, 0.07)])
    task.student.head.directions.data = task.student.head.directions.data + 1
    for done in range(steps):
        assert task.temperature.numpy() == pytest.approx(warm[done], rel=1e-6)
        gap = (task.student.head.directions.numpy() - task.teacher.head.directions.numpy()).mean()
        task.after_step(done + 1, steps)
        left = (task.student.head.directions.numpy() - task.teacher.head.directions.numpy()).mean()
        assert left == pytest.approx(expected[done] * gap, rel=1e-3, abs=1e-6)


def test_the_paper_s_head_has_the_authors_size():
    head = Head(384, 65536, 2048, 256)
    assert sum(parameter.size for parameter in head.parameters()) == 22_286_592


def test_logits_are_cosines(rng):
    head = Head(5, 7, 4, 3).initialise(0)
    for parameter in head.parameters():
        parameter.data = rng.standard_normal(parameter.shape).astype(np.float32)
    logits = head(Tensor(rng.standard_normal((9, 5), np.float32))).numpy()
    assert np.abs(logits).max() <= 1 + 1e-6
    head.directions.data = 3 * head.directions.data
    np.testing.assert_allclose(head(Tensor(rng.standard_normal((0, 5), np.float32))).shape, (0, 7))


def test_the_backbone_is_called_once_a_size_and_the_head_once(rng):
    calls, task = [], make().initialise(0).train()

    def follow(module, inputs, settings):
        if module in (task.student.backbone, task.student.head, task.teacher.backbone):
            calls.append(inputs[0].shape)
        return module.forward(*inputs, **settings)
    with minivit.nn.intercept_calls(follow):
        task.loss(*(view.astype(np.float32) for view in (*rng.standard_normal((2, 2, 32, 32, 3)),
                                                         rng.standard_normal((2, 3, 16, 16, 3)))))
    assert calls == [(4, 32, 32, 3), (4, 32, 32, 3), (6, 16, 16, 3), (10, 16)]


def test_views_are_different_and_as_large_as_asked(sets, rng):
    samples = data.Samples(sets[0], mean=[0.5] * 3, std=[0.25] * 3)
    one, two, local = make(local_size=8).batch(samples, np.arange(5), rng)
    assert one.shape == two.shape == (5, 32, 32, 3)
    assert local.shape == (5, 3, 8, 8, 3)
    assert (one != two).any()
    assert (local[:, 0] != local[:, 1]).any()
    assert len(make(local_views=0).batch(samples, np.arange(5), rng)) == 2


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


def test_any_number_of_threads_computes_the_loss_and_gradient_of_one(sets):
    check_threads(make, sets)


def test_a_captured_step_is_the_step(sets, gpu, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # if the step cannot be captured
        check_captured(lambda: make(resting=0.3), sets, monkeypatch, weight_decay=0.04, final_weight_decay=0.4)


def test_the_last_layer_rests_at_first(sets):
    task = make(resting=0.3).initialise(0)
    recipe = replace(RECIPE, steps=10, threads=1)
    before = task.student.head.directions.numpy().copy()
    with Threads(1) as threads, batches_of(sets[0], recipe, 0.5, 0.25, task) as batches:
        trainer = Trainer(task, recipe, batches, threads)
        for _ in range(3):
            trainer.step()
            np.testing.assert_array_equal(task.student.head.directions.numpy(), before)
        trainer.step()
        assert (task.student.head.directions.numpy() != before).all()


def test_weight_decay_goes_from_one_end_to_the_other(sets):
    task = make().initialise(0)
    recipe = replace(RECIPE, steps=9, threads=1, weight_decay=0.04, final_weight_decay=0.4)
    with Threads(1) as threads, batches_of(sets[0], recipe, 0.5, 0.25, task) as batches:
        trainer, found = Trainer(task, recipe, batches, threads), []
        for _ in range(9):
            trainer.step()
            found.append({own["weight_decay"] for own in trainer.optimiser.settings} - {0.0})
    decays = 0.4 - 0.36 * (1 + np.cos(np.pi * np.arange(9) / 8)) / 2
    np.testing.assert_allclose([next(iter(one)) for one in found], decays, rtol=1e-12)


COLLAPSE = replace(RECIPE, steps=100, batch_size=40, average=None, evaluations=0, threads=1)


@pytest.mark.parametrize("centring, sharpening, low, high", [
    (True, False, 0.99, 1.0), (False, True, 0.0, 0.02), (False, False, 0.1, 0.9)])
def test_without_centring_one_output_wins_and_without_sharpening_all_are_equal(centring, sharpening, low, high, sets):
    """Without both, the answer is neither, and yet the same for every picture."""
    task = make(centring=centring, sharpening=sharpening, momentum=0.9, outputs=16, local_views=0).initialise(0)
    lines, _ = trained(task, sets, COLLAPSE)
    assert lines[0]["information"] > 0.5
    assert low * math.log(16) <= lines[-2]["teacher_entropy"] <= high * math.log(16) + 1e-5
    assert abs(lines[-2]["information"]) < 0.02


def test_the_log_knows_where_nothing_is_told_apart_and_the_test_shows_ln_k(sets):
    task = make().initialise(0)
    assert list(task.plateaus(64).values()) == [math.log(12), 0.0]
    lines, _ = trained(task, sets, replace(RECIPE, steps=2))
    assert lines[-1]["test_ln_outputs"] == math.log(12)
    assert lines[-1]["test_loss"] == pytest.approx(lines[-1]["test_kl"] + lines[-1]["test_teacher_entropy"], rel=1e-5)


def test_testing_leaves_the_task_as_it_is(sets):
    task = make().initialise(0).eval()
    before = task.state_dict()
    samples = data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)
    with no_grad():
        task.loss(*task.batch(samples, np.arange(4), np.random.default_rng(0)))
    for name, value in task.state_dict().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("architecture, heads", [("vit", 4), ("deit3", 3), ("resnet", 0)])
def test_pictures_show_where_each_head_looks(architecture, heads, sets):
    task = make(minivit.create(architecture, "cifar20" if architecture == "resnet" else "cifar", num_classes=0))
    samples = data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)
    found = task.initialise(0).eval().pictures(samples, slice(0, 3))
    assert len(found) == (heads + 1 if heads else 0)
    for pictures in found.values():
        assert pictures.shape == (3, 32, 32, 3)
        assert pictures.dtype == np.uint8
    for pictures in list(found.values())[1:]:
        assert (pictures <= found["picture"]).all()


def test_a_picture_is_lit_where_the_map_is_large():
    white = np.full((1, 4, 4, 3), 200, np.uint8)
    shown = dino.lit(white, np.array([[[0.0, 1.0], [0.0, 1.0]]]))
    assert (shown[0, :, 0] == 20).all()
    assert (shown[0, :, 3] == 200).all()


@pytest.mark.parametrize("settings, message", [
    (dict(outputs=1), "outputs: expected a whole number of at least 2, got 1"),
    (dict(local_views=-1), "local_views: expected a whole number of at least 0, got -1"),
    (dict(momentum=1.5), r"momentum: expected a number from 0 to 1, got 1\.5"),
    (dict(temperatures=(0.04,)), r"temperatures: expected two, the first and the last, got \(0\.04,\)"),
    (dict(temperatures=(0.0, 0.1)), r"temperatures: expected a number above 0, got 0\.0"),
    (dict(global_scale=(0.4, 1.2)), "global_scale: expected a number above 0, up to 1, got 1.2")])
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_it_is_found_by_name_and_takes_any_model():
    assert tasks.find_task("dino") is DINO
    task = DINO.build(lambda **changes: tiny_vit(**changes), (), **SMALL)
    assert task.backbone is task.teacher.backbone
    assert task.student.head.mlp.layers[0].weight.shape == (16, 10)
