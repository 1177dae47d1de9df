"""The batch of every step, as a function of the seed and the step alone: a resumed run sees the same pictures."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..backend import to_device

# First numbers of the seeds, one for each use of random numbers. They stand in front, and none is 0, because NumPy
# takes the seeds (7,) and (7, 0) for the same.
ORDER, AUGMENTATION, FORWARD, TEST = 1, 2, 3, 4


class Batches:
    """The batches of a task; the next one is made on a thread of its own while the present one is used.

    with Batches(task, samples, recipe) as batches:
        images, labels = batches[step]      # what task.batch returns, on the recipe's device
    """

    def __init__(self, task, samples, recipe):
        self.task, self.samples, self.recipe = task, samples, recipe
        self.size = min(recipe.batch_size, len(samples))
        self.per_epoch = len(samples) // self.size
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
        seed, device, (epoch, position) = self.recipe.seed, self.recipe.device, divmod(step, self.per_epoch)
        if epoch != self.epoch:
            order = np.random.default_rng((ORDER, seed, epoch)).permutation(len(self.samples))
            self.epoch, self.order = epoch, to_device(order, device)
        chosen = self.order[position * self.size:(position + 1) * self.size]
        arrays = self.task.batch(self.samples, chosen, np.random.default_rng((AUGMENTATION, seed, step)))
        return tuple(to_device(array, device) for array in arrays)
