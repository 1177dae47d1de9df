"""Augmentation of pictures that come with masks and boxes, which have to go where their pictures go, or sentences."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import array_module
from ..types import Array, Step
from .augment import colour_jitter, random_crop, random_flip
from .views import random_blur, random_grey, random_solarize

MOVES = (random_crop, random_flip)  # steps that take pixels elsewhere, whole
STAYS = (colour_jitter, random_blur, random_grey, random_solarize)  # steps that leave every pixel in its place


def augment_annotated(images: Array, rng: np.random.Generator, steps: Sequence[Step], *, masks: Array | None = None,
                      boxes: Array | None = None) -> tuple[Array, Array | None, Array | None]:
    """Apply the steps of a pipeline in turn, to pictures and to what is known of places in them.

    Parameters
    ----------
    images : (B, H, W, C)
    rng : numpy.random.Generator
    steps : sequence of callable
        As for `augment`, of those that take pixels elsewhere whole, or leave them in their places.
    masks : (B, H, W) or (B, H, W, M), optional
        Which pixels belong to an object, or to which class; 0 comes in from outside.
    boxes : (B, 4) or (B, M, 4), optional
        (x0, y0, x1, y1): columns x0 to x1 - 1 and rows y0 to y1 - 1.

    Returns
    -------
    images, masks, boxes
        Of the same shapes and dtypes; a box is cut off where the picture ends, and is 0 where nothing of it is left.

    Raises
    ------
    ValueError
        For a step that mixes pixels, hides them, or shows them twice, so that no mask or box would be true.
    """
    for step in steps:
        function, settings = (step.func, step.keywords) if isinstance(step, functools.partial) else (step, {})
        if function in STAYS:
            images = step(images, rng)
        elif function in MOVES and settings.get("mode", "constant") == "constant":
            before = rng.bit_generator.state

            def again(pixels, step=step, before=before):
                """The same step with the same random numbers."""
                rng.bit_generator.state = before
                return step(pixels, rng)
            masks, boxes = _moved_masks(masks, again), _moved_boxes(boxes, images.shape[:3], again)
            images = again(images)
        else:
            raise ValueError(f"augmentation: {function.__name__} with {settings} cannot be told to masks and boxes; "
                             f"take {', '.join(each.__name__ for each in MOVES + STAYS)}, without mode='reflect'")
    return images, masks, boxes


def augment_mirrored(images: Array, rng: np.random.Generator, steps: Sequence[Step]) -> tuple[Array, Array]:
    """Apply the steps of a pipeline in turn, and tell which pictures are mirrored.    -> (B, H, W, C), bool (B,)

    Raises
    ------
    ValueError
        For a step that takes anything out of a picture, which a sentence may speak of.
    """
    for step in steps:
        function = step.func if isinstance(step, functools.partial) else step
        if function not in (random_flip, *STAYS):
            raise ValueError(f"augmentation: {function.__name__} may take away what a sentence speaks of; take "
                             f"{', '.join(each.__name__ for each in (random_flip, *STAYS))}")
    xp, (B, H, W) = array_module(images), images.shape[:3]
    columns: Array = xp.ascontiguousarray(xp.broadcast_to(xp.arange(W), (B, H, W)))
    moved: tuple[Array, Array, Any] = augment_annotated(images, rng, steps, masks=columns)
    return moved[0], moved[1][:, 0, 0] > moved[1][:, 0, -1]


def _moved_masks(masks, move):
    if masks is None:
        return None
    layers = masks.reshape(*masks.shape[:3], -1)                         # (B, H, W) or (B, H, W, M) -> (B, H, W, M)
    return move(layers).reshape(masks.shape)


def _moved_boxes(boxes, shape, move):
    """The smallest boxes round all pixels that come from inside the old ones."""
    if boxes is None:
        return None
    xp, (B, H, W) = array_module(boxes), shape
    places = xp.broadcast_to(xp.arange(1, H * W + 1).reshape(1, H, W, 1), (B, H, W, 1))  # 0 will be outside
    source = move(xp.ascontiguousarray(places)) - 1                                      # (B, H, W, 1)
    x0, y0, x1, y1 = boxes.reshape(B, 1, 1, -1, 4).transpose(4, 0, 1, 2, 3)              # 4 of (B, 1, 1, M)
    row, column = source // W, source % W
    inside = (source >= 0) & (x0 <= column) & (column < x1) & (y0 <= row) & (row < y1)   # (B, H, W, M)
    left, right = _ends(inside.any(axis=1))                                              # (B, M) each
    top, bottom = _ends(inside.any(axis=2))
    return xp.stack([left, top, right, bottom], axis=-1).astype(boxes.dtype).reshape(boxes.shape)  # (B, M, 4) -> boxes


def _ends(line):
    """Where the True of each line begin and end; 0 and 0 where there are none.    (B, n, M) -> (B, M), (B, M)"""
    some = line.any(axis=1)
    return line.argmax(axis=1) * some, (line.shape[1] - line[:, ::-1].argmax(axis=1)) * some
