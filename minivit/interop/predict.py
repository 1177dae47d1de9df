"""What a loaded model says about a picture."""

from dataclasses import dataclass

import numpy as np

from ..backend import asnumpy, to_device
from ..engine import no_grad
from ..nn import evaluating
from ..ops import softmax
from ..settings import expect_whole
from .preprocessing import Preprocessing


@dataclass(frozen=True)
class Pretrained:
    """What comes with a model's weights, `model.pretrained`.

    Parameters
    ----------
    name : str
        Where the weights are from.
    preprocessing : Preprocessing
        From a picture to what the model was trained to see.
    classes : tuple of str, or None
        The names of the classes, in the order of the logits; None if they are not known, empty if there is no head.
    """

    name: str
    preprocessing: Preprocessing
    classes: tuple | None = None


class Prepared:
    """The pictures of a data set as a loaded model was trained to see them: what `data.Samples` is for a run.

    Parameters
    ----------
    dataset : Dataset
    preprocessing : Preprocessing
        `model.pretrained.preprocessing`; each picture is resized when it is asked for.
    device : str
        "cpu" or "cuda".
    """

    def __init__(self, dataset, *, preprocessing, device="cpu"):
        self.name, self.classes, self.images = dataset.name, dataset.classes, dataset.images
        self.preprocessing, self.device = preprocessing, device
        if dataset.labels is not None:
            self.labels = self.host_labels = dataset.labels

    def __len__(self):
        return len(self.images)

    def view(self, chosen):
        """-> float32 (B, height, width, 3)"""
        return to_device(np.stack([self.preprocessing(image) for image in self.images[asnumpy(chosen)]]), self.device)


def predict_classes(model, image, top=5):
    """The most probable classes of a picture.

    Parameters
    ----------
    model : Module
        That `minivit.load` has returned.
    image : path, PIL.Image or uint8 array (height, width, 3)
        As `data.read_picture` takes it.
    top : int
        How many classes; of fewer, all.

    Returns
    -------
    list of (str, float)
        Name (or number) and probability, the most probable class first.
    """
    expect_whole("top", top, 1)
    if not hasattr(model, "pretrained"):
        raise ValueError("predict_classes: expected a model that minivit.load has returned; this one has no "
                         "preprocessing (model.pretrained)")
    classes = model.pretrained.classes
    if classes == ():
        raise ValueError(f"{model.pretrained.name}: has no head that tells classes apart")
    pixels = to_device(model.pretrained.preprocessing(image)[None], model.parameters()[0].device)  # (1, H, W, 3)
    with no_grad(), evaluating(model):
        logits = model(pixels)
    probabilities = softmax(logits).numpy()[0]
    if classes and len(classes) != len(probabilities):
        raise ValueError(f"{model.pretrained.name}: {len(classes)} names of classes for {len(probabilities)} outputs")
    best = np.argsort(-probabilities)[:top]
    return [(classes[k] if classes else f"class {k}", float(probabilities[k])) for k in best]
