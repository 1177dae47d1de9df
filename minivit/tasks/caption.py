"""Captioning: a sentence that says what a picture shows.

The model (`minivit.models.captioner`) learns every next word of a true sentence, given the picture and the words
before it: the cross-entropy of all words of the batch, <end> among them, without the padding. Were padding learned as
well, most of the loss would be won by saying nothing.

    B batch    L words    V words of the vocabulary
    pictures (B, H, W, C), sentences (B, L) -> logits of the words 2 .. L (B, L - 1, V) -> loss ()

What is measured beside the loss is the share of the pictures whose own sentence, written word by word, is right to the
last word: in the built-in scenes there is one right sentence for each picture. Mirrored pictures get mirrored
sentences, left for right.

Departures: none; Vaswani et al., arXiv:1706.03762, also smooth the labels.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ..backend import asnumpy
from ..data.drawing import Drawing
from ..data.samples import Samples
from ..engine import Tensor
from ..models.captioner import Captioner
from ..nn import Module
from ..ops import cross_entropy
from ..ops.checks import whole
from ..types import Array, Over
from ..words import PAD, in_words
from .task import Task, share_of_mean


class Caption(Task):
    """A Captioner and its loss.

    Parameters
    ----------
    model : Captioner
    words : sequence of str
        The vocabulary.
    beams : int
        Of the search, where sentences are written; 1 takes the most probable word each time.
    """

    shown, needs = "word_accuracy", ("sentences",)
    # 36 tokens of scenes, 0.8 million parameters; writing sentences takes longer than learning from them
    defaults = {"data": "scenes", "settings": {"dim": 96, "depth": 4, "patch_size": 8}, "batch_size": 64, "lr": 2e-3,
                "minutes": 15.0, "evaluations": 3, "evaluation_size": 250, "augmentation": [("random_flip", {})]}

    def __init__(self, model: Captioner, words: tuple[str, ...], *, beams: int = 1) -> None:
        self.model, self.words, self.beams = model, tuple(words), whole("caption", "beams", beams)

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], *, words: tuple[str, ...] = (),
              beams: int = 1, **settings: Any) -> Self:
        """A Captioner of these words, its settings given, on the model that the recipe names; see `Task.build`."""
        if not words:
            raise ValueError("caption: the data have no sentences; take --data scenes, or a folder with captions")
        return cls(Captioner(make_model, words=len(words), **settings), words, beams=beams)

    @property
    def backbone(self) -> Module:
        """What looks at the picture."""
        return self.model.backbone

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """Pictures (B, H, W, C) float32, sentences (B, L) int64."""
        return samples.described_view(chosen, rng)

    def loss(self, images: Array, sentences: Array) -> tuple[Tensor, dict[str, Any]]:
        """The mean cross-entropy of the batch's words, and the share of them that are the most probable ones."""
        known, right = sentences[:, :-1], sentences[:, 1:]                       # (B, L - 1) each
        scale = share_of_mean(right != PAD).astype(images.dtype)
        logits = self.model(Tensor.without_copy(images), known)                  # (B, L - 1, V)
        loss = cross_entropy(logits, right, ignore_index=PAD, reduction="sum") * scale
        hits = (logits.data.argmax(axis=-1) == right) & (right != PAD)
        return loss, {"word_accuracy": hits.sum() * scale}

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """Cross-entropy and accuracy of words, and exact sentences; as a table, these by the number of words."""
        def measure(chosen):
            images, sentences = samples.described_view(chosen)
            right = sentences[:, 1:]
            logits = self.model(Tensor.without_copy(images), sentences[:, :-1])
            loss = cross_entropy(logits, right, ignore_index=PAD, reduction="sum").item()
            hits = int(((logits.data.argmax(axis=-1) == right) & (right != PAD)).sum())
            truth = asnumpy(sentences)
            return loss, hits, (truth != PAD).sum(axis=1) - 2, same_sentences(self.write(images), truth)
        losses, hits, words, same = zip(*over(measure), strict=True)
        lengths, exact = np.concatenate(words), np.concatenate(same)             # (N,), (N,)
        count = int((lengths + 1).sum())                                         # <end> is a word here
        return {"loss": sum(losses) / count, "word_accuracy": sum(hits) / count,
                "sentence_accuracy": float(exact.mean()),
                "exact": [[f"{length} words", float(exact[lengths == length].mean())]
                          for length in np.unique(lengths)]}

    def write(self, images: Array) -> np.ndarray:
        """The model's own sentences.    (B, H, W, C) -> int (B, L), on the host"""
        images = Tensor.without_copy(images)
        return self.model.greedy(images) if self.beams == 1 else self.model.beam(images, self.beams)

    def pictures(self, samples: Samples, chosen: Any) -> dict[str, np.ndarray | Drawing]:
        """Pictures with their sentences, as far as these are known, and with the model's own."""
        images = samples.view(chosen)
        shown = samples.as_bytes(images)
        rows: dict[str, np.ndarray | Drawing] = {}
        if hasattr(samples, "sentences"):
            rows["a true sentence"] = self.drawn(shown, asnumpy(samples.sentences[chosen]))
        return rows | {"the model's sentence": self.drawn(shown, self.write(images))}

    def drawn(self, images: np.ndarray, sentences: np.ndarray) -> Drawing:
        """Sentences below their pictures."""
        return Drawing(images, texts=[in_words(sentence, self.words) for sentence in sentences])


def same_sentences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which sentences are the same to the last word, however much padding follows.    (B, L), (B, L') -> bool (B,)"""
    length = max(one.shape[1], other.shape[1])
    one, other = (np.pad(each, ((0, 0), (0, length - each.shape[1])), constant_values=PAD) for each in (one, other))
    return (one == other).all(axis=1)


TASK = Caption
