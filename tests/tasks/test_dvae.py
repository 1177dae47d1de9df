"""The discrete VAE: its noise, divergence and likelihood in slow forms, its decoder in PyTorch, what it tells."""

import math

import numpy as np
import pytest

from minivit import Tensor, create, data, grad, no_grad
from minivit.models.dvae import Decoder
from minivit.tasks import dvae
from tests.tasks.contract import check_resume, check_threads


def make(**settings):
    encoder = create("dvae", "cifar", dim=8, num_classes=12)
    return dvae.DVAE(encoder, **{"code_dim": 6} | settings)


def batch(rng, count=3):
    pixels = rng.random((count, 16, 16, 3))
    return (pixels - 0.5) / 0.25, pixels, rng.uniform(0.01, 0.99, (count, 4, 4, 12))


def test_gumbel_noise_has_two_minus_signs():
    for u, g in [(0.5, 0.3665129), (0.9, 2.2503673)]:
        z = dvae.gumbel_softmax(Tensor(np.zeros((1, 2))), np.array([[u, math.exp(-1)]]), 1.0)   # the other's g is 0
        assert math.log(z.numpy()[0, 0] / z.numpy()[0, 1]) == pytest.approx(g, abs=1e-6)


def test_words_are_chosen_as_often_as_they_are_likely(rng):
    q = np.array([0.7, 0.2, 0.1])
    logits, noise = Tensor(np.log(np.tile(q, (40_000, 1)))), rng.random((40_000, 3))
    z = dvae.gumbel_softmax(logits, noise, 0.1, straight_through=True)
    assert set(np.unique(z.numpy())) <= {0, 1}
    np.testing.assert_allclose(z.numpy().mean(axis=0), q, atol=0.01)


def test_a_low_temperature_is_nearly_a_choice_and_a_high_one_hardly(rng):
    logits, noise = Tensor(rng.standard_normal((50, 6))), rng.random((50, 6))
    largest = [dvae.gumbel_softmax(logits, noise, t).numpy().max(axis=-1).mean() for t in (0.05, 1.0, 20.0)]
    assert largest[0] > 0.95 > largest[1] > 0.4 > largest[2]


def test_straight_through_goes_forward_hard_and_backward_soft(rng):
    logits, noise, to = (rng.standard_normal((5, 4)), rng.random((5, 4)), rng.standard_normal((5, 4)))
    x = Tensor(logits, requires_grad=True)
    soft, hard = (dvae.gumbel_softmax(x, noise, 0.7, straight_through=way) for way in (False, True))
    np.testing.assert_allclose(hard.numpy(), np.eye(4)[soft.numpy().argmax(-1)], atol=1e-15)
    expected, found = (grad((z * to).sum(), [x])[0] for z in (soft, hard))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.abs(found).max() > 0


def test_the_divergence_is_that_from_the_words_to_uniform_and_not_the_other_way():
    logits = Tensor(np.log([[0.7, 0.2, 0.1], [1 / 3, 1 / 3, 1 / 3]]))
    expected = 0.7 * math.log(2.1) + 0.2 * math.log(0.6) + 0.1 * math.log(0.3)
    np.testing.assert_allclose(dvae.kl_to_uniform(logits).numpy(), [expected, 0], atol=1e-12)
    assert expected == pytest.approx(0.297, abs=1e-3)


def test_the_likelihood_is_a_density_and_its_slopes_are_right(rng):
    """Its integral over all numbers between 0 and 1 is 1."""
    x = np.linspace(0, 1, 200_001)[1:-1]
    density = np.exp(-dvae.logit_laplace(x, Tensor(np.float64(0.3)), Tensor(np.float64(-0.5))).numpy())
    assert density.mean() == pytest.approx(1, abs=1e-3)
    torch = pytest.importorskip("torch")
    pixels, place, spread = rng.uniform(0.1, 0.9, 9), rng.standard_normal(9), rng.standard_normal(9)
    ours = [Tensor(value, requires_grad=True) for value in (place, spread)]
    theirs = [torch.tensor(value, requires_grad=True) for value in (place, spread)]
    expected = (torch.logit(torch.tensor(pixels)) - theirs[0]).abs() / theirs[1].exp() + torch.log(
        2 * theirs[1].exp() * torch.tensor(pixels * (1 - pixels)))
    loss = dvae.logit_laplace(pixels, *ours)
    np.testing.assert_allclose(loss.numpy(), expected.detach().numpy(), rtol=1e-12)
    expected.sum().backward()
    for found, one in zip(grad(loss.sum(), ours), theirs, strict=True):
        np.testing.assert_allclose(found, one.grad.numpy(), rtol=1e-9)


