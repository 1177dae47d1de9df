"""Cutting a data set into batches."""

import numpy as np

from ..settings import expect_whole


def batch_count(count, batch_size, *, drop_last=False):
    """How many batches an epoch of `count` pictures has."""
    expect_whole("batch_size", batch_size, 1)
    return count // batch_size if drop_last else -(-count // batch_size)


def batches(dataset, batch_size, rng=None, *, drop_last=False, start=0):
    """Go once through a data set in batches.

    The order depends on nothing but the generator, so that a resumed run comes back to step k of an epoch at once:

        rng = np.random.default_rng([seed, epoch])
        for images, labels in batches(train, 128, rng, drop_last=True, start=k): ...

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
    rng : numpy.random.Generator, optional
        Draws the order of the epoch; without it the pictures come in their own order.
    drop_last : bool
        Whether to leave out the last batch where it is smaller than the others.
    start : int
        The number of batches to skip.

    Yields
    ------
    images, labels : uint8 (B, H, W, 3), int64 (B,)
    """
    expect_whole("batches: start", start, 0)
    count = len(dataset)
    order = np.arange(count) if rng is None else rng.permutation(count)
    for step in range(start, batch_count(count, batch_size, drop_last=drop_last)):
        index = order[step * batch_size:(step + 1) * batch_size]
        yield dataset.images[index], dataset.labels[index]
