"""scenes: pictures of one to five shapes that touch and overlap, drawn by the program from a seed.

For all that shapes10 is too simple for: segmentation, detection, sentences, and pictures with words. Every object has a
shape (its class), a colour and a place; its box and its mask are those of the part that is seen. Every picture has one
sentence, which names the objects from top to bottom, and is the only right one:

    a red star on the left above a white ring in the middle above a blue circle on the right

Six combinations of colour and shape, red circle to white ring, are in no picture of `scenes`; the pictures of
`scenes_unseen` show nothing else. What a model makes of those it has put together itself.

All that decides what is where is worked out in whole numbers of half pixels, so that every machine draws the same.
"""

from dataclasses import dataclass

import numpy as np

from ..settings import expect_whole
from ..words import MARKS, in_numbers
from .objects import Objects, boxes_of
from .outlines import circle, cross, ring, square, star, triangle
from .painting import colour, coverage, pixels, seen_from, texture, uniform

SIZE, MOST = 48, 5  # pixels of a side, objects of a picture
OUTLINES = (circle, square, triangle, star, cross, ring)
CLASSES = tuple(outline.__name__ for outline in OUTLINES)
COLOURS = {"red": (215, 45, 45), "green": (60, 190, 70), "blue": (60, 95, 235), "yellow": (235, 215, 60),
           "purple": (165, 60, 190), "white": (235, 235, 235)}
PLACES = ("on the left", "in the middle", "on the right")
WORDS = (*MARKS, "a", "above", "on", "in", "the", "left", "middle", "right", *COLOURS, *CLASSES)

SEEN = tuple((kind, hue) for kind in range(len(CLASSES)) for hue in range(len(COLOURS)) if kind != hue)
UNSEEN = tuple((kind, kind) for kind in range(len(CLASSES)))  # (class, colour): the same number of both


@dataclass(frozen=True, eq=False)
class Scenes(Objects):
    """Objects with a colour and a place, from top to bottom.

    Parameters
    ----------
    object_colours, object_places : int64 (N, 5)
        Indices into COLOURS and PLACES; -1 where there is no object.
    """

    object_colours: np.ndarray | None = None
    object_places: np.ndarray | None = None


def load_scenes(*, train=10_000, test=2_000, seed=0, size=SIZE, unseen=False):
    """The two sets, (train, test), of so many pictures each; the same seed draws the same pictures.

    With `unseen`, every object of the test set is of a combination of colour and shape that the training set never has.
    """
    return (draw(train, np.random.default_rng([seed, 0]), size=size),
            draw(test, np.random.default_rng([seed, 1 + unseen]), size=size, pairs=UNSEEN if unseen else SEEN))


def draw(count, rng, *, size=SIZE, pairs=SEEN):
    """Draw `count` pictures.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        Of a picture's side, in pixels.
    pairs : sequence of (int, int)
        The classes and colours that objects may have.

    Returns
    -------
    Scenes
        images uint8 (N, size, size, 3), masks uint8 (N, size, size), boxes int64 (N, 5, 4), object_classes,
        object_colours, object_places int64 (N, 5), sentences int64 (N, L).
    """
    expect_whole("scenes: number of pictures", count, 0)
    expect_whole("scenes: size", size, 32)
    x, y, radius, places = _layouts(count, rng, size)
    there = places >= 0
    kinds, hues = np.moveaxis(np.array(pairs)[rng.integers(len(pairs), size=places.shape)], -1, 0)  # (N, 5) each
    kinds, hues = np.where(there, kinds, -1), np.where(there, hues, -1)
    images, masks = np.empty((count, size, size, 3), np.uint8), np.empty((count, size, size), np.uint8)
    for start in range(0, count, 100):  # so few that the temporaries stay in the cache
        part = slice(start, start + 100)
        images[part], masks[part] = _paint(x[part], y[part], radius[part], kinds[part], hues[part], rng, size)
    sentences = in_numbers([_told(*objects) for objects in zip(kinds, hues, places, strict=True)], WORDS)
    return Scenes(images, None, CLASSES, "scenes", kinds, boxes_of(masks, MOST), masks, sentences, WORDS, hues, places)


def single_objects():
    """All that a picture with one object can show: sentences, to compare it with, and what they say.

    -> list of 108 str, int (108, 3): class, colour, place
    """
    meant = np.stack(np.meshgrid(range(len(CLASSES)), range(len(COLOURS)), range(len(PLACES)), indexing="ij"), -1)
    meant = meant.reshape(-1, 3)                          # (6, 6, 3, 3) -> (108, 3)
    return [_told([kind], [hue], [place]) for kind, hue, place in meant], meant


