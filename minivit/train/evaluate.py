"""What a model makes of pictures that it has not been trained on."""

import threading

import numpy as np

from .. import data
from ..backend import asnumpy, to_device
from ..engine import Tensor, no_grad
from ..ops import cross_entropy
from .progress import progress_bar

BATCH = 250  # fixed, so that the result does not depend on the number of threads


def predict(model, images, *, threads, mean, std, device="cpu", progress=True):
    """The logits of every picture, computed in batches on all threads.

    Parameters
    ----------
    images : uint8 (N, H, W, 3)
    threads : Threads
    mean, std : array_like (3,)
        What pictures are normalised with.

    Returns
    -------
    float32 (N, classes)
    """
    model.eval()
    lock = threading.Lock()
    with progress_bar(len(images), "evaluate", leave=False, disable=not progress) as bar:

        def predict_batch(start):
            batch = data.normalise(to_device(images[start:start + BATCH], device), mean, std)
            with no_grad():
                logits = asnumpy(model(Tensor.without_copy(batch)).data)
            with lock:
                bar.update(len(batch))
            return logits

        return np.concatenate(threads.map(predict_batch, range(0, len(images), BATCH)))


def evaluate(model, dataset, **settings):
    """Mean cross-entropy, accuracy and confusion matrix on labelled pictures; the settings are those of `predict`.

    Row i, column j of the matrix counts the pictures of class i that were taken for class j.
    """
    logits, labels, classes = predict(model, dataset.images, **settings), dataset.labels, len(dataset.classes)
    confusion = np.bincount(labels * classes + logits.argmax(axis=1), minlength=classes ** 2)
    confusion = confusion.reshape(classes, classes)                 # (classes^2,) -> (classes, classes)
    return cross_entropy(logits, labels).item(), float(confusion.trace() / len(labels)), confusion
