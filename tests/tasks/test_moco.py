"""MoCo v3: the authors' algorithm in PyTorch, step by step; what is frozen, what follows, what is told."""

import math
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, create, data, grad, gradcheck, nn, ops
from minivit.backend import asnumpy, to_device
from minivit.tasks import find_task, moco
from minivit.train import Threads
from minivit.train.batches import Batches
from tests.tasks.contract import RECIPE, check_captured, check_resume, check_threads, trained

B = 6


class Tiny(nn.Module):
    """An encoder that can be written down in PyTorch in a line."""

    image_size = (4, 4)

    def __init__(self):
        self.body, self.head = nn.Linear(48, 10), nn.Linear(10, 1)

    def forward(self, images):
        return self.head(ops.tanh(self.body(images.reshape(len(images), 48))))


def make(**settings):
    model = create("vit", "cifar", dim=16, depth=1, heads=2, patch_size=8, num_classes=1)
    return moco.MoCo(model, **{"hidden": 12, "dim": 8} | settings)


def views(rng, count=B):
    return [rng.standard_normal((count, 4, 4, 3)) for _ in range(2)]


def torch_copy(torch, task):
    """The encoder with its projector, and the predictor, as PyTorch's modules with our numbers."""
    def perceptron(projector):
        layers = []
        for layer, norm in zip(projector.layers, projector.norms, strict=True):
            linear = torch.nn.Linear(*layer.weight.shape, bias=False)
            linear.weight = torch.nn.Parameter(torch.tensor(layer.weight.numpy().T.copy()))
            layers += [linear, torch.nn.BatchNorm1d(layer.weight.shape[1], affine=norm.weight is not None).double(),
                       torch.nn.ReLU()]
        return layers[:-1]
    body = torch.nn.Linear(48, 10).double()
    with torch.no_grad():
        body.weight.copy_(torch.tensor(task.encoder.body.weight.numpy().T))
        body.bias.copy_(torch.tensor(task.encoder.body.bias.numpy()))
    encoder = torch.nn.Sequential(torch.nn.Flatten(), body, torch.nn.Tanh(), *perceptron(task.encoder.head))
    return encoder, torch.nn.Sequential(*perceptron(task.predictor))


def test_four_steps_of_the_authors_algorithm(rng):
    """Algorithm 1, with the averaging before the keys as the authors' code has it, and plain gradient descent."""
    torch = pytest.importorskip("torch")
    steps, lr, tau, first = 4, 0.5, 0.3, 0.6
    task = moco.MoCo(Tiny(), hidden=7, dim=5, temperature=tau, momentum=first).initialise(1).astype(np.float64).train()
    encoder, predictor = torch_copy(torch, task)
    average = torch_copy(torch, task)[0]
    learned = [*encoder.parameters(), *predictor.parameters()]

    def contrast(q, k):
        q, k = torch.nn.functional.normalize(q, dim=1), torch.nn.functional.normalize(k, dim=1)
        return torch.nn.functional.cross_entropy(q @ k.T / tau, torch.arange(len(q))) * 2 * tau

    for step in range(steps):
        one, two = views(rng)
        loss, numbers = task.loss(one, two, np.arange(B))
        gradients = grad(loss, task.parameters())
        for parameter, gradient in zip(task.parameters(), gradients, strict=True):
            parameter.data = parameter.data - lr * gradient
        task.after_step(step + 1, steps)

        m = 1 - 0.5 * (1 + math.cos(math.pi * step / steps)) * (1 - first)
        x1, x2 = torch.tensor(one), torch.tensor(two)
        q1, q2 = predictor(encoder(x1)), predictor(encoder(x2))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), encoder.parameters(), strict=True):
                slow.mul_(m).add_(fast, alpha=1 - m)
            k1, k2 = average(x1), average(x2)
        theirs = contrast(q1, k2) + contrast(q2, k1)
        for parameter, gradient in zip(learned, torch.autograd.grad(theirs, learned), strict=True):
            parameter.data -= lr * gradient
        assert loss.item() == pytest.approx(theirs.item(), rel=1e-11)
        right = [(torch.nn.functional.normalize(q) @ torch.nn.functional.normalize(k).T).argmax(1) == torch.arange(B)
                 for q, k in ((q1, k2), (q2, k1))]
        assert numbers["accuracy"] == pytest.approx(torch.stack(right).double().mean().item())
    for ours, theirs in zip([p for p in task.encoder.parameters() if p.ndim > 1],
                            [p for p in encoder.parameters() if p.ndim > 1], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy().T, rtol=1e-9, atol=1e-11)


