import numpy as np
import pytest
from PIL import Image

from minivit.backend import asnumpy, to_device
from minivit.data import rand_augment, randaugment

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 32, 28, 3), dtype=np.uint8)
AMOUNTS = np.random.default_rng(1).uniform(-1, 1, 40)
GREY = (128, 128, 128)
NAMES = ["identity", "autocontrast", "equalize", "rotate", "solarize", "color", "posterize", "contrast", "brightness",
         "sharpness", "shear-x", "shear-y", "translate-x", "translate-y"]


def affine(image, *coefficients):
    return image.transform(image.size, Image.Transform.AFFINE, coefficients, fillcolor=GREY)


@pytest.mark.parametrize(("move", "pillow"), [
    (lambda images, a: randaugment.rotate(images, 180 * a), lambda image, a: image.rotate(180 * a, fillcolor=GREY)),
    (lambda images, a: randaugment.shear(images, a, 0), lambda image, a: affine(image, 1, a, 0, 0, 1, 0)),
    (lambda images, a: randaugment.shear(images, 0, a), lambda image, a: affine(image, 1, 0, 0, a, 1, 0)),
    (lambda images, a: randaugment.translate(images, 20 * a, 0), lambda image, a: affine(image, 1, 0, 20 * a, 0, 1, 0)),
    (lambda images, a: randaugment.translate(images, 0, 20 * a), lambda image, a: affine(image, 1, 0, 0, 0, 1, 20 * a)),
], ids=["rotate", "shear-x", "shear-y", "translate-x", "translate-y"])
def test_geometric_operations_against_pillow(device, move, pillow):
    """The nearest pixel is the same but for a few that lie halfway between two: Pillow's coordinates have 16 bits."""
    expected = np.stack([np.asarray(pillow(Image.fromarray(image), amount))
                         for image, amount in zip(IMAGES, AMOUNTS.tolist(), strict=True)])
    moved = asnumpy(move(to_device(IMAGES, device), AMOUNTS))
    assert moved.dtype == np.uint8
    assert (moved != expected).any(axis=-1).mean() < 0.005


def test_quarter_turns_are_exact(device):
    square = to_device(IMAGES[:4, :28], device)
    turned = asnumpy(randaugment.rotate(square, np.array([0, 90, 180, 270])))
    for k in range(4):
        np.testing.assert_array_equal(turned[k], np.rot90(IMAGES[k, :28], k))


def test_there_are_the_fourteen_operations():
    assert list(randaugment.OPERATIONS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_magnitude_zero_changes_little_and_ten_more(device, name):
    """At M = 0 all but the histogram operations leave pictures as they are."""
    operation, images = randaugment.OPERATIONS[name], to_device(IMAGES, device)
    at_zero, at_ten = (asnumpy(operation(images, np.full(40, level))) for level in (0.0, 1.0))
    if name not in ("autocontrast", "equalize"):
        np.testing.assert_array_equal(at_zero, IMAGES)
    if name == "identity":
        np.testing.assert_array_equal(at_ten, IMAGES)
    elif name != "autocontrast":  # noise has all levels already
        assert (at_ten != IMAGES).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", ["rotate", "color", "contrast", "brightness", "sharpness", "shear-x", "translate-y"])
def test_the_sign_matters(name):
    up, down = (randaugment.OPERATIONS[name](IMAGES, np.full(40, level)) for level in (0.9, -0.9))
    assert (up != down).any(axis=(1, 2, 3)).all()


def test_every_picture_has_operations_of_its_own(device):
    """Of one picture 2,000 times, every operation and both signs are seen, about equally often."""
    images = np.broadcast_to(IMAGES[0] // 2 + 40, (2000, *IMAGES.shape[1:]))
    augmented = asnumpy(rand_augment(to_device(images, device), np.random.default_rng(0), operations=1, magnitude=9))
    kinds, counts = np.unique(augmented.reshape(2000, -1), axis=0, return_counts=True)
    signed = 9  # of the fourteen, these give two pictures; identity, histogram operations, solarize and posterize one
    assert len(kinds) == 14 + signed
    assert counts.min() > 2000 / 28 * 0.6
    assert counts.max() < 2000 / 14 * 1.4


def test_number_of_operations_and_the_argument_is_left_alone(device):
    images = to_device(IMAGES.copy(), device)
    rng = np.random.default_rng(0)
    assert (asnumpy(rand_augment(images, rng, operations=0)) == IMAGES).all()
    changed = [(asnumpy(rand_augment(images, rng, operations=count)) != IMAGES).any(axis=(1, 2, 3)).mean()
               for count in (1, 3)]
    assert changed[0] < changed[1]
    np.testing.assert_array_equal(asnumpy(images), IMAGES)


def test_the_generator_decides_on_every_device(device):
    first, again, host = (asnumpy(rand_augment(to_device(IMAGES, where), np.random.default_rng(3)))
                          for where in (device, device, "cpu"))
    np.testing.assert_array_equal(first, again)
    assert (first == host).mean() > 0.999


def test_what_it_refuses():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="rand_augment: expected uint8 images .* got float64"):
        rand_augment(IMAGES / 255, rng)
    with pytest.raises(ValueError, match="rand_augment: magnitude: expected a number from 0 to 10, got 15"):
        rand_augment(IMAGES, rng, magnitude=15)
