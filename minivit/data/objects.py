"""Pictures of which more is known than one label: several objects with their places, and a sentence."""

from dataclasses import dataclass

import numpy as np

from ..types import Array
from .dataset import Dataset

UNKNOWN = 255  # in masks: what lies here is not said, and nothing is learned or measured here


@dataclass(frozen=True, eq=False)
class Objects(Dataset):
    """A Dataset whose pictures have up to M objects each; what fewer objects leave free is padding.

    Parameters
    ----------
    object_classes : int64 (N, M), optional
        Indices into `classes`; -1 where there is no object.
    boxes : int64 (N, M, 4), optional
        (x0, y0, x1, y1): the object covers columns x0 to x1 - 1 and rows y0 to y1 - 1; 0 where there is none.
    masks : uint8 (N, H, W), optional
        What each pixel shows: 0 the background, m + 1 object m, 255 something that is not said.
    sentences : int64 (N, L), optional
        Indices into `words`: <start>, the words, <end>, then <pad>.
    words : tuple of str
        The vocabulary, with MARKS in front.
    """

    object_classes: np.ndarray | None = None
    boxes: np.ndarray | None = None
    masks: np.ndarray | None = None
    sentences: np.ndarray | None = None
    words: tuple = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        height, width = self.images.shape[1:3]
        if self.object_classes is not None and self.object_classes.size:
            self._refuse("class", (self.object_classes < -1) | (self.object_classes >= len(self.classes)),
                         self.object_classes, f"-1 to {len(self.classes) - 1}")
        if self.boxes is not None and self.object_classes is not None:
            x0, y0, x1, y1 = np.moveaxis(self.boxes, -1, 0)  # (N, M, 4) -> 4 of (N, M)
            inside = (x0 >= 0) & (x0 < x1) & (x1 <= width) & (y0 >= 0) & (y0 < y1) & (y1 <= height)
            self._refuse("box", ~inside & (self.object_classes >= 0), self.boxes,
                         f"x0 < x1 and y0 < y1 inside {width} x {height} pixels")

    def _refuse(self, what, wrong, values, expected):
        if wrong.any():
            picture, number = np.argwhere(wrong)[0]
            raise ValueError(f"{self.name}: picture {picture}, object {number}: expected a {what} with {expected}, got "
                             f"{values[picture, number].tolist()}")


def boxes_of(masks: Array, count: int) -> np.ndarray:
    """The smallest box around each object that is seen, 0 for the others.    uint8 (N, H, W) -> int64 (N, count, 4)"""
    boxes = np.zeros((len(masks), count, 4), np.int64)
    for number in range(count):
        shown = masks == number + 1                          # (N, H, W)
        columns, rows = shown.any(axis=1), shown.any(axis=2)  # (N, W), (N, H)
        ends = [columns.argmax(1), rows.argmax(1), columns.shape[1] - columns[:, ::-1].argmax(1),
                rows.shape[1] - rows[:, ::-1].argmax(1)]
        boxes[:, number] = np.stack(ends, axis=1) * columns.any(axis=1)[:, None]
    return boxes
