"""What the vectors tell that an encoder makes of pictures: their classes by neighbours, their likeness by colours."""

from collections.abc import Callable, Iterable

import numpy as np

from ..backend import asnumpy
from ..settings import expect_number, expect_whole
from ..types import Array

QUERIES = 250  # at a time; fixed, so that the result does not depend on the number of threads


def unit_rows(vectors: Array) -> np.ndarray:
    """Each vector divided by its length; one of length 0 stays.    (N, D) -> float32 (N, D), in host memory"""
    vectors = np.asarray(asnumpy(vectors), np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def nearest_class(queries: Array, known: Array, labels: Array, *, k: int = 20, temperature: float = 0.07,
                  leave_out: bool = False, map: Callable[[Callable, Iterable], Iterable] = map) -> np.ndarray:
    """The class that the k nearest known vectors vote for, each with the weight exp(cosine / temperature).

    As Wu et al., CVPR 2018, arXiv:1805.01978, section 3.4, measure features; k is DINO's (arXiv:2104.14294), who found
    20 the best of 10, 20, 100 and 200.

    Parameters
    ----------
    queries : (M, D)
    known : (N, D)
    labels : int (N,)
        Of the known vectors.
    leave_out : bool
        Whether the queries are the known vectors themselves, of which none may vote for itself.
    map : callable
        What applies a function to many items, as `Threads.map` does on several threads.

    Returns
    -------
    int (M,)
    """
    queries, known, labels = unit_rows(queries), unit_rows(known), asnumpy(labels)
    others = len(known) - leave_out
    expect_number("nearest_class: temperature", temperature, 0, above=True)
    expect_whole("nearest_class: k", k, 1)
    if others < 1 or queries.shape[1:] != known.shape[1:] or len(labels) != len(known):
        raise ValueError("nearest_class: expected vectors of one length, a label for each that is known, and at least "
                         f"one neighbour; got queries {queries.shape}, known {known.shape}, labels {labels.shape}")
    k, every_class = min(k, others), np.arange(labels.max() + 1)

    def vote(start):
        cosine = queries[start:start + QUERIES] @ known.T                                    # (b, N)
        if leave_out:
            rows = np.arange(len(cosine))
            cosine[rows, start + rows] = -np.inf
        nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]                             # (b, k)
        weights = np.exp((np.take_along_axis(cosine, nearest, axis=1).astype(np.float64) - 1) / temperature)
        votes = np.einsum("bk,bkc->bc", weights, labels[nearest][..., None] == every_class)  # (b, classes)
        return votes.argmax(axis=1)
    return np.concatenate(list(map(vote, range(0, len(queries), QUERIES))))


def colours_of(maps: Array, size: tuple[int, int]) -> np.ndarray:
    """Maps of features as pictures: what differs most between all places becomes red, then green, then blue.

    The three main components of the vectors of all pictures together, each stretched over the levels; places that an
    encoder finds alike have like colours.    (B, h, w, C) -> uint8 (B, height, width, 3)
    """
    maps = np.asarray(asnumpy(maps), np.float64)
    (B, h, w, C), (height, width) = maps.shape, size
    vectors = maps.reshape(-1, C) - maps.mean(axis=(0, 1, 2))                                # (B h w, C)
    directions = np.linalg.svd(vectors, full_matrices=False)[2][:3]                          # (3, C), or fewer
    directions = directions * np.where(directions.sum(axis=1, keepdims=True) < 0, -1, 1)     # either sign is one
    components = np.zeros((len(vectors), 3))
    components[:, :len(directions)] = vectors @ directions.T
    low, high = components.min(axis=0), components.max(axis=0)
    levels = 255 * (components - low) / np.maximum(high - low, 1e-12)
    levels = np.rint(levels).astype(np.uint8).reshape(B, h, w, 3)                            # (B h w, 3)
    rows, columns = np.arange(height) * h // height, np.arange(width) * w // width
    return levels[:, rows][:, :, columns]                                                    # (B, height, width, 3)
