"""What must hold for every architecture and variant that `list_models` finds for classification."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad, nn
from minivit.counting import count
from minivit.ops import cross_entropy
from tests.known import collect

VARIANTS = [(architecture, variant) for architecture, variants in minivit.list_models("classify").items()
            for variant in variants]
WITHOUT_GRADIENT, WITHOUT_PIXELS = collect("WITHOUT_GRADIENT"), collect("WITHOUT_PIXELS")
CIFAR = [(architecture, variant) for architecture, variant in VARIANTS if "cifar" in variant]

@pytest.mark.parametrize("architecture, variant", VARIANTS)
def test_every_variant_runs_from_pixels_to_classes(architecture, variant):
    model = minivit.create(architecture, variant, num_classes=7)
    counted = count(model, (2, *model.image_size, 3))
    assert counted.rows[0].output == (2, 7)
    assert counted.parameters > 0
    assert counted.multiply_adds > 0


@pytest.mark.parametrize("architecture, variant", VARIANTS)
def test_every_variant_says_its_image_size_and_has_a_head_that_can_be_left_out(architecture, variant):
    model = minivit.create(architecture, variant, num_classes=7)
    assert len(model.image_size) == 2
    assert all(isinstance(pixels, int) for pixels in model.image_size)
    assert 7 in {size for parameter in model.head.parameters() for size in parameter.shape}
    assert not minivit.create(architecture, variant, num_classes=0).head.parameters()
    model.head = nn.Identity()
    assert not model.head.parameters()


@pytest.mark.parametrize("architecture, variant", CIFAR)
def test_each_stage_gives_a_grid_and_adds_to_what_was_learned_before_it(architecture, variant, rng):
    model = minivit.create(architecture, variant, seed=1)
    if "image_size" in vars(model):  # some of its weights belong to places
        model = minivit.create(architecture, variant, seed=1, image_size=(16, 32))
    images = Tensor(rng.standard_normal((2, 16, 32, 3), np.float32), requires_grad=True)
    shapes, reached = [x.shape for x in model.features(images)], []
    for stage, (B, H, W, C) in enumerate(shapes):
        x = model.features(images)[stage]
        assert (B, W) == (2, 2 * H)
        assert 16 % H == 0
        assert np.isfinite(x.numpy()).all()
        pixels, *gradients = grad((x * rng.standard_normal(x.shape, np.float32)).sum(), [images, *model.parameters()])
        assert architecture in WITHOUT_PIXELS or np.abs(pixels).max(axis=-1).all()
        reached.append({name for (name, parameter), gradient in zip(model.named_parameters(), gradients, strict=True)
                        if np.abs(gradient).max() > 0})
        assert C in {n for name, p in model.named_parameters() if name in reached[-1] for n in p.shape[-1:]}
    assert all(before < behind for before, behind in zip(reached, reached[1:], strict=False))
    assert [H for _, H, _, _ in shapes] == sorted((H for _, H, _, _ in shapes), reverse=True)
    head = {id(parameter) for parameter in model.head.parameters()}
    assert not any(id(parameter) in head for name, parameter in model.named_parameters() if name in reached[-1])


def batch(size, rng):
    return rng.standard_normal((size, 32, 32, 3), np.float32), rng.integers(0, 10, size)


def logits_of(output):
    """Models with several heads return one output for each in training."""
    return output[0] if isinstance(output, tuple) else output


def draw(model, rng):
    """Give every parameter random numbers: what begins at zero, as a head or the scale of a branch, hides the rest."""
    for name, parameter in model.named_parameters():
        z = rng.standard_normal(parameter.shape, np.float32)
        fan_in = np.prod(parameter.shape[:-1])
        parameter.data = 0.2 * z + name.endswith("weight") if parameter.ndim < 2 else z / np.float32(np.sqrt(fan_in))
    return model


@pytest.mark.parametrize("architecture, variant", CIFAR)
def test_every_parameter_gets_a_finite_gradient(architecture, variant, rng):
    model = draw(minivit.create(architecture, variant, seed=1), rng)
    images, labels = batch(3, rng)
    outputs = model(images)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = sum(cross_entropy(output, labels) for output in outputs)
    for (name, parameter), gradient in zip(model.named_parameters(), grad(loss, model.parameters()), strict=True):
        assert gradient.shape == parameter.shape, name
        assert gradient.dtype == np.float32, name
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 0 or (architecture, name) in WITHOUT_GRADIENT, name


@pytest.mark.parametrize("architecture, variant", [(a, "cifar") for a, v in CIFAR if v == "cifar"])
def test_training_fits_one_batch(architecture, variant, rng):
    from minivit.train.optim import AdamW
    model = minivit.create(architecture, variant, seed=1)
    images, labels = batch(8, rng)
    optimiser = AdamW(model.parameters(), lr=1e-3)
    for step in range(60):
        with nn.randomness(np.random.default_rng(step)):
            outputs = model(images)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = sum(cross_entropy(output, labels) for output in outputs) / len(outputs)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.05:
            break
    assert loss.item() < 0.05
    assert (logits_of(outputs).numpy().argmax(-1) == labels).all()


@pytest.mark.parametrize("architecture, variant", [(a, "cifar") for a, v in CIFAR if v == "cifar"])
def test_predictions_do_not_depend_on_the_other_pictures_of_the_batch(architecture, variant, rng):
    model = minivit.create(architecture, variant, seed=1).eval()
    images, _ = batch(4, rng)
    together = model(images).numpy()
    for index in range(4):
        np.testing.assert_allclose(model(images[index:index + 1]).numpy()[0], together[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture, variant", [(a, "cifar") for a, v in CIFAR if v == "cifar"])
def test_an_empty_batch_has_no_predictions_and_gradients_of_0(architecture, variant):
    model = minivit.create(architecture, variant, seed=1).eval()
    outputs = model(np.zeros((0, 32, 32, 3), np.float32))
    assert outputs.shape == (0, 10)
    assert all((gradient == 0).all() for gradient in grad(outputs.sum(), model.parameters()))


@pytest.mark.parametrize("architecture, variant", [(a, "cifar") for a, v in CIFAR if v == "cifar"])
def test_float16_gives_the_predictions_of_float32_up_to_its_digits(architecture, variant, rng):
    model = minivit.create(architecture, variant, seed=1)
    images, labels = batch(4, rng)
    expected = model.eval()(images).numpy()
    model.astype(np.float16)
    ours = model(images.astype(np.float16))
    assert ours.dtype == np.float16
    np.testing.assert_allclose(ours.numpy(), expected, atol=0.02 * (1 + np.abs(expected).max()))
    loss = cross_entropy(logits_of(model.train()(images.astype(np.float16))), labels)
    gradients = grad(loss, model.parameters())
    assert all(gradient.dtype == np.float16 and np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("architecture", sorted({a for a, _ in CIFAR}))
def test_same_seed_same_weights_other_seed_other_weights(architecture):
    first, again, other = (minivit.create(architecture, "cifar", seed=seed).state_dict() for seed in (3, 3, 4))
    assert first.keys() == again.keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'vit'"):
        minivit.create("vti")
    with pytest.raises(ValueError, match="variant of vit: 'tinny' does not exist; did you mean 'tiny'"):
        minivit.create("vit", "tinny")
    with pytest.raises(TypeError, match="width"):
        minivit.create("vit", "tiny", width=7)


def test_wrong_pictures_are_refused_with_numbers():
    model = minivit.create("vit", "cifar")
    with pytest.raises(ValueError, match=r"expected shape \(B, height, width, 3\), got \(2, 32, 32\)"):
        model(np.zeros((2, 32, 32), np.float32))
    with pytest.raises(ValueError, match="30 x 32 pixels do not divide into patches of 4 x 4"):
        model(np.zeros((2, 30, 32, 3), np.float32))
    with pytest.raises(ValueError, match="image_size: 30 x 30 pixels do not divide into patches of 4 x 4"):
        minivit.create("vit", "cifar", image_size=30)
    with pytest.raises(ValueError, match="width 64 is not divisible by 5 heads"):
        minivit.create("vit", "cifar", dim=64, heads=5)
    assert isinstance(model(Tensor(np.zeros((1, 32, 32, 3), np.float32))), Tensor)
