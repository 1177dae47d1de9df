"""An Empirical Study of Training Self-Supervised Vision Transformers (MoCo v3).  Chen et al., ICCV 2021, 2104.02057.

Two views are cut out of every picture, and the encoder is to tell which view of the batch belongs to which. One view is
encoded by the encoder that learns, the other by a slow average of it, so that what is aimed at does not jump. A ViT
trains without spikes when its patch projection stays as it was drawn (section 4.2).

    B pictures of the batch    D width of the encoder    h hidden width    d length of a code    tau temperature
    view 1, view 2 (B, H, W, 3) -> vectors (B, D) -> projected (B, d) -> predicted: queries q1, q2 (B, d)
                                -> by the momentum encoder, projected: keys k1, k2 (B, d) -> loss ()

Departures from the paper: both views are drawn alike, by the recipe's augmentation, which blurs and inverts a view with
the mean of the probabilities that the authors have for the first view and for the second; the encoder's own weights are
drawn as the model's file draws them, and its fixed positions name the column first.
"""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ..data.samples import Samples
from ..engine import Tensor, no_grad
from ..nn import BatchNorm2d, Linear, Module, PatchEmbed
from ..ops import cross_entropy, gathered, l2_normalise, relu
from ..settings import expect_number
from ..types import Array, Over
from .mae import fixed_positions
from .task import Task, follow, freeze, knn_accuracy, likeness, slow_copy


