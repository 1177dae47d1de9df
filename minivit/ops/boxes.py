"""Boxes in a picture, as (x, y, width, height) of the centre or as corners (x0, y0, x1, y1), and how they overlap."""

from .arithmetic import maximum, minimum
from .shape import concatenate


def corners(boxes):
    """(x, y, width, height), x and y of the centre -> (x0, y0, x1, y1).    (..., 4) -> (..., 4)"""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return concatenate([centre - half, centre + half], axis=-1)


def generalised_iou(one, other):
    """Generalised intersection over union of boxes that are given by their corners.    (..., 4), (..., 4) -> (...)

    |A and B| / |A or B| - (|C| - |A or B|) / |C|, with C the smallest box around both: from -1 to 1, and less the
    farther apart they are, where the intersection over union is 0 (Rezatofighi et al., CVPR 2019, arXiv:1902.09630).
    Shapes broadcast: (Q, 1, 4) and (1, M, 4) give all pairs.
    """
    first, second, both = _area(one), _area(other), _area(_corners(maximum, minimum, one, other))
    hull, union = _area(_corners(minimum, maximum, one, other)), first + second - both
    return both / union - (hull - union) / hull


def _corners(start, end, one, other):
    """The box from start(beginnings of both) to end(ends of both); where it ends before it begins, its sides are 0."""
    low, high = start(one[..., :2], other[..., :2]), end(one[..., 2:], other[..., 2:])
    return concatenate([low, maximum(low, high)], axis=-1)


def _area(box):
    sides = box[..., 2:] - box[..., :2]
    return sides[..., 0] * sides[..., 1]
