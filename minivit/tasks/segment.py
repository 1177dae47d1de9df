"""Semantic segmentation: every pixel has a class, and the model is to name it.

The model is a SETR (`minivit.models.setr`; Zheng et al., CVPR 2021, arXiv:2012.15840) on the backbone that the recipe
names. The loss is the cross-entropy of all pixels, of the decoder and, 0.4 times, of each auxiliary head.

    B batch    K classes, of which 0 is the background    M objects at most
    (B, H, W) object numbers, (B, M) their classes -> labels (B, H, W); logits (B, H, W, K) -> loss ()

What is measured is the mean intersection over union: over the pixels of all pictures together, for each class, those
that are of the class and were named so, by those that are of the class or were named so; then the mean over the
classes that there are (a mean over pictures would be another number, as would one with classes that are nowhere).
Beside it stands a ceiling: the same for labels that are constant in each cell of the backbone's grid, every cell having
the class that most of its pixels have. A decoder that only classifies patches cannot be far above it.

Departures from the paper: the defaults are for the built-in scenes; no other size of a picture is tried in the test.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ..backend import array_module, asnumpy
from ..data.drawing import Drawing
from ..data.objects import UNKNOWN
from ..data.samples import Samples
from ..engine import Tensor, no_grad
from ..models.setr import SETR
from ..nn import Module
from ..ops import cross_entropy
from ..settings import expect_number
from ..types import Array, Over
from .task import Task, share_of_mean


class Segment(Task):
    """A SETR and its loss.

    Parameters
    ----------
    model : Module
        (B, H, W, C) -> logits (B, H, W, K), and for the training `all_heads`, a list of them: see `SETR`.
    classes : sequence of str
        The names of the classes, the background not among them: K - 1.
    auxiliary_weight : float
        The weight of each auxiliary head's loss.
    """

    shown, needs = "pixel_accuracy", ("masks",)
    # 144 tokens of scenes, 0.5 million parameters
    defaults = {"data": "scenes", "settings": {"dim": 96, "depth": 4}, "batch_size": 32, "lr": 2e-3, "minutes": 10.0,
                "augmentation": [("random_flip", {}), ("random_crop", {"padding": 4})],
                "task_settings": {"decoder": "pup", "width": 32, "auxiliary": (1,)}}

    def __init__(self, model: Module, classes: tuple[str, ...], *, auxiliary_weight: float = 0.4) -> None:
        expect_number("segment: auxiliary_weight", auxiliary_weight, 0)
        self.model, self.classes, self.auxiliary_weight = model, ("background", *classes), auxiliary_weight

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], *, auxiliary_weight: float = 0.4,
              **settings: Any) -> Self:
        """A SETR for these classes, its settings given, on the model that the recipe names; see `Task.build`."""
        model = SETR(make_model, num_classes=1 + len(classes), **settings)
        return cls(model, classes, auxiliary_weight=auxiliary_weight)

    @property
    def backbone(self) -> Module:
        """What the decoder stands on."""
        return self.model.backbone

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """Pictures (B, H, W, C) float32, labels (B, H, W) int64."""
        images, classes, _, masks = samples.objects(chosen, rng)
        return images, labels_of(masks, classes)

    def loss(self, images: Array, labels: Array) -> tuple[Tensor, dict[str, Any]]:
        """The mean cross-entropy of the batch's pixels, and the share of them that are named right."""
        scale = share_of_mean(labels != UNKNOWN).astype(images.dtype)
        heads = self.model.all_heads(Tensor.without_copy(images))
        losses = [cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum") * scale for logits in heads]
        right = (heads[0].data.argmax(axis=-1) == labels).sum() * scale
        return losses[0] + self.auxiliary_weight * sum(losses[1:]), {"pixel_accuracy": right}

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """Cross-entropy, pixel accuracy, mean IoU and its ceiling; and as a table the IoU of each class."""
        K, scale = len(self.classes), round(self.model.scale)

        def measure(chosen):
            images, classes, _, masks = samples.objects(chosen)
            labels = labels_of(masks, classes)
            logits = self.model(Tensor.without_copy(images))
            loss = cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum").item()
            truth = asnumpy(labels)
            return (loss, confusion(truth, asnumpy(logits.data.argmax(axis=-1)), K),
                    confusion(truth, cell_labels(truth, scale, K), K))
        losses, counts, coarse = zip(*over(measure), strict=True)
        pairs = sum(counts)
        ious, ceilings, counted = *map(intersection_over_union, (pairs, sum(coarse))), max(pairs.sum(), 1)
        return {"loss": float(sum(losses) / counted), "pixel_accuracy": float(pairs.trace() / counted),
                "miou": float(np.nanmean(ious)), "miou_ceiling": float(np.nanmean(ceilings)),
                "iou": [[name, float(iou)] for name, iou in zip(self.classes, ious, strict=True) if iou == iou]}

    def pictures(self, samples: Samples, chosen: Any) -> dict[str, np.ndarray | Drawing]:
        """Pictures, the truth where it is known, and what the model says, a colour for each class."""
        images = samples.view(chosen)
        with no_grad():
            found = asnumpy(self.model(Tensor.without_copy(images)).data.argmax(axis=-1))  # (n, H, W)
        shown = samples.as_bytes(images)
        rows: dict[str, np.ndarray | Drawing] = {"picture": shown}
        if hasattr(samples, "masks"):
            _, classes, _, masks = samples.objects(chosen)
            rows["truth"] = self.drawn(shown, asnumpy(labels_of(masks, classes)))
        return rows | {"what the model sees": self.drawn(shown, found)}

    def drawn(self, images: np.ndarray, labels: np.ndarray) -> Drawing:
        """Labels over their pictures, and below them the classes that there are."""
        texts = [", ".join(self.classes[k] for k in np.unique(each) if 0 < k < UNKNOWN) or "nothing" for each in labels]
        return Drawing(images, masks=labels, texts=texts)


def labels_of(masks: Array, classes: Array) -> Array:
    """The class of each pixel: 0 the background, k + 1 class k, 255 where it is not said.

    object numbers (B, H, W), classes (B, M), -1 where there is no object -> int64 (B, H, W)
    """
    xp, numbers = array_module(masks), masks.astype(np.int64)
    known = numbers != UNKNOWN
    table = xp.concatenate([xp.zeros_like(classes[:, :1]), classes + 1], axis=1)           # (B, 1 + M)
    rows = xp.arange(len(masks))[:, None, None]
    return xp.where(known, table[rows, xp.where(known, numbers, 0)], UNKNOWN)


def cell_labels(labels: np.ndarray, scale: int, classes: int) -> np.ndarray:
    """Labels that are constant in each cell of scale x scale pixels: the class that most of its pixels have.

    int (B, H, W) -> int (B, H, W). Cells at the lower and the right edge may be smaller.
    """
    B, H, W = labels.shape
    rows, columns = -(-H // scale), -(-W // scale)
    padded = np.full((B, rows * scale, columns * scale), UNKNOWN, labels.dtype)
    padded[:, :H, :W] = labels
    cells = padded.reshape(B, rows, scale, columns, scale)
    votes = np.stack([(cells == k).sum(axis=(2, 4)) for k in range(classes)], axis=-1)      # (B, rows, columns, K)
    return votes.argmax(axis=-1).repeat(scale, axis=1).repeat(scale, axis=2)[:, :H, :W]


def confusion(labels: np.ndarray, named: np.ndarray, classes: int) -> np.ndarray:
    """How many pixels of class i were named j, of those that are known.    (B, H, W), (B, H, W) -> int (K, K)"""
    known = labels != UNKNOWN
    pairs = labels[known] * classes + named[known]
    return np.bincount(pairs, minlength=classes ** 2).reshape(classes, classes)             # (K^2,) -> (K, K)


def intersection_over_union(pairs: np.ndarray) -> np.ndarray:
    """Of each class, NaN for one that is neither in the labels nor among the answers.    (K, K) -> (K,)"""
    both = pairs.diagonal().astype(float)
    either = pairs.sum(axis=0) + pairs.sum(axis=1) - both
    return np.divide(both, either, out=np.full(len(pairs), np.nan), where=either > 0)


TASK = Segment
