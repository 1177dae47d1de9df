"""Pictures that lie on a GPU are augmented there: what was drawn crosses the bus, and nobody waits."""

import numpy as np
import pytest

from minivit import data
from minivit.train import Recipe
from tests import cupy_stand_in
from tests.cuda_streams import TRAFFIC
from tests.train.runs import batches_of

COUNT = 64
AUGMENTATIONS = [[], [("random_crop", {"mode": "reflect"}), ("random_flip", {})], [("rand_augment", {"operations": 5})],
                 [("colour_jitter", {}), ("random_erasing", {"probability": 1.0})],
                 [("random_resized_crop", {"mode": "bicubic"}), ("colour_jitter", {"probability": 0.8}),
                  ("random_grey", {}), ("random_blur", {}), ("random_solarize", {})]]


@pytest.fixture
def pictures(monkeypatch):
    """On a GPU without a GPU."""
    cupy_stand_in.install(monkeypatch)
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 16, 16, 3), dtype=np.uint8)
    return data.Dataset(images, rng.integers(10, size=300), tuple("abcdefghij"), "some")


@pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=str)
@pytest.mark.parametrize("mix", [{}, {"mixup": 0.2}, {"cutmix": 1.0}], ids=str)
def test_a_batch_crosses_the_bus_as_a_few_numbers(pictures, augmentation, mix):
    recipe = Recipe(augmentation=augmentation, batch_size=COUNT, device="cuda", task_settings=mix)
    TRAFFIC.clear()
    batches = batches_of(pictures, recipe, [0.5, 0.4, 0.3], [0.2, 0.2, 0.2])
    size = pictures.images.nbytes + pictures.labels.nbytes + 24
    assert (TRAFFIC["to the device"], TRAFFIC["bytes to the device"]) == (4, size)
    for step in range(3):
        batches.draw(step)
        assert TRAFFIC["waits"] == TRAFFIC["to the host"] == 0
    order = 8 * len(pictures)
    per_picture = (TRAFFIC["bytes to the device"] - size - order) / (3 * COUNT)
    noise = 0.25 * 16 * 16 * 3 if "random_erasing" in str(augmentation) else 0
    assert per_picture <= 300 + 8 * noise


def test_it_is_the_batch_of_the_cpu(pictures):
    recipes = [Recipe(augmentation=AUGMENTATIONS[1], batch_size=COUNT, device=device, task_settings={"cutmix": 1.0})
               for device in ("cpu", "cuda")]
    ours, theirs = (batches_of(pictures, recipe, 0.5, 0.25).draw(2) for recipe in recipes)
    for host, array in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(array.get(), host, rtol=1e-6, atol=1e-6)


def test_pictures_that_do_not_fit_are_told_with_the_remedy(pictures, monkeypatch):
    def full(x, **settings):
        raise MemoryError("Out of memory allocating 230,400 bytes")
    monkeypatch.setattr(cupy_stand_in.CUPY, "asarray", full, raising=False)
    with pytest.raises(RuntimeError, match=r"the 300 pictures of some take 0\.0 GiB, and less is free; .*nvidia-smi"):
        data.Samples(pictures, mean=0.5, std=0.25, device="cuda")
