"""Cutting a data set into batches."""

from collections.abc import Iterator

import numpy as np

from ..settings import expect_whole
from .dataset import Dataset


def batch_count(count: int, batch_size: int, *, drop_last: bool = False) -> int:
    """How many batches an epoch of `count` pictures has."""
    expect_whole("batch_size", batch_size, 1)
    return count // batch_size if drop_last else -(-count // batch_size)


def batches(dataset: Dataset, batch_size: int, rng: np.random.Generator | None = None, *, drop_last: bool = False,
            start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
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
        yield dataset.images[index], None if dataset.labels is None else dataset.labels[index]
