"""Masks that hide patches in blocks, for models that learn to guess them."""

import numpy as np

from ..settings import expect_whole
from .augment import expect_range


def blockwise_mask(rng: np.random.Generator, grid: tuple[int, int], count: int, *, smallest: int = 4,
                   aspect: tuple[float, float] = (0.3, 1 / 0.3)) -> np.ndarray:
    """Hide rectangles of patches, which may overlap, until `count` patches are hidden.    -> bool (rows, columns)

    Bao et al., BEiT, ICLR 2022, arXiv:2106.08254, algorithm 1. Each block is drawn up to ten times, until it hides
    something and not too much; where that fails, fewer than `count` patches are hidden.

    Parameters
    ----------
    grid : (int, int)
        Rows and columns.
    count : int
        The most that are hidden.
    smallest : int
        The fewest patches of a block, before it is rounded to whole rows and columns.
    aspect : (float, float)
        Range of the block's height by its width.
    """
    rows, columns = grid
    expect_whole("blockwise_mask: count", count, 0, rows * columns)
    expect_whole("blockwise_mask: smallest", smallest, 1)
    expect_range("blockwise_mask: aspect", aspect)
    mask, tries = np.zeros(grid, bool), 0
    while (left := count - int(mask.sum())) > 0 and tries < 10:
        tries += 1
        area, ratio = rng.uniform(smallest, max(left, smallest)), np.exp(rng.uniform(*np.log(aspect)))
        height, width = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if not (0 < height < rows and 0 < width < columns):
            continue
        top, left_edge = rng.integers(rows - height + 1), rng.integers(columns - width + 1)
        block = mask[top:top + height, left_edge:left_edge + width]  # a view
        if 0 < block.size - block.sum() <= left:
            block[...], tries = True, 0
    return mask
