"""A model on a page: its rows of boxes in columns, side by side."""

import itertools

from .boxes import Scope
from .layout import Placer
from .sheet import DETAIL, Arrow, Sheet

GUTTER = 34  # between columns of the page
SMALLEST, LARGEST = 12, 1.6  # letters in pixels (9 points); scale
MOST_COLUMNS = 9


def sheet_of(scope: Scope, size: tuple[float, float]) -> Sheet:
    """A model, its rows of boxes in as many columns as make it largest on a page of this size."""
    place = Placer(scope, is_page=True)
    cuts, last = place.wires.cuts(), max(place.wires.rank.values())
    bounds = [-1, *cuts, last]
    heights = {(a, b): place(a + 1, b).height for a, b in itertools.combinations(bounds, 2)}
    best = _columns(place, [(0, last)])
    for columns in range(2, min(len(cuts) + 1, MOST_COLUMNS) + 1):
        page = _columns(place, _split(bounds, heights, columns))
        if fit(page, size) > 1.02 * fit(best, size):
            best = page
    return best


def scale_of(sheet: Sheet, size: tuple[float, float]) -> float:
    """The scale at which a sheet is shown: as large as a page of this size allows, if its letters can be read then."""
    return max(fit(sheet, size), SMALLEST / DETAIL)


def fit(sheet: Sheet, size: tuple[float, float]) -> float:
    """The scale at which a sheet fits a page, but not enlarged beyond need."""
    return min(size[0] / sheet.size[0], size[1] / sheet.size[1], LARGEST)


def _split(bounds, heights, columns):
    """The ranks [(first, last), ...] of so many columns, the highest of which is as low as can be."""
    best = {bounds[0]: (0, [])}
    for _ in range(columns):
        best = {end: min(((max(best[start][0], heights[start, end]), [*best[start][1], (start + 1, end)])
                          for start in bounds if start < end and start in best), key=lambda found: found[0])
                for end in bounds[1:] if any(start < end and start in best for start in bounds)}
    return best[bounds[-1]][1]


def _columns(place, parts):
    """The parts of a model side by side, and the lines from the end of each to the begin of the next."""
    page, x, end, low = Sheet(), 0.0, None, 0.0
    for first, last in parts:
        part = place(first, last)
        x += part.left
        if end:
            gutter = x - part.left - GUTTER / 2
            page.arrows.append(Arrow([end, (end[0], low), (gutter, low), (gutter, 4), (x, 4), (x, part.begin)],
                                     head=place.enters_box(first)))
        page.height = max(page.height, part.height)
        end, low = (x, part.end), part.height
        page.take(part, x, 0)
        x += part.right + GUTTER
    page.right = x - GUTTER
    return page
