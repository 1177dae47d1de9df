"""Classification: every picture has one label, and the model is to name it.

A batch may be mixed: mixup and CutMix give a picture the labels of two, in shares.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import data
from ..data.samples import Samples
from ..engine import Tensor
from ..nn.module import Module
from ..ops import cross_entropy
from ..types import Array, Over
from .task import Task


class Classify(Task):
    """The cross-entropy between logits and labels.

    Parameters
    ----------
    model : Module
        (B, H, W, C) -> logits (B, K), or a tuple of them: each head learns the labels, and their mean predicts.
    mixup, cutmix : float
        Their alpha, 0 for none. With both, each batch gets one of them by chance.
    label_smoothing : float
        The share of the target that all classes get alike.
    """

    shown = "accuracy"
    needs = ("labels",)

    def __init__(self, model: Module, *, mixup: float = 0.0, cutmix: float = 0.0, label_smoothing: float = 0.0) -> None:
        for name, alpha in [("mixup", mixup), ("cutmix", cutmix)]:
            if not 0 <= alpha < float("inf"):
                raise ValueError(f"{name}: expected a number of at least 0, got {alpha}")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing: expected 0 <= label_smoothing < 1, got {label_smoothing}")
        self.model, self.label_smoothing = model, label_smoothing
        self.mixing = [(mix, alpha) for mix, alpha in [(data.mixup, mixup), (data.cutmix, cutmix)] if alpha]

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], **settings: Any) -> Self:
        """A model with a logit for each class; see `Task.build`."""
        if not classes:
            raise ValueError("classify: the data have no labels; take a task that needs none, as `train mae`")
        return cls(make_model(num_classes=len(classes)), **settings)

    def initialise(self, seed: int) -> Self:
        """Draw the model's weights; they are those of the same model alone."""
        self.model.initialise(seed)
        return self

    @property
    def backbone(self) -> Module:
        """The model itself."""
        return self.model

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """Pictures (B, H, W, C) float32; labels (B,) int64, or where they are mixed (B, K) float32."""
        images, labels = samples.view(chosen, rng), samples.labels[chosen]
        if not self.mixing:
            return images, labels
        mix, alpha = self.mixing[rng.integers(len(self.mixing))]
        return mix(images, data.one_hot(labels, len(samples.classes)), rng, alpha=alpha)

    def loss(self, images: Array, targets: Array) -> tuple[Tensor, dict[str, Any]]:
        """The mean cross-entropy, and the share of the pictures whose largest logit is that of the label."""
        outputs = self.model(Tensor.without_copy(images))
        heads = outputs if isinstance(outputs, tuple) else (outputs,)
        loss = sum(cross_entropy(logits, targets, label_smoothing=self.label_smoothing) for logits in heads)
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        predicted = sum(logits.data for logits in heads).argmax(axis=1)
        return loss / len(heads), {"accuracy": (predicted == labels).mean()}

    def logits(self, samples: Samples, over: Over) -> np.ndarray:
        """The logits of all pictures.    -> (N, K) float32, in host memory"""
        return np.concatenate(over(lambda chosen: self.model(Tensor.without_copy(samples.view(chosen))).numpy()))

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """Mean cross-entropy, accuracy, and confusion: row i, column j counts the pictures of class i taken for j."""
        logits, labels, classes = self.logits(samples, over), samples.host_labels, len(samples.classes)
        if logits.shape[1] != classes:
            raise ValueError(f"model: has {logits.shape[1]} logits, but {samples.name} has {classes} classes")
        pairs = labels * classes + logits.argmax(axis=1)
        confusion = np.bincount(pairs, minlength=classes ** 2).reshape(classes, classes)  # (K^2,) -> (K, K)
        return {"loss": cross_entropy(logits, labels).item(), "accuracy": float(confusion.trace() / len(labels)),
                "confusion": confusion.tolist()}


class Objective(Classify):
    """A model with a loss of one's own, for a notebook: objective(images, targets) as `Task.loss` returns it."""

    def __init__(self, model: Module, objective: Callable, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.objective = objective

    def loss(self, images: Array, targets: Array) -> tuple[Tensor, dict[str, Any]]:
        """What the objective says; a loss alone will do."""
        result = self.objective(images, targets)
        return result if isinstance(result, tuple) else (result, {})


TASK = Classify
