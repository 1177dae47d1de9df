"""What is compared with the official implementations, and our side of the comparison."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minivit import Tensor, grad
from minivit.interop import from_official
from minivit.interop.official.facts import apply
from minivit.interop.translate import rename, to_official
from minivit.ops import cross_entropy
from tests.golden.draw import draw, draw_all, labels, pictures

# what transformers' models have, and ours do not by default
FACTS = {"timm": {}, "transformers": {"antialias": False}}


@dataclass
class Case:
    """A model, pictures, and the library to compare with.

    Parameters
    ----------
    model, note : str
        The row of the parity table that the comparison belongs to, and what is special about it.
    library : str
        "timm" or "transformers".
    make : callable
        Our model, make(**settings).
    settings : dict
        Small sizes.
    pixels : (int, int)
        Height and width of the pictures.
    official, forward : dict
        Settings of the official model and of its forward pass that ours does not need.
    facts : dict
        What is no argument of our constructors, as in minivit.interop.official.facts.
    """

    model: str
    note: str
    library: str
    make: Callable
    settings: dict
    pixels: tuple
    batch: int = 2
    training: bool = False
    seed: int = 0
    official: dict = field(default_factory=dict)
    forward: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)

    def __str__(self):
        return f"{self.model} {self.note} {self.library}".replace(",", "").replace(" ", "-").lower()

    @property
    def classes(self):
        """The number of logits."""
        return self.settings.get("num_classes", 0)

    def build(self, dtype, shapes=None):
        """Our model with drawn weights; `shapes` are the official ones, by default those that we would write."""
        model = apply(self.make(**self.settings), FACTS[self.library] | self.facts).astype(dtype)
        shapes = shapes or {name: x.shape for name, x in to_official(model, self.library).items()}
        return from_official(model, draw_all(shapes, self.seed)).train(self.training)

    def inputs(self, dtype):
        """Pictures (B, height, width, C) and labels (B,)."""
        channels = self.settings.get("channels", 3)
        images = pictures(self.batch, *self.pixels, channels, self.seed).astype(dtype)
        return images, labels(self.batch, self.classes or 4)

    def run(self, model, images, targets):
        """Outputs and losses of our model: lists of Tensors."""
        outputs = model(images)
        outputs = list(outputs) if isinstance(outputs, tuple) else [outputs]
        return outputs, [cross_entropy(output, targets) for output in outputs]

    def results(self, model, dtype):
        """[outputs and losses], {official name: gradient of the sum of the losses}; also with respect to "pictures"."""
        images, targets = self.inputs(dtype)
        images = Tensor(images, requires_grad=True)
        outputs, losses = self.run(model, images, targets)
        names, parameters = zip(*model.named_parameters(), strict=True)
        *gradients, dx = grad(sum(losses), [*parameters, images])
        gradients = rename(model, dict(zip(names, gradients, strict=True)), self.library) | {"pictures": dx}
        return [x.numpy() for x in outputs + losses], gradients


class MaskedCase(Case):
    """A masked autoencoder: prediction and loss are compared. What is hidden is drawn by name."""

    def noise(self):
        """Small where a patch stays visible.    (B, N) float64"""
        rows, columns = (pixels // self.settings["patch_size"] for pixels in self.pixels)
        return draw("noise", (self.batch, rows * columns))

    def run(self, model, images, targets):
        """The prediction, and the loss."""
        rank = self.noise().argsort(axis=1).argsort(axis=1)
        mask = rank >= int(rank.shape[1] * (1 - model.mask_ratio))
        prediction, hidden = model.predict(images, mask)
        np.testing.assert_array_equal(hidden, mask)
        return [prediction], [model(images, mask)]


def along(name, gradient):
    """A gradient's product with a direction that is drawn by name, and the length of that direction."""
    direction = draw(f"direction of {name}", gradient.shape)
    return float((gradient * direction).sum()), np.linalg.norm(direction)


def relative(x, reference):
    """max |x - reference| / max |reference|"""
    x, reference = np.asarray(x), np.asarray(reference)
    assert x.shape == reference.shape
    return np.abs(x - reference).max() / np.abs(reference).max()
