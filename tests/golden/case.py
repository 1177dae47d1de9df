"""What is compared with the official implementations, and both sides of the comparison."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from minivit import Tensor, grad
from minivit.interop import from_official, to_official
from minivit.interop.translate import rename
from minivit.ops import cross_entropy
from tests.golden.draw import draw, draw_all, labels, pictures
from tests.known import as_library_has_it


@dataclass
class Case:
    """A model, pictures, and the library to compare with.

    Parameters
    ----------
    model, note : str
        The row of the parity table that the comparison belongs to, and what is special about it.
    library : str
        "timm" or "transformers"; or "authors", whose code ran elsewhere: `source` names the repository and its commit,
        and only the stored results are compared.
    make : callable
        Our model, make(**settings).
    settings : dict
        Small sizes. What the library always has (the `always` of its configuration) is added.
    pixels : (int, int)
        Height and width of the pictures.
    golden : bool
        Whether the results are stored in this folder, for those who have no PyTorch.
    reference : callable
        Builds the official model, where what we write into config.json does not do it: reference(timm), with the
        library as argument. For "authors" it imports from their repository, and gets None.
    official, forward : dict
        Settings of the official model and of its forward pass that ours does not need.
    outputs : callable
        From what the official model returns to a tensor, or a list of them, in our layout; by default its logits.
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
    golden: bool = False
    reference: Callable | None = None
    official: dict = field(default_factory=dict)
    forward: dict = field(default_factory=dict)
    outputs: Callable | None = None
    source: str = ""

    def __str__(self):
        return f"{self.model} {self.note} {self.library}".replace(",", "").replace(" ", "-").lower()

    @property
    def classes(self):
        """The number of logits."""
        return self.settings.get("num_classes", 0)

    def create(self):
        """Our model, with weights that are still to be drawn."""
        return as_library_has_it(self.make, self.settings, self.library)

    def build(self, dtype, shapes=None):
        """Our model with drawn weights; `shapes` are the official ones, by default those that we would write."""
        model = self.create().astype(dtype)
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
        outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
        return outputs, [cross_entropy(x, targets) if x.ndim == 2 else (x * self.direction(x)).mean() for x in outputs]

    def run_official(self, official, images, targets):
        """Outputs and losses of the official model: lists of torch's tensors."""
        from tests.parity.official import logits_of, torch, without_rounding
        with without_rounding(images.dtype):
            outputs = (self.outputs or logits_of)(official(images, **self.forward))
        outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
        return outputs, [torch.nn.functional.cross_entropy(x, targets) if x.ndim == 2
                         else (x * torch.from_numpy(self.direction(x))).mean() for x in outputs]

    def direction(self, output):
        """What the numbers of an output are weighted with, to one loss, where they are no logits of classes."""
        return draw("loss", (1, *output.shape), self.seed)[0].astype(str(output.dtype).rpartition(".")[2])

    def results(self, model, dtype):
        """[outputs and losses], {official name: gradient of the sum of the losses}; also with respect to "pictures"."""
        images, targets = self.inputs(dtype)
        images = Tensor(images, requires_grad=True)
        outputs, losses = self.run(model, images, targets)
        names, parameters = zip(*model.named_parameters(), strict=True)
        *gradients, dx = grad(sum(losses), [*parameters, images])
        gradients = rename(model, dict(zip(names, gradients, strict=True)), self.library) | {"pictures": dx}
        return [x.numpy() for x in outputs + losses], gradients


def along(name, gradient):
    """A gradient's product with a direction that is drawn by name, and the length of that direction."""
    direction = draw(f"direction of {name}", gradient.shape)
    return float((gradient * direction).sum()), np.linalg.norm(direction)


def relative(x, reference):
    """max |x - reference| / max |reference|"""
    x, reference = np.asarray(x), np.asarray(reference)
    assert x.shape == reference.shape
    return np.abs(x - reference).max() / np.abs(reference).max()