def test_the_loss_of_two_perfect_codes():
    loss, right = moco.contrastive_loss(Tensor(np.eye(2)), Tensor(np.eye(2)), np.arange(2), 0.2)
    assert loss.item() == pytest.approx(0.4 * math.log1p(math.exp(-5)), rel=1e-12)  # 0.4 x 0.00672
    assert right.all()


def test_codes_that_are_all_alike_lie_on_the_plateau_that_the_log_names():
    same = Tensor(np.ones((8, 5)))
    loss, _ = moco.contrastive_loss(same, same, np.arange(8), 0.2)
    (name, level), = make().plateaus(8).items()
    assert 2 * loss.item() == pytest.approx(level, rel=1e-12)
    assert level == pytest.approx(4 * 0.2 * math.log(8))
    assert name == "4 tau ln 8, every picture of the batch equally likely"


def test_the_gradient_of_the_loss(rng):
    q, k = rng.standard_normal((2, 5, 4))
    gradcheck(lambda q: moco.contrastive_loss(q, Tensor(k), np.arange(5), 0.2)[0], q, rng=rng)


def test_lengths_of_codes_do_not_count(rng):
    q, k = rng.standard_normal((2, 5, 4))
    first = moco.contrastive_loss(Tensor(q), Tensor(k), np.arange(5), 0.2)[0].item()
    assert moco.contrastive_loss(Tensor(3 * q), Tensor(k / 7), np.arange(5), 0.2)[0].item() == pytest.approx(first)


def test_the_momentum_rises_from_the_first_to_one():
    found = [moco.momentum_at(done, 100, 0.9) for done in range(101)]
    assert found[0] == pytest.approx(0.9)
    assert found[50] == pytest.approx(0.95)
    assert found[100] == 1
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("momentum", [0, 0.7, 1])
def test_the_average_follows_the_encoder_with_its_projector_but_not_the_predictor(momentum):
    task = make(momentum=momentum).initialise(0)
    for parameter in task.encoder.parameters():
        parameter.mutable()[...] += 1
    before = {name: value.copy() for name, value in task.momentum_encoder.state_dict().items()}
    task.after_step(0, 10)
    for name, parameter in task.encoder.named_parameters():
        np.testing.assert_allclose(dict(task.momentum_encoder.named_buffers())[name].numpy(),
                                   momentum * before[name] + (1 - momentum) * parameter.numpy(), rtol=1e-6)
    assert any(name.startswith("head.") for name in before)
    assert not [name for name, _ in task.named_buffers() if name.startswith("predictor") and "running" not in name]


def test_keys_have_no_gradient_and_patches_stay_as_they_were_drawn(rng):
    task = make().initialise(0)
    names = [name for name, _ in task.named_parameters()]
    assert not [name for name in names if name.startswith("momentum_encoder") or "patch_embed" in name
                or "positions" in name]
    assert {"encoder.patch_embed.weight", "encoder.positions", "momentum_encoder.patch_embed.weight"} <= {
        name for name, _ in task.named_buffers()}
    assert task.encoder.patch_embed.weight.numpy().std() > 0.01
    learned = [name for name, _ in make(freeze_patches=False).named_parameters()]
    assert set(learned) - set(names) == {"encoder.patch_embed.weight", "encoder.patch_embed.bias"}
    loss, _ = task.loss(*(rng.standard_normal((B, 32, 32, 3)).astype(np.float32) for _ in range(2)), np.arange(B))
    for parameter, gradient in zip(task.parameters(), grad(loss, task.parameters()), strict=True):
        assert np.isfinite(gradient).all()
        assert gradient.shape == parameter.shape


def test_the_heads_are_the_papers():
    """The last normalisation of each has no parameters, linear maps have no bias."""
    task = moco.MoCo(create("vit", "S/16", num_classes=1), hidden=4096, dim=256)
    assert [layer.weight.shape for layer in task.encoder.head.layers] == [(384, 4096), (4096, 4096), (4096, 256)]
    assert [layer.weight.shape for layer in task.predictor.layers] == [(256, 4096), (4096, 256)]
    assert all(layer.bias is None for layer in task.encoder.head.layers + task.predictor.layers)
    assert [norm.weight is None for norm in task.encoder.head.norms] == [False, False, True]