class Projector(Module):
    """Linear maps without bias, each normalised over the batch, with ReLU in between; the last norm has no parameters.

    (B, widths[0]) -> (B, widths[-1])    Section 5, "MLP heads".
    """

    def __init__(self, *widths: int) -> None:
        self.layers = [Linear(*pair, bias=False) for pair in zip(widths[:-1], widths[1:], strict=True)]
        self.norms = [BatchNorm2d(width) for width in widths[1:-1]]
        self.norms.append(BatchNorm2d(widths[-1], weight=False, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(B, widths[0]) -> (B, widths[-1])"""
        for layer, norm in zip(self.layers[:-1], self.norms[:-1], strict=True):
            x = relu(norm(layer(x)))
        return self.norms[-1](self.layers[-1](x))


def contrastive_loss(queries: Tensor, keys: Tensor, place: Array, temperature: float) -> tuple[Tensor, Array]:
    """InfoNCE: a query is to be most like the key of its own picture among those of the whole batch (equation 1).

        L = -2 tau log(exp(q . k+ / tau) / sum_j exp(q . k_j / tau)),    q and k of length 1

    The factor 2 tau (algorithm 1) keeps the gradient from growing as tau falls.

    Parameters
    ----------
    queries, keys : (b, d)
        Of this member's share of the batch.
    place : int (b,)
        The places of these pictures in the whole batch.

    Returns
    -------
    loss : Tensor ()
        The mean over the share.
    right : bool (b,)
        Whether the likest key is that of the same picture.
    """
    logits = l2_normalise(queries) @ gathered(l2_normalise(keys)).T / temperature          # (b, B)
    return 2 * temperature * cross_entropy(logits, place), logits.data.argmax(axis=1) == place


class MoCo(Task):
    """A student that predicts what its own slow average makes of the other view.

    Parameters
    ----------
    encoder : Module
        (B, H, W, C) -> (B, outputs), with a `head` of one linear map, in whose place the projector comes.
    hidden, dim : int
        h and d.
    temperature : float
        tau.
    momentum : float
        The share of the old average at the first step; it rises to 1 by half a cosine. With 0, keys come from the
        encoder itself.
    freeze_patches : bool
        Whether the patch projection of a ViT stays as it is drawn.
    """

    shown = "accuracy"
    # for two CPU cores and fifteen minutes; the pipeline is BYOL's (arXiv:2006.07733, appendix B) for small pictures
    defaults = {"batch_size": 128, "optimiser": "adamw", "lr": 1.5e-3, "weight_decay": 0.1, "average": None,
                "minutes": 15.0, "settings": {"dim": 96, "heads": 3}, "augmentation": [
                    ("random_resized_crop", {"scale": (0.2, 1.0), "mode": "bicubic"}),
                    ("colour_jitter", {"probability": 0.8, "saturation": 0.2}), ("random_grey", {"probability": 0.2}),
                    ("random_blur", {"probability": 0.55, "sigma": (0.1, 1.0)}),
                    ("random_solarize", {"probability": 0.1}), ("random_flip", {})]}

    def __init__(self, encoder: Module, *, hidden: int = 256, dim: int = 64, temperature: float = 0.2,
                 momentum: float = 0.99, freeze_patches: bool = True) -> None:
        expect_number("temperature", temperature, 0, above=True)
        expect_number("momentum", momentum, 0, 1)
        if not isinstance(getattr(encoder, "head", None), Linear):
            raise ValueError("moco: needs a model whose head is one linear map, as vit has it; this is a "
                             f"{type(encoder).__name__}")
        self.encoder, self.dim, self.temperature, self.momentum = encoder, dim, temperature, momentum
        if isinstance(getattr(encoder, "patch_embed", None), PatchEmbed):
            if freeze_patches:
                freeze(encoder.patch_embed)
            patches, (_, placed, width) = math.prod(encoder.grid), encoder.positions.shape
            encoder.positions = fixed_positions(encoder.grid, placed - patches, width)
        encoder.head = Projector(encoder.head.weight.shape[0], hidden, hidden, dim)
        self.predictor = Projector(dim, hidden, dim)
        self.momentum_encoder = slow_copy(encoder)

    @classmethod
    def build(cls, make_model: Callable[..., Module], classes: tuple[str, ...], **settings: Any) -> Self:
        """A model whose head is going to be replaced; see `Task.build`."""
        return cls(make_model(num_classes=1), **settings)

    @property
    def backbone(self) -> Module:
        """The encoder that learns, with the projector as its head, as the authors test it."""
        return self.encoder

    def plateaus(self, batch: int) -> dict[str, float]:
        """Two terms of 2 tau ln B, where no view is liker than another."""
        chance = 4 * self.temperature * math.log(batch)
        return {f"4 tau ln {batch}, every picture of the batch equally likely": chance}

    def batch(self, samples: Samples, chosen: Array, rng: np.random.Generator) -> tuple[Array, ...]:
        """Two views (B, H, W, C) of each picture, and its place in the batch (B,)."""
        return samples.view(chosen, rng), samples.view(chosen, rng), np.arange(len(chosen))

    def loss(self, one: Array, two: Array, place: Array) -> tuple[Tensor, dict[str, Any]]:
        """The symmetrised loss, how often the right picture is found, and how far keys spread: 0 if all are alike."""
        views = [Tensor.without_copy(view) for view in (one, two)]
        q1, q2 = (self.predictor(self.encoder(view)) for view in views)                    # (b, d) each
        with no_grad():
            k1, k2 = (self.momentum_encoder(view) for view in views)
            spread = l2_normalise(gathered(k1)).data.std(axis=0).mean() * math.sqrt(self.dim)
        (loss1, right1), (loss2, right2) = (contrastive_loss(queries, keys, place, self.temperature)
                                            for queries, keys in ((q1, k2), (q2, k1)))
        return loss1 + loss2, {"accuracy": (right1.mean() + right2.mean()) / 2, "spread": spread}

    def after_step(self, done: int, steps: int) -> None:
        """The average follows; its momentum rises from `momentum` to 1: see `momentum_at`."""
        follow(self.momentum_encoder, self.encoder, momentum_at(done, steps, self.momentum))

    def test(self, samples: Samples, over: Over) -> dict[str, Any]:
        """The classes by their neighbours; without labels the loss, of pictures that are both views."""
        return knn_accuracy(self.encoder, samples, over) or super().test(samples, over)

    def pictures(self, samples: Samples, chosen: Any) -> dict[str, np.ndarray]:
        """Pictures, and what the encoder finds alike in them."""
        return likeness(self.encoder, samples, chosen)


def momentum_at(done: int, steps: int, first: float) -> float:
    """1 - (1 - first) (1 + cos(pi done / steps)) / 2, as in BYOL and in the authors' code: `first`, at last 1."""
    return 1 - (1 - first) * (1 + math.cos(math.pi * done / steps)) / 2


TASK = MoCo
