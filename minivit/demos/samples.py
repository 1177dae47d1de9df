"""The pictures that several demos show, and the classifier that looks at them."""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..engine import no_grad
from ..models import create

FILE = Path(__file__).with_name("pictures.png")  # side by side, from the test set of CIFAR-10
NAMES = ("airplane", "bird", "automobile", "cat", "dog", "frog", "horse", "truck")


def pictures():
    """Eight pictures of CIFAR-10 that no model here was trained on.    -> uint8 (8, 32, 32, 3)"""
    with Image.open(FILE) as image:
        strip = np.asarray(image)                                    # (32, 8 * 32, 3)
    return strip.reshape(32, len(NAMES), 32, 3).swapaxes(0, 1)       # (8, 32, 32, 3)


@cache
def classifier():
    """For now, until lessons/weights holds a trained model: initial weights, with a head of larger values."""
    from types import SimpleNamespace

    from ..data import normalise
    model = create("vit").eval()
    model.head.weight.data = 30 * model.head.weight.data
    return SimpleNamespace(model=model, normalise=lambda images: normalise(images, (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)),
                           classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"))


def logits(images):
    """What the classifier says.    uint8 (B, 32, 32, 3) -> float32 (B, 10)"""
    vit = classifier()
    with no_grad():
        return vit.model(vit.normalise(images)).numpy()
