"""The pictures that several demos show, and the classifier that looks at them."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..engine import no_grad
from ..lessons.weights import trained

FILE = Path(__file__).with_name("pictures.png")  # side by side, from the test set of CIFAR-10
NAMES = ("airplane", "bird", "automobile", "cat", "dog", "frog", "horse", "truck")


def pictures():
    """Eight pictures of CIFAR-10 that no model here was trained on.    -> uint8 (8, 32, 32, 3)"""
    with Image.open(FILE) as image:
        strip = np.asarray(image)                                    # (32, 8 * 32, 3)
    return strip.reshape(32, len(NAMES), 32, 3).swapaxes(0, 1)       # (8, 32, 32, 3)


@cache
def classifier():
    """The Vision Transformer that looks at the pictures, with the mean and the deviation of what it was trained on."""
    return trained("vit_15min")


def logits(images):
    """What the classifier says.    uint8 (B, 32, 32, 3) -> float32 (B, 10)"""
    vit = classifier()
    with no_grad():
        return vit.model(vit.normalise(images)).numpy()
