"""What an encoder knows without having been told: its vectors, fixed, and the simplest classifiers on them.

    knn     the nearest training pictures vote, by cosine: nothing is trained (see `minivit.data.features`)
    linear  one linear map, multinomial logistic regression on vectors whose every number has mean 0 and deviation 1

Whoever reports such a figure puts that of a random encoder beside it: vectors of an untrained network are far from
useless (`random_twin`).
"""

import copy
from typing import Any, Self

import numpy as np

from ..backend import asnumpy
from ..bars import bar
from ..blas import blas_threads
from ..data.features import nearest_class
from ..data.samples import Samples
from ..models import picture_vectors
from ..names import expect
from ..nn.module import Module
from ..settings import expect_number
from ..types import Array
from .measure import going_over
from .threads import Threads

PROBES = ("knn", "linear")


def probe(model: Module, train: Samples, test: Samples, threads: Threads, *, kind: str = "linear",
          progress: bool = True, **settings: Any) -> float:
    """The accuracy of a simple classifier on an encoder's vectors, the same each time.

    Parameters
    ----------
    model : Module
        With a `head`: its vectors are what the head reads.
    train, test : Samples
        With labels; of `test` is the accuracy.
    threads : Threads
    kind : "knn" or "linear"
    **settings
        Of `nearest_class` (k, temperature) or of `LinearProbe` (penalty, iterations).
    """
    expect("probe", kind, PROBES)
    for samples in (train, test):
        if not hasattr(samples, "labels"):
            raise ValueError(f"probe: {samples.name} has no labels, which say whether a class is right")
    known, queries = (vectors_of(model, samples, threads, progress=progress) for samples in (train, test))
    if kind == "knn":
        found = nearest_class(queries, known, train.host_labels, map=threads.map, **settings)
    else:
        found = LinearProbe(**settings).fit(known, train.host_labels, progress=progress).predict(queries)
    return float((found == test.host_labels).mean())


def vectors_of(model: Module, samples: Samples, threads: Threads, *, progress: bool = True) -> np.ndarray:
    """What the head of a model reads of every picture, in evaluation mode.    -> (N, D), in host memory"""
    with going_over(model, samples, threads, progress=progress) as over:
        return np.concatenate(over(lambda chosen: asnumpy(picture_vectors(model, samples.view(chosen)))))


def random_twin(model: Module, seed: int = 0) -> Module:
    """A model of the same architecture that has learned nothing: its weights are drawn anew."""
    return copy.deepcopy(model).initialise(seed)


class LinearProbe:
    """p = softmax(x W + b), where -mean log p(label) + penalty / 2 sum W^2 is as small as can be.

    The minimum is one; L-BFGS (Liu and Nocedal, 1989; SciPy's) walks to it, on one thread, so that it comes to the
    same place each time.

    Parameters
    ----------
    penalty : float
    iterations : int
        At most.
    """

    def __init__(self, *, penalty: float = 1e-3, iterations: int = 500) -> None:
        expect_number("LinearProbe: penalty", penalty, 0)
        self.penalty, self.iterations = penalty, iterations

    def fit(self, vectors: Array, labels: Array, *, progress: bool = False) -> Self:
        """(N, D), int (N,) -> self"""
        from scipy.optimize import minimize
        vectors, labels = np.asarray(vectors, np.float64), np.asarray(labels)
        deviation = vectors.std(axis=0)
        self.mean, self.deviation = vectors.mean(axis=0), np.where(deviation > 0, deviation, 1)
        x, self.shape = self.standardised(vectors), (vectors.shape[1] + 1, labels.max() + 1)
        with blas_threads(1), bar(total=self.iterations, desc="linear probe", unit=" steps", leave=False,
                                  disable=not progress) as steps:
            found = minimize(lambda flat: self.objective(flat, x, labels), np.zeros(self.shape).ravel(), jac=True,
                             method="L-BFGS-B", callback=lambda _: steps.update() and None,
                             options={"maxiter": self.iterations, "maxfun": 2 * self.iterations, "ftol": 1e-12,
                                      "gtol": 1e-6})
        self.weight, self.bias = np.split(found.x.reshape(self.shape), [-1])                # (D, classes), (1, classes)
        return self

    def objective(self, flat: np.ndarray, x: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        """What is minimised, and its gradient with respect to W and b, one below the other."""
        weight, bias = np.split(flat.reshape(self.shape), [-1])
        logits, rows = x @ weight + bias, np.arange(len(x))                                 # (N, classes)
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1, keepdims=True)
        loss = (np.log(sums[:, 0]) - logits[rows, labels]).mean() + self.penalty / 2 * (weight ** 2).sum()
        error = exponentials / sums
        error[rows, labels] -= 1
        error /= len(x)
        gradient = np.concatenate([x.T @ error + self.penalty * weight, error.sum(axis=0, keepdims=True)])
        return loss, gradient.ravel()

    def standardised(self, vectors: Array) -> np.ndarray:
        """Every number with mean 0 and deviation 1 over the vectors of `fit`.    (M, D) -> float64 (M, D)"""
        return (vectors - self.mean) / self.deviation

    def predict(self, vectors: Array) -> np.ndarray:
        """The most probable class.    (M, D) -> int (M,)"""
        return (self.standardised(vectors) @ self.weight + self.bias).argmax(axis=1)
