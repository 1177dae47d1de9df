"""Training Vision Transformers with Only 2040 Images.  Cao, Yu and Wu, ECCV 2022, arXiv:2201.10728.

Every training picture is a class of its own, and the model is to name the picture that a crop was cut from: an
ordinary classifier with as many outputs as there are pictures. A picture can be learned by heart, but not all of its
crops, and what makes crops of one picture alike helps with classes later. No pictures are needed but these.

    B pictures of the batch    n pictures of the training set    V, S whole and small views of each    D width
    whole views (B, V, H, W, 3) -> vectors (B V, D) -> logits (B V, n)
    small views (B, S, h, w, 3) -> vectors (B S, D) -> logits (B S, n) -> loss ()

Row i of the head is a memory of picture i: it is pulled towards the vectors of its own crops, and pushed
away from those of all others, at every step.

The paper's means against learning by heart are all here: several crops, small ones among them, CutMix, and label
smoothing, which lets every row move at every step. It also trains at half the resolution at first, which pictures of 32
pixels do not bear.

Departures from the paper: a small view is a crop of a view that the recipe's augmentation has cut.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np

from .. import data
from ..backend import array_module
from ..data.samples import Samples
from ..engine import Tensor
from ..nn import Module
from ..ops import log_softmax, take_along_axis
from ..settings import expect_number, expect_whole
from ..types import Array, Over
from .task import Task, knn_accuracy, likeness


def instance_loss(logits: Tensor, number: Array, other: Array | None = None, share: Array | None = None, *,
                  label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(logits)[number], mean over views; of a mixed view, both its pictures by their shares.

    Parameters
    ----------
    logits : (b, n)
    number, other : int (b,)
        Which training picture a view is cut from, and which one is pasted into it.
    share : (b,)
        Of `number` in the view; the rest is `other`.
    label_smoothing : float
        The share of the target that all pictures get alike.
    """
    log_p = log_softmax(logits)
    right = take_along_axis(log_p, number[:, None], axis=1)[:, 0]                          # (b,)
    if other is not None and share is not None:
        right = share * right + (1 - share) * take_along_axis(log_p, other[:, None], axis=1)[:, 0]
    return -((1 - label_smoothing) * right + label_smoothing * log_p.mean(axis=1)).mean()


class Discriminate(Task):
    """Which picture is this a crop of?

    Parameters
    ----------
    model : Module
        (B, H, W, C) -> logits (B, n), for n training pictures.
    views, small_views : int
        V and S, how many crops of each picture a batch has.
    small_size : int
        The side of a small view in pixels.
    cutmix : float
        The alpha of CutMix between the whole views, 0 for none.
    label_smoothing : float
        The share of the target that all training pictures get alike.
    """

    shown = "accuracy"
    # for two CPU cores and fifteen minutes
    defaults = {"pictures": 2040, "batch_size": 64, "optimiser": "adamw", "lr": 1e-3, "average": None,
                "minutes": 15.0, "augmentation": [
                    ("random_resized_crop", {"scale": (0.2, 1.0), "mode": "bicubic"}),
                    ("colour_jitter", {"probability": 0.8}), ("random_grey", {"probability": 0.2}),
                    ("random_flip", {})]}

    def __init__(self, model: Module, *, views: int = 2, small_views: int = 4, small_size: int = 16,
                 cutmix: float = 1.0, label_smoothing: float = 0.1) -> None:
        for name, value, low in (("views", views, 1), ("small_views", small_views, 0), ("small_size", small_size, 1)):
            expect_whole(name, value, low)
        expect_number("cutmix", cutmix, 0)
        expect_number("label_smoothing", label_smoothing, 0, 1)
        self.model, self.views, self.small_views, self.cutmix = model, views, small_views, cutmix
        self.objective = partial(instance_loss, label_smoothing=label_smoothing)
        self.cut_small = partial(data.random_resized_crop, size=small_size, scale=(0.3, 0.7), mode="bicubic")

    @classmethod
    def settings_from(cls, about_data: dict[str, Any]) -> dict[str, Any]:
        """As many classes as there are training pictures."""
        return {"count": about_data["pictures"][0]}

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], **settings: Any) -> Self:
        """With a logit for each of `count` training pictures; see `Task.build`."""
        return cls(make_model(num_classes=settings.pop("count")), **settings)

    @property
    def backbone(self) -> Module:
        """The model; its head knows the training pictures, and no classes."""
        return self.model

    def plateaus(self, batch: int) -> dict[str, float]:
        """ln n, where no picture is liker than another."""
        n = self.model.head.weight.shape[1]
        return {f"ln {n}, every training picture equally likely": math.log(n)}

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """The numbers of the pictures (B,); whole views (B, V, H, W, C), the numbers of what is pasted into them (B, V)
        and the shares that are left of themselves (B, V); small views (B, S, h, w, C)."""
        xp = array_module(samples.images)
        whole = [self.mixed(samples.view(chosen, rng), chosen, rng) for _ in range(self.views)]
        images, others, shares = (xp.stack(parts, axis=1) for parts in zip(*whole, strict=True))
        if not self.small_views:
            return chosen, images, others, shares
        small = [samples.view(chosen, rng, [*samples.steps, self.cut_small]) for _ in range(self.small_views)]
        return chosen, images, others, shares, xp.stack(small, axis=1)

    def mixed(self, images: Array, chosen: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
        """Views with a rectangle of another, whose numbers those are, and the share that is left of each."""
        xp, B = array_module(images), len(images)
        shares = xp.eye(B, dtype=np.float32)                                               # of picture j in view i
        if self.cutmix:
            images, shares = data.cutmix(images, shares, rng, alpha=self.cutmix)
        own = shares.diagonal()
        return images, chosen[(shares - xp.eye(B) * own).argmax(axis=1)], own

    def loss(self, number: Array, images: Array, others: Array, shares: Array,
             small: Array | None = None) -> tuple[Tensor, dict[str, Any]]:
        """The mean over all views, and how often the picture is named that fills most of a view."""
        xp, V, S = array_module(images), self.views, self.small_views
        logits = self.model(Tensor.without_copy(images.reshape(-1, *images.shape[2:])))    # (b V, n)
        of_view = xp.repeat(number, V)
        loss = V * self.objective(logits, of_view, others.reshape(-1), shares.reshape(-1))
        most = xp.where(shares.reshape(-1) >= 0.5, of_view, others.reshape(-1))            # (b V,)
        numbers = {"accuracy": (logits.data.argmax(axis=1) == most).mean()}
        if small is not None:
            logits = self.model(Tensor.without_copy(small.reshape(-1, *small.shape[2:])))  # (b S, n)
            loss = loss + S * self.objective(logits, xp.repeat(number, S))
        return loss / (V + S), numbers

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """The classes of test pictures by their neighbours, where there are labels; they are none of the n."""
        return knn_accuracy(self.model, samples, over)

    def pictures(self, samples: Samples, chosen: Any) -> dict[str, np.ndarray]:
        """Pictures, and what the model finds alike in them."""
        return likeness(self.model, samples, chosen)


TASK = Discriminate
