"""shapes10: ten classes of 32x32 colour pictures, drawn by the program from a seed.

A stand-in for CIFAR-10 where there is no network: the same shapes and dtypes, ten classes, and enough variation that a
model must look at outlines. Each picture has one light object on a darker background: anywhere, turned by up to 34
degrees, up to 26 pixels across, in random colours and textures, in half of the pictures partly hidden behind a bar, and
all of it under noise. The object's visible pixels (mask) and the box around them come with each picture, for
segmentation and detection.
"""

from dataclasses import dataclass

import numpy as np

from ..settings import expect_whole
from .dataset import Dataset
from .outlines import OUTLINES
from .painting import colour, coverage, pixels, seen_from, texture, uniform

SIZE = 32
CLASSES = tuple(outline.__name__ for outline in OUTLINES)


@dataclass(frozen=True, eq=False)
class Shapes10(Dataset):
    """A Dataset whose pictures each come with the mask and the box of their object.

    Parameters
    ----------
    masks : bool (N, 32, 32)
        The object's visible pixels.
    boxes : int64 (N, 4)
        (x0, y0, x1, y1): the object covers columns x0 to x1 - 1 and rows y0 to y1 - 1.
    """

    masks: np.ndarray | None = None
    boxes: np.ndarray | None = None


def load_shapes10(*, train=10_000, test=2_000, seed=0):
    """The two sets, (train, test), of so many pictures each; the same seed draws the same pictures."""
    return draw(train, np.random.default_rng([seed, 0])), draw(test, np.random.default_rng([seed, 1]))


def draw(count, rng):
    """Draw `count` pictures, as many of each class as of any other, give or take one.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Shapes10
        images uint8 (N, 32, 32, 3), labels int64 (N,), masks bool (N, 32, 32), boxes int64 (N, 4).
    """
    expect_whole("shapes10: number of pictures", count, 0)
    labels = rng.permutation(np.arange(count, dtype=np.int64) % len(CLASSES))
    images = np.empty((count, SIZE, SIZE, 3), np.uint8)
    masks = np.empty((count, SIZE, SIZE), bool)
    for start in range(0, count, 100):  # so few that the temporaries stay in the cache
        part = slice(start, start + 100)
        images[part], masks[part] = _paint(labels[part], rng)
    return Shapes10(images, labels, CLASSES, "shapes10", masks, boxes_around(masks))


def boxes_around(masks):
    """The smallest box around each mask.    bool (N, H, W) -> int64 (N, 4): x0, y0, x1, y1, the ends exclusive"""
    height, width = masks.shape[1:]
    columns, rows = masks.any(axis=1), masks.any(axis=2)  # (N, W), (N, H)
    return np.stack([columns.argmax(1), rows.argmax(1),
                     width - columns[:, ::-1].argmax(1), height - rows[:, ::-1].argmax(1)], axis=1).astype(np.int64)


def _paint(labels, rng):
    """labels (n,) -> images uint8 (n, 32, 32, 3), masks bool (n, 32, 32)"""
    n = len(labels)
    radius = uniform(rng, n, 7, 13)
    centre_x, centre_y = (SIZE / 2 + uniform(rng, n, -1, 1) * (SIZE / 2 - 0.9 * radius) for _ in range(2))
    u, v = seen_from(pixels(SIZE), centre_x, centre_y, radius, angle=uniform(rng, n, -0.6, 0.6))
    distance = np.empty_like(u)
    for label, outline in enumerate(OUTLINES):
        chosen = labels == label
        distance[chosen] = outline(u[chosen], v[chosen])
    covered = coverage(distance * radius)

    # The bar passes beside the object's centre, so that it never hides the whole object.
    u, v = seen_from(pixels(SIZE), centre_x, centre_y, radius, angle=uniform(rng, n, 0, 2 * np.pi))
    bar = np.maximum(np.abs(u - 0.55) - 0.18, np.abs(v) - uniform(rng, n, 0.5, 2.5))
    hidden = coverage(bar * radius) * (rng.random((n, 1, 1)) < 0.5)

    picture = texture(colour(rng, n, 20, 140), SIZE, rng)
    picture += covered[..., None] * (texture(colour(rng, n, 110, 235), SIZE, rng) - picture)
    picture += hidden[..., None] * (colour(rng, n, 20, 235) - picture)
    picture += 8 * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), covered * (1 - hidden) > 0.5