def test_how_far_keys_spread(rng):
    task = make().initialise(0)
    pictures = rng.standard_normal((64, 32, 32, 3)).astype(np.float32)
    different = task.loss(pictures, pictures, np.arange(64))[1]["spread"]
    same = task.eval().loss(*[np.repeat(pictures[:1], 8, axis=0)] * 2, np.arange(8))[1]["spread"]
    assert 0.5 < different <= 1
    assert same == pytest.approx(0, abs=1e-3)


def test_on_a_device_the_loss_and_the_average_are_those_of_the_cpu(rng, device):
    views, found = [rng.standard_normal((B, 32, 32, 3)).astype(np.float32) for _ in range(2)], []
    for where in ("cpu", device):
        task = make().initialise(0).to(where)
        loss, numbers = task.loss(*(to_device(array, where) for array in (*views, np.arange(B))))
        task.after_step(1, 10)
        found.append([loss.numpy(), *(asnumpy(number) for number in numbers.values()), *task.state_dict().values()])
    for host, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, host, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_it_learns_to_tell_pictures_apart(sets, momentum):
    """With keys from the encoder itself, too: predictor and batch norm keep so short a training from collapse."""
    recipe = replace(RECIPE, steps=80, batch_size=16, lr=3e-3, average=None, evaluations=0)
    lines, _ = trained(make(momentum=momentum).initialise(0), sets, recipe)
    first, last = lines[:5], lines[-11:-1]
    (chance,) = make().plateaus(16).values()
    assert np.mean([line["loss"] for line in first]) > 0.9 * chance
    assert np.mean([line["loss"] for line in last]) < 0.8 * chance
    assert np.mean([line["accuracy"] for line in last]) > 2 * np.mean([line["accuracy"] for line in first])
    assert last[-1]["spread"] > 0.5


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_resumed_it_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


def test_a_captured_step_is_the_step(sets, gpu, monkeypatch):
    check_captured(make, sets, monkeypatch)


def test_every_number_of_threads_gives_the_same_loss(sets):
    check_threads(make, sets)


def test_the_two_views_are_drawn_apart_and_every_picture_knows_its_place(sets):
    steps = [data.augmentation("random_flip"), data.augmentation("random_resized_crop")]
    samples = data.Samples(sets[0], mean=0.5, std=0.5, steps=steps)
    with Batches(make(), samples, RECIPE) as batches, Threads(1):
        one, two, place = batches[0]
    assert one.shape == two.shape == (13, 32, 32, 3)
    assert (one != two).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(place, np.arange(13))


def test_what_is_tested_and_what_is_shown(sets):
    task = make().initialise(0).eval()
    samples = data.Samples(sets[1], mean=0.5, std=0.5)
    tested = task.test(samples, lambda function: [function(np.arange(20)), function(np.arange(20, 60))])
    assert tested.keys() == {"knn_accuracy"}
    assert 0 <= tested["knn_accuracy"] <= 1
    unlabelled = data.Samples(data.Dataset(sets[1].images), mean=0.5, std=0.5)
    assert task.test(unlabelled, lambda function: [function(np.arange(60))]).keys() == {"loss", "accuracy", "spread"}
    rows = task.pictures(samples, slice(4))
    assert [row.shape for row in rows.values()] == [(4, 32, 32, 3)] * 2
    assert all(row.dtype == np.uint8 for row in rows.values())


@pytest.mark.parametrize(("settings", "message"), [
    ({"temperature": 0}, "temperature: expected a number above 0, got 0"),
    ({"momentum": 1.5}, "momentum: expected a number from 0 to 1, got 1.5")])
def test_wrong_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_a_model_without_a_linear_head():
    with pytest.raises(ValueError, match="moco: needs a model whose head is one linear map, .* this is a ViTGAP"):
        moco.MoCo(create("vit", "cifar", num_classes=0))


def test_other_architectures_learn_by_it_too(rng):
    task = find_task("moco").build(lambda **changes: create("resnet", "cifar20", **changes), (), hidden=12, dim=8)
    pictures = rng.standard_normal((4, 32, 32, 3)).astype(np.float32)
    loss, _ = task.initialise(0).loss(pictures, pictures, np.arange(4))
    assert all(np.isfinite(gradient).all() for gradient in grad(loss, task.parameters()))