def test_perplexity():
    assert dvae.perplexity(np.array([5.0, 5, 0, 0])) == pytest.approx(2)
    assert dvae.perplexity(np.array([1.0, 0, 0, 0])) == pytest.approx(1)


@pytest.mark.parametrize("straight_through", [False, True])
def test_the_loss_is_the_formula_in_pytorch(straight_through, rng):
    torch = pytest.importorskip("torch")
    task = make(kl_weight=0.7, straight_through=straight_through).initialise(1).astype(np.float64).train()
    task.temperature.data = np.array([0.4])
    images, pixels, noise = batch(rng)
    loss, numbers = task.loss(images, pixels, noise)
    with no_grad():
        logits = torch.tensor(task.encoder.words(Tensor(images)).numpy())
        z = ((logits - (-torch.tensor(noise).log()).log()) / 0.4).softmax(-1)
        z = torch.nn.functional.one_hot(z.argmax(-1), 12).double() if straight_through else z
        painted = torch.tensor(task.decoder(Tensor(z.numpy())).numpy())
    x = torch.tensor(0.8 * pixels + 0.1)
    laplace = torch.distributions.Laplace(painted[..., :3], painted[..., 3:].exp())
    lost = -(laplace.log_prob(torch.logit(x)) - (x * (1 - x)).log()).mean()
    uniform = torch.distributions.Categorical(logits=torch.zeros_like(logits))
    kl = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=logits), uniform)
    assert loss.item() == pytest.approx((lost + 0.7 * kl.sum() / x.numel()).item(), rel=1e-9)
    assert numbers["reconstruction"] == pytest.approx(lost.item(), rel=1e-9)


def test_the_decoder_is_that_of_the_authors_in_pytorch(rng):
    torch = pytest.importorskip("torch")
    decoder = Decoder(words=7, code_dim=8, dim=8, groups=3, per_group=2).initialise(2).astype(np.float64)
    weights = {name: torch.tensor(p.numpy()) for name, p in decoder.named_parameters()}

    def conv(x, name):
        w = weights[f"{name}.weight"]
        w = w if w.ndim == 4 else w[None, None]
        return torch.nn.functional.conv2d(x, w.permute(3, 2, 0, 1), weights[f"{name}.bias"], padding=w.shape[0] // 2)
    words = rng.random((2, 3, 2, 7))
    x = conv(torch.tensor(words).permute(0, 3, 1, 2), "codebook")
    for group in range(3):
        for block in range(2):
            name, branch = f"groups.{group}.{block}", x
            for index in range(4):
                branch = conv(branch.relu(), f"{name}.convs.{index}")
            x = (conv(x, f"{name}.skip") if f"{name}.skip.weight" in weights else x) + branch / 36
        x = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest") if group < 2 else x
    expected = conv(x.relu(), "output").permute(0, 2, 3, 1).numpy()
    found = decoder(Tensor(words)).numpy()
    assert found.shape == (2, 12, 8, 6)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_authors_sizes():
    """Parameters of openai/DALL-E's encoder and decoder."""
    assert sum(p.size for p in create("dvae", "dall-e").parameters()) == 53_786_240
    assert sum(p.size for p in Decoder(words=8192).parameters()) == 43_829_766


def test_every_parameter_gets_a_gradient(rng):
    task = make().initialise(1).train()
    loss, _ = task.loss(*(array.astype(np.float32) for array in batch(rng)))
    for (name, _), gradient in zip(task.named_parameters(), grad(loss, task.parameters()), strict=True):
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 0, name


def test_the_temperature_falls_from_the_first_to_the_last():
    task, seen = make(temperatures=(2.0, 0.5)), []
    for done in range(1, 11):
        task.after_step(done, 10)
        seen.append(task.temperature.item())
    assert all(later < earlier for earlier, later in zip([2.0, *seen], seen, strict=False))
    assert seen[4] == pytest.approx(1.25)
    assert seen[-1] == pytest.approx(0.5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


def test_any_number_of_threads_computes_the_same(sets):
    check_threads(make, sets)


def test_the_pictures(sets):
    task = make().initialise(0).eval()
    samples = data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)
    rows = task.pictures(samples, slice(4))
    assert list(rows) == ["picture", "from its words", "words 1 to 4, by use", "words 5 to 8, by use",
                          "words 9 to 12, by use"]
    assert {(row.shape, row.dtype.name) for row in rows.values()} == {((4, 32, 32, 3), "uint8")}


@pytest.mark.parametrize("settings, message", [
    ({"temperatures": (1.0, 0.0)}, r"temperatures: expected two numbers above 0, got \(1\.0, 0\.0\)"),
    ({"kl_weight": -1}, "kl_weight: expected a number of at least 0, got -1")])
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="dvae: needs the model dvae, with a head of some words; this is a ViTGAP"):
        dvae.DVAE(create("vit"))
