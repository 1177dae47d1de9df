"""Pictures in memory, labelled or not, as every loader here returns them."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from ..types import Array


@dataclass(frozen=True, eq=False)
class Dataset:
    """N pictures, kept as bytes until a batch is drawn.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)
    labels : int64 (N,), optional
        Indices into `classes`.
    classes : tuple of str
        Empty where there are no labels.
    name : str
    """

    images: np.ndarray
    labels: np.ndarray | None = None
    classes: tuple = ()
    name: str = "pictures"

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
            raise TypeError(f"{self.name}: expected images as a uint8 array (N, H, W, 3), got {_described(images)}")
        labelled = labels is not None
        if labelled and (not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1):
            raise TypeError(f"{self.name}: expected labels as an integer array (N,), got {_described(labels)}")
        for field, array in self._arrays().items():
            if len(array) != len(images):
                raise ValueError(f"{self.name}: {len(images)} images, but {len(array)} {field}")
        if labels is not None and len(labels) and not 0 <= labels.min() <= labels.max() < len(self.classes):
            raise ValueError(f"{self.name}: expected labels from 0 to {len(self.classes) - 1}, as there are classes, "
                             f"got {labels.min()} to {labels.max()}")

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, index: Any) -> Self:
        """The pictures that a slice, an integer array or a boolean array picks, as a set of the same kind."""
        return replace(self, **{field: array[index] for field, array in self._arrays().items()})

    def few(self, count: int) -> Self:
        """The first so many pictures, as many of each class as can be, in their order; all if there are no more."""
        return self if count >= len(self) else self.subset(self._balanced(count))

    def without(self, count: int) -> Self:
        """What `few` leaves."""
        return self.subset(np.setdiff1d(np.arange(len(self)), self._balanced(count)))

    def _balanced(self, count):
        """Where the first so many pictures are, as many of each class as can be."""
        if self.labels is None or count >= len(self):
            return np.arange(min(count, len(self)))
        order, counts = np.argsort(self.labels, kind="stable"), np.bincount(self.labels)
        turn = np.empty(len(self), int)  # a picture is the first of its class, the second ...
        turn[order] = np.arange(len(self)) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.sort(np.lexsort((self.labels, turn))[:count])

    def _arrays(self):
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _described(value):
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def channel_statistics(images: Array) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, on the scale from 0 to 1.    uint8 (N, H, W, C) -> (C,), (C,)

    `normalise` wants those of the training set. For CIFAR-10 the literature has (0.4914, 0.4822, 0.4465) and
    (0.2470, 0.2435, 0.2616); whatever copy is at hand (one that went through JPEG has a slightly smaller deviation):

        python -c "from minivit import data; print(data.channel_statistics(data.load('cifar10')[0].images))"
    """
    if images.dtype != np.uint8:
        raise TypeError(f"channel_statistics: expected uint8 images, got {images.dtype}")
    if len(images) == 0:
        raise ValueError("channel_statistics: there are no images")
    channels, pixels = images.shape[-1], images[0].size
    sums, squares = np.zeros(pixels), np.zeros(pixels)
    for start in range(0, len(images), 256):  # 256 squares of bytes still add up exactly in float32
        chunk = images[start:start + 256].reshape(-1, pixels).astype(np.float32)  # (256, H*W*C)
        sums += chunk.sum(axis=0)
        squares += np.einsum("np,np->p", chunk, chunk)
    mean = sums.reshape(-1, channels).mean(axis=0) / len(images)  # (H*W, C) -> (C,)
    variance = squares.reshape(-1, channels).mean(axis=0) / len(images) - mean**2  # (H*W, C) -> (C,)
    return (mean / 255).astype(np.float32), (np.sqrt(variance) / 255).astype(np.float32)
