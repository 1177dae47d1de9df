"""What the readers of folders with annotated pictures share: a picture with its masks, made to fit one size."""

from pathlib import Path
from typing import Any

import numpy as np

from .objects import UNKNOWN
from .pictures import read_picture

MOST = UNKNOWN - 1  # objects that a picture may have: their numbers are bytes


def picture_of(path: Path, entry: str) -> Any:
    """The picture of an entry of some list, in RGB; errors name the entry.    -> PIL.Image

    Raises
    ------
    FileNotFoundError
        If it is missing.
    ValueError
        If it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{entry}: there is no picture {path}")
    try:
        return read_picture(path)
    except ValueError as error:
        raise ValueError(f"{entry}: {error}") from error


def fitted(picture: Any, numbers: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """A picture and its masks, scaled to fit into a square; what is left, below or to the right, is black and unknown.

    PIL.Image, uint8 (height, width) -> uint8 (size, size, 3), uint8 (size, size), the scale
    """
    from PIL import Image
    height, width = numbers.shape
    scale = size / max(height, width)
    rows, columns = (max(1, round(scale * side)) for side in (height, width))
    image, masks = np.zeros((size, size, 3), np.uint8), np.full((size, size), UNKNOWN, np.uint8)
    image[:rows, :columns] = np.asarray(picture.resize((columns, rows), Image.Resampling.LANCZOS))
    masks[:rows, :columns] = np.asarray(Image.fromarray(numbers).resize((columns, rows), Image.Resampling.NEAREST))
    return image, masks, scale


def padded(rows: list[Any], value: int, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Lists of different lengths as one array, filled up.    N of (m, ...) -> int64 (N, M, ...)"""
    made = np.full((len(rows), max(map(len, rows), default=0), *shape), value, np.int64)
    for row, values in zip(made, rows, strict=True):
        row[:len(values)] = np.asarray(values, np.int64).reshape(len(values), *shape)
    return made
