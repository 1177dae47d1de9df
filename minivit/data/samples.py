"""A data set as a task sees it: on a device, augmented, normalised."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..types import Array, Numbers, Step
from ..words import mirrored_words
from .annotated import augment_annotated, augment_mirrored
from .augment import augment, normalise
from .dataset import Dataset


class Samples:
    """The pictures of a data set, and what is known of each, on a device.

    Every array of the data set becomes an attribute: `images` as bytes, and where there are any, `labels`, `masks`,
    `boxes`, `sentences` ...; so do `classes` and `words`. On a GPU they are augmented there: what crosses the bus for a
    batch are the few numbers that were drawn for each picture.

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
        self.words: tuple[str, ...] = getattr(dataset, "words", ())
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

    def objects(self, chosen: Array,
                rng: np.random.Generator | None = None) -> tuple[Array, Array, Array, Array | None]:
        """The same for pictures with objects; an object of which nothing is left is none any more.

        The one object of a picture with a label, as shapes10 has them, is taken as a set of one.

        Returns
        -------
        images : float32 (B, H, W, C)
        classes : int64 (B, M)
            -1 where there is no object.
        boxes : (B, M, 4)
        masks : (B, H, W) or None
            0 for the background, m + 1 for object m, 255 for what is not said.
        """
        images, masks, boxes = self.annotated_view(chosen, rng)
        if boxes is None:
            raise ValueError(f"objects: {self.name} has no boxes")
        xp = array_module(images)
        classes = self.object_classes[chosen] if hasattr(self, "object_classes") else self.labels[chosen][:, None]
        boxes = boxes.reshape(*classes.shape, 4)                             # (B, 4) or (B, M, 4) -> (B, M, 4)
        left = boxes[..., 2] > boxes[..., 0]                                 # (B, M)
        if masks is not None and rng is not None:
            numbers = xp.arange(1, classes.shape[1] + 1)
            before, after = ((each[..., None] == numbers).any(axis=(1, 2)) for each in (self.masks[chosen], masks))
            left &= after | ~before                                          # (B, M); of some only the box is known
        return images, xp.where(left, classes, -1), boxes * left[..., None], masks

    def described_view(self, chosen: Array, rng: np.random.Generator | None = None) -> tuple[Array, Array]:
        """Pictures with their sentences; where a picture is mirrored, left and right change places in its sentence.

        -> float32 (B, H, W, C), int64 (B, L)

        Raises
        ------
        ValueError
            For a step after which the sentence might not be true, as random_crop.
        """
        images, sentences = self.images[chosen], self.sentences[chosen]
        if rng is not None:
            images, mirrored = augment_mirrored(images, rng, self.steps)
            xp = array_module(images)
            sentences = xp.where(mirrored[:, None], xp.asarray(mirrored_words(self.words))[sentences], sentences)
        return self.normalised(images), sentences

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
