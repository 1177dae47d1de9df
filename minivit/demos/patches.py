"""Patches: what a Vision Transformer still knows when pieces of a picture change places, with positions and without.

Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, equation 1. The model's patches have 4 x 4 pixels. It was trained with
positions; "without" means that they are set to 0 in the same model.
"""

from copy import deepcopy

import numpy as np

from ..engine import no_grad
from ..ops import softmax
from . import samples

TITLE = "Without positions, a ViT sees a bag of patches"
LOOK_FOR = "what the answer does when pieces change places: without positions it stays, but for one size of the pieces."
QUESTION = "The model's patches are 4 pixels wide. Why do smaller pieces change its answer even without positions?"
SIZES = (2, 4, 8, 16)  # of the pieces
ORDERS = 8  # of the pieces of each size; the first is the real one


def data():
    """The orders, and what the classifier says of each picture in each of them, with its positions and without."""
    pictures, vit, rng = samples.pictures(), samples.classifier(), np.random.default_rng(0)
    orders = [orders_of((32 // size) ** 2, rng) for size in SIZES]
    shuffled = np.stack([[rearranged(pictures, order) for order in some] for some in orders])  # (sizes, orders, B, ...)
    images = vit.normalise(shuffled.reshape(-1, 32, 32, 3))
    answers = np.stack([probabilities(model, images) for model in (without_positions(vit.model), vit.model)])
    return {"pictures": pictures, "names": samples.NAMES, "classes": vit.classes, "sizes": SIZES,
            "orders": [some.astype(np.int16) for some in orders],
            "answers": answers.reshape(2, *shuffled.shape[:3], -1)}  # (2, sizes, orders, B, K)


def orders_of(count, rng):
    """Which piece stands at which place: in the real order first, then shuffled.    -> (ORDERS, count)"""
    return np.stack([np.arange(count)] + [rng.permutation(count) for _ in range(ORDERS - 1)])


def rearranged(pictures, order):
    """Pictures cut into square pieces, which are put together in another order.    (B, 32, 32, 3) -> (B, 32, 32, 3)"""
    side = round(len(order) ** 0.5)
    size = 32 // side
    pieces = pictures.reshape(-1, side, size, side, size, 3).swapaxes(2, 3)         # (B, side, side, size, size, 3)
    pieces = pieces.reshape(-1, len(order), size, size, 3)[:, order]                # (B, side * side, size, size, 3)
    return pieces.reshape(-1, side, side, size, size, 3).swapaxes(2, 3).reshape(-1, 32, 32, 3)  # (B, 32, 32, 3)


def without_positions(model):
    """A copy of a model that is not told where its patches were."""
    model = deepcopy(model)
    model.positions.data = np.zeros(model.positions.shape)
    return model


def probabilities(model, images):
    """softmax of the logits.    (B, 32, 32, 3) -> float32 (B, K)"""
    with no_grad():
        return softmax(model(images)).numpy()
