"""A data set as a task sees it: on a device, augmented, normalised."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..types import Array, Numbers, Step
from .annotated import augment_annotated
from .augment import augment, normalise
from .dataset import Dataset


class Samples:
    """The pictures of a data set, and what is known of each, on a device.

    Every array of the data set becomes an attribute: `images` as bytes, and where there are any, `labels`, `masks`,
    `boxes`. On a GPU they are augmented there: what crosses the bus for a batch are the few numbers that were drawn for
    each picture.

    Parameters
    ----------
    dataset : Dataset
    mean, std : array_like (C,)
        What pictures are normalised with.
    steps : sequence of callable
        The augmentation, see `minivit.data.augment`; none for a test.
    device : str
        "cpu" or "cuda".

    Raises
    ------
    RuntimeError
        If the pictures do not fit into the memory of the device.
    """

    def __init__(self, dataset: Dataset, *, mean: Numbers, std: Numbers, steps: Sequence[Step] = (),
                 device: str = "cpu") -> None:
        self.name, self.classes, self.size = dataset.name, dataset.classes, len(dataset)
        self.steps, self.device = list(steps), device
        try:
            self.mean, self.std = (to_device(np.asarray(value, np.float32), device) for value in (mean, std))
            for field in fields(dataset):
                value = getattr(dataset, field.name)
                if isinstance(value, np.ndarray):
                    setattr(self, field.name, to_device(value, device))
        except MemoryError as error:
            raise RuntimeError(
                f"device {device!r}: the {len(dataset):,} pictures of {dataset.name} take "
                f"{dataset.images.nbytes / 2**30:.1f} GiB, and less is free; end what else uses the GPU (nvidia-smi "
                "lists it), or use device='cpu'") from error

    def __len__(self) -> int:
        return self.size

    def view(self, chosen: Array, rng: np.random.Generator | None = None,
             steps: Sequence[Step] | None = None) -> Array:
        """Some pictures, augmented if there is a generator to draw from, and normalised.    -> float32 (B, H, W, C)

        `steps` are others than the data set's, where a task looks at a picture in more than one way.
        """
        images = self.images[chosen]
        if rng is not None:
            images = augment(images, rng, self.steps if steps is None else steps)
        return self.normalised(images)

    def annotated_view(self, chosen: Array,
                       rng: np.random.Generator | None = None) -> tuple[Array, Array | None, Array | None]:
        """The same with what is known of places: images, masks, boxes, as far as the data set has them, else None."""
        found = {name: getattr(self, name)[chosen] for name in ("masks", "boxes") if hasattr(self, name)}
        images, masks, boxes = self.images[chosen], found.get("masks"), found.get("boxes")
        if rng is not None:
            images, masks, boxes = augment_annotated(images, rng, self.steps, **found)
        return self.normalised(images), masks, boxes

    def normalised(self, images: Array) -> Array:
        """uint8 (B, H, W, C) -> float32 (B, H, W, C)"""
        return normalise(images, self.mean, self.std)

    def as_bytes(self, images: Array) -> np.ndarray:
        """The reverse, to look at.    float32 (B, H, W, C) -> uint8 (B, H, W, C), in host memory"""
        xp = array_module(images)
        return asnumpy((255 * xp.clip(images * self.std + self.mean, 0, 1)).round().astype(np.uint8))

    @property
    def host_labels(self) -> np.ndarray:
        """The labels in host memory.    -> int64 (N,)"""
        return asnumpy(self.labels)