def _told(kinds, hues, places):
    """The sentence of a picture."""
    names = list(COLOURS)
    return " above ".join(f"a {names[hue]} {CLASSES[kind]} {PLACES[place]}"
                          for kind, hue, place in zip(kinds, hues, places, strict=True) if kind >= 0)


def _layouts(count, rng, size):
    """Where one to five objects lie, from top to bottom, so that enough is seen of each.

    -> x, y, radius int64 (N, 5) in half pixels; places (N, 5), -1 where there is no object
    """
    drawn = np.zeros((4, count, MOST), np.int64)
    there = np.arange(MOST) < rng.integers(1, MOST + 1, size=count)[:, None]  # (N, 5)
    third, margin, gap = 2 * size // 3, size // 4, 3
    starts = np.array([margin, third + gap, 2 * third + gap])
    ends = 2 * size - starts[::-1]
    unfit = np.arange(count)
    while len(unfit):
        shape = len(unfit), MOST
        place = rng.integers(3, size=shape)
        x = rng.integers(starts[place], ends[place] + 1)
        y = rng.integers(margin, 2 * size - margin + 1, size=shape)
        y = np.sort(np.where(there[unfit], y, 2 * size), axis=1)  # those that are not there come last
        radius = rng.integers(size // 4, size * 11 // 24 + 1, size=shape)  # 6 to 11 pixels of 48
        drawn[:, unfit] = x, y, radius, place
        unfit = unfit[~_apart(x, y, radius, there[unfit])]
    x, y, radius, place = drawn
    return x, y, radius, np.where(there, place, -1)


def _apart(x, y, radius, there):
    """Whether all objects keep their distance, and lie under one another by 2 pixels at least.    -> bool (N,)"""
    one, other = np.triu_indices(MOST, 1)
    dx, dy, both = x[:, one] - x[:, other], y[:, one] - y[:, other], radius[:, one] + radius[:, other]  # (N, 10)
    far = 25 * (dx**2 + dy**2) >= 9 * both**2
    return ((far & (np.abs(dy) >= 4)) | ~(there[:, one] & there[:, other])).all(axis=1)


def _paint(x, y, radius, kinds, hues, rng, size):
    """(n, 5) each -> images uint8 (n, size, size, 3), masks uint8 (n, size, size)"""
    n, reach = len(x), size * 11 // 48 + 3  # no object is wider than 2 reach pixels
    whole = size + 2 * reach                # objects may stick out of the picture
    picture = np.zeros((n, whole, whole, 3), np.float32)
    masks = np.zeros((n, whole, whole), np.uint8)
    inner = slice(reach, -reach)
    picture[:, inner, inner] = texture(colour(rng, n, 15, 105), size, rng)
    flat_picture, flat_masks = picture.reshape(-1, 3), masks.reshape(-1)  # views: (n * whole * whole, 3), (...)
    levels = np.array(list(COLOURS.values()), np.float32)
    for number in rng.permuted(np.tile(np.arange(MOST), (n, 1)), axis=1).T:  # (n,): what is painted next
        chosen = np.flatnonzero(kinds[np.arange(n), number] >= 0)
        each = chosen, number[chosen]
        left, top = x[each] // 2, y[each] // 2  # of the object's square, whose middle the border moves to the centre
        square_x, square_y = (half / np.float32(2) - start + reach for half, start in ((x[each], left), (y[each], top)))
        covered = _covered(square_x, square_y, radius[each] / np.float32(2), kinds[each], reach, rng)  # (m, 2r, 2r)
        rows, columns = (start[:, None] + np.arange(2 * reach) for start in (top, left))                # (m, 2r) each
        places = (chosen[:, None, None] * whole + rows[:, :, None]) * whole + columns[:, None]          # (m, 2r, 2r)
        hue = levels[hues[each]][:, None, None] + colour(rng, len(chosen), -25, 20)                     # (m, 1, 1, 3)
        behind = flat_picture[places]                                                                   # (m, 2r, 2r, 3)
        flat_picture[places] = behind + covered[..., None] * (hue - behind)
        flat_masks[places] = np.where(covered > 0.5, each[1][:, None, None] + 1, flat_masks[places])
    picture = picture[:, inner, inner]
    picture = picture + 6 * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), masks[:, inner, inner]


def _covered(x, y, radius, kinds, reach, rng):
    """How much of each pixel of its square an object covers.    (m,) each -> float32 (m, 2 reach, 2 reach)"""
    x, y, radius = (values.astype(np.float32)[:, None, None] for values in (x, y, radius))
    u, v = seen_from(pixels(2 * reach), x, y, radius, angle=uniform(rng, len(kinds), -0.4, 0.4))
    distance = np.empty_like(u)
    for kind, outline in enumerate(OUTLINES):
        chosen = kinds == kind
        distance[chosen] = outline(u[chosen], v[chosen])
    return coverage(distance * radius)
