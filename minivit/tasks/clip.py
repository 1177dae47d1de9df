"""Learning from pictures and their sentences, and naming what was never named.  CLIP, Radford et al., arXiv:2103.00020.

Every picture of a batch is asked which of the batch's sentences is its own, and every sentence which picture
(figure 3). That is two classifications with as many classes as there are pairs in the batch, and it needs no labels.

    B batch    L words    E of the common space
    pictures (B, H, W, C), sentences (B, L) -> exp(t) cosines (B, B) -> the mean of two cross-entropies ()

Two pictures of a batch that have the same sentence count as apart, as in the paper: in the built-in scenes that happens
to pictures with one object. After every step t is cut off at ln 100 (section 2.4).

What was learned shows in zero-shot classification (section 3.1): of the built-in scenes, the pictures with one object
are compared with all 108 sentences of one object, `scenes_unseen` has those of which no combination of colour and shape
was in any picture or sentence before:

    python -m minivit train clip --out runs/clip
    python -m minivit evaluate runs/clip --data scenes_unseen

Departures from the paper: the whole sentence stands in for a template with the name of the class in it.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..data.drawing import Drawing
from ..data.samples import Samples
from ..data.scenes import WORDS, single_objects
from ..engine import Tensor, no_grad
from ..models.clip import CLIP, HIGHEST
from ..nn import Module
from ..ops import cross_entropy, gathered, softmax
from ..types import Array, Over
from ..words import END, in_numbers
from .task import Task

SMALL = {"common_dim": 64, "longest": 40, "text_dim": 64, "text_depth": 2, "text_heads": 4}  # for the built-in scenes


class Contrast(Task):
    """A CLIP and its loss.

    Parameters
    ----------
    model : CLIP
    words : sequence of str
        The vocabulary.
    """

    shown, needs = "accuracy", ("sentences",)
    # 36 tokens of scenes, 0.6 million parameters
    defaults = {"data": "scenes", "settings": {"dim": 96, "depth": 4, "patch_size": 8}, "batch_size": 128,
                "lr": 2e-3, "minutes": 15.0, "augmentation": [("random_flip", {})]}

    def __init__(self, model: CLIP, words: tuple[str, ...]) -> None:
        self.model, self.words = model, tuple(words)
        self.prompts, self.meant = single_objects() if self.words == WORDS else ([], np.zeros((0, 3), int))

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], *, words: tuple[str, ...] = (),
              **settings: Any) -> Self:
        """A CLIP of these words, whose tower of pictures is the model that the recipe names; see `Task.build`."""
        if not words:
            raise ValueError("clip: the data have no sentences; take --data scenes, or a folder with captions")
        return cls(CLIP(make_model, words=len(words), end=END, **SMALL | settings), words)

    @property
    def backbone(self) -> Module:
        """The tower of pictures."""
        return self.model.backbone

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """Pictures (B, H, W, C) float32, sentences (B, L) int64, and the place of each in the batch (B,)."""
        return *samples.described_view(chosen, rng), np.arange(len(chosen))

    def loss(self, images: Array, sentences: Array, place: Array) -> tuple[Tensor, dict[str, Any]]:
        """The mean of both cross-entropies, and how many of the pictures find their sentences, and the reverse."""
        seen, read = self.model.see(Tensor.without_copy(images)), self.model.read(sentences)    # (b, E) each
        of_images = self.model.compare(seen, gathered(read))                                    # (b, B)
        of_sentences = self.model.compare(read, gathered(seen))                                 # (b, B)
        loss = (cross_entropy(of_images, place) + cross_entropy(of_sentences, place)) / 2
        return loss, {"accuracy": (of_images.data.argmax(axis=-1) == place).mean(),
                      "of_sentences": (of_sentences.data.argmax(axis=-1) == place).mean()}

    def after_step(self, done: int, steps: int) -> None:
        """Keep the factor of the cosines below 100."""
        temperature = self.model.temperature.mutable()
        array_module(temperature).minimum(temperature, HIGHEST, out=temperature)

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """Loss and accuracies among the pictures of a batch of the test; of scenes, zero-shot accuracy as well.

        `zero_shot_accuracy` counts the pictures with one object whose sentence is found among all 108; `_of_pairs`
        those of which colour and shape are right. Chance is 1 / 108 and 1 / 36.
        """
        measured = super().test(samples, over)
        if not self.prompts or not hasattr(samples, "object_classes"):
            return measured
        classes, colours, places = (asnumpy(getattr(samples, f"object_{name}"))
                                    for name in ("classes", "colours", "places"))
        single = np.flatnonzero((classes >= 0).sum(axis=1) == 1)
        named = np.concatenate(over(lambda chosen: self.zero_shot(samples.view(chosen)).argmax(axis=1)))[single]
        right = self.meant[named] == np.stack([classes, colours, places], axis=-1)[single, 0]   # (n, 3)
        return measured | {"zero_shot_accuracy": float(right.all(axis=1).mean()),
                           "zero_shot_accuracy_of_pairs": float(right[:, :2].all(axis=1).mean())}

    def zero_shot(self, images: Array) -> np.ndarray:
        """How probable each sentence of one object is for each picture.    (B, H, W, C) -> (B, 108), on the host"""
        with no_grad():
            seen = self.model.see(Tensor.without_copy(images))
            read = self.model.read(to_device(in_numbers(self.prompts, self.words), seen.device))
            return asnumpy(softmax(self.model.compare(seen, read)).data)

    def pictures(self, samples: Samples, chosen: Any) -> dict[str, np.ndarray | Drawing]:
        """Pictures, and which sentence of one object is nearest to each; nothing for another vocabulary."""
        if not self.prompts:
            return {}
        images = samples.view(chosen)
        probabilities = self.zero_shot(images)
        texts = [f"{self.prompts[each.argmax()]} ({each.max():.0%})" for each in probabilities]
        return {"the nearest sentence": Drawing(samples.as_bytes(images), texts=texts)}


TASK = Contrast
