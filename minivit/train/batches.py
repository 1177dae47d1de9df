"""The batch of every step, as a function of the seed and the step alone: a resumed run sees the same pictures.

Where a run computes on a GPU, all pictures are moved there once, as bytes, and are augmented there. What crosses the
bus for a batch are the few numbers that were drawn for each picture; nothing is read back.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from .. import data
from ..backend import to_device

# First numbers of the seeds, one for each use of random numbers. They stand in front, and none is 0, because NumPy
# takes the seeds (7,) and (7, 0) for the same.
ORDER, AUGMENTATION, FORWARD = 1, 2, 3


class Batches:
    """Draws, augments and normalises batches; the next one on a thread of its own while the present one is used.

    with Batches(train_set, recipe, mean, std) as batches:
        images, targets = batches[step]     # float32 (B, H, W, 3); int64 (B,), or float32 (B, classes) where mixed
    """

    def __init__(self, dataset, recipe, mean, std):
        self.steps = [partial(data.augmentation(name), **settings) for name, settings in recipe.augmentation]
        self.mean, self.std = (to_device(np.asarray(value, np.float32), recipe.device) for value in (mean, std))
        self.images, self.labels = moved(dataset, recipe.device)
        self.recipe, self.classes = recipe, len(dataset.classes)
        self.size = min(recipe.batch_size, len(dataset))
        self.per_epoch = len(dataset) // self.size
        self.epoch, self.order, self.ahead = None, None, None

    def __enter__(self):
        self.worker = ThreadPoolExecutor(1, "batches")
        return self

    def __exit__(self, *error):
        self.worker.shutdown(cancel_futures=True)

    def __getitem__(self, step):
        """The batch of a step; the one after it is begun."""
        if self.ahead is None or self.ahead[0] != step:
            self.ahead = step, self.worker.submit(self.draw, step)
        batch = self.ahead[1].result()
        self.ahead = step + 1, self.worker.submit(self.draw, step + 1)
        return batch

    def draw(self, step):
        """Each epoch goes through all pictures in an order of its own; the rest that fills no batch is left out."""
        seed, (epoch, position) = self.recipe.seed, divmod(step, self.per_epoch)
        if epoch != self.epoch:
            order = np.random.default_rng((ORDER, seed, epoch)).permutation(len(self.labels))
            self.epoch, self.order = epoch, to_device(order, self.recipe.device)
        chosen = self.order[position * self.size:(position + 1) * self.size]
        rng = np.random.default_rng((AUGMENTATION, seed, step))
        images = data.augment(self.images[chosen], rng, self.steps)
        return self.mix(data.normalise(images, self.mean, self.std), self.labels[chosen], rng)

    def mix(self, images, labels, rng):
        """Mixup or CutMix as the recipe says: of two, one by chance for each batch."""
        ways = [(mix, alpha) for mix, alpha in [(data.mixup, self.recipe.mixup), (data.cutmix, self.recipe.cutmix)]
                if alpha]
        if not ways:
            return images, labels
        mix, alpha = ways[rng.integers(len(ways))]
        return mix(images, data.one_hot(labels, self.classes), rng, alpha=alpha)


def moved(dataset, device):
    """The pictures and the labels of a data set, on a device."""
    try:
        return to_device(dataset.images, device), to_device(dataset.labels, device)
    except MemoryError as error:
        raise RuntimeError(
            f"device {device!r}: the {len(dataset):,} pictures of {dataset.name} take "
            f"{dataset.images.nbytes / 2**30:.1f} GiB, and less is free; end what else uses the GPU (nvidia-smi lists "
            "it), or use device='cpu'") from error
