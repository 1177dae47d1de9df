"""What a model says of pictures, to be drawn over them: masks, boxes, words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Drawing:
    """Pictures, and what is to be drawn over each of them; all of it may be left out.

    Parameters
    ----------
    images : uint8 (n, H, W, 3)
    masks : int (n, H, W), optional
        Each number above 0 gets a colour of its own; 255, what is not said, is grey.
    boxes : n arrays (m, 4), optional
        (x0, y0, x1, y1) in pixels; m may differ from picture to picture.
    names : n sequences of m str, optional
        What is written at each box: "star 93%".
    texts : n of str, optional
        What is written below each picture, and printed by `predict`.
    """

    images: np.ndarray
    masks: np.ndarray | None = None
    boxes: Sequence[np.ndarray] | None = None
    names: Sequence[Sequence[str]] | None = None
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name in ("masks", "boxes", "names", "texts"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.images):
                raise ValueError(f"drawing: {len(self.images)} pictures, but {name} for {len(values)}")
        for boxes, names in zip(self.boxes or (), self.names or (), strict=False):
            if len(boxes) != len(names):
                raise ValueError(f"drawing: {len(boxes)} boxes in a picture, but {len(names)} names")
