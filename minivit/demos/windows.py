"""Swin's shifted windows on a grid of 8 x 8 tokens.  Liu et al., ICCV 2021, arXiv:2103.14030.

Windows that are moved by some tokens leave pieces of unequal size at the border (figure 2). Rolling the grid makes
whole windows of them again, and a mask forbids attention between pieces that are no neighbours (figure 4). Rolled
places, windows, masks and attention are those of `minivit.models.swin`; the one head's queries and keys are the pixels
of the patches themselves, so that alike patches look at each other.
"""

import numpy as np

from ..models.swin import WindowAttention, mask_bias, shift_mask, window_partition
from ..nn import patchify
from ..ops import roll
from . import samples

TITLE = "Swin rolls the picture, so that moved windows are whole again"
LOOK_FOR = "the strangers that share a window after the roll, and what the mask does with them."
QUESTION = "How many pieces does the mask keep apart for each shift? Which tokens see a whole window in spite of it?"
PICTURE = 6
SIDE, WINDOW, PATCH = 8, 4, 4
SHIFTS = (0, 1, 2, 3)
SHARPNESS = 0.6  # by which queries and keys are multiplied


def rolled(shift):
    """The number of the token at each place of the rolled grid.    -> int (SIDE, SIDE)"""
    return roll(np.arange(SIDE * SIDE).reshape(SIDE, SIDE), (-shift, -shift), (0, 1)).data  # (SIDE, SIDE)


def members(shift):
    """The tokens in each window of the rolled grid.    -> int (w, n)"""
    return window_partition(rolled(shift)[None, ..., None], WINDOW)[..., 0]


def regions(shift):
    """To which piece each token belongs; tokens of a window may see each other where it is the same.    -> int (N,)"""
    mask, tokens = shift_mask((SIDE, SIDE), WINDOW, shift), members(shift)
    first = np.take_along_axis(tokens, mask.argmax(axis=2), axis=1)          # (w, n), the first token that each sees
    return np.unique(first.ravel()[tokens.ravel().argsort()], return_inverse=True)[1]


def head():
    """Window attention with one head whose queries and keys are its tokens, and without a bias for offsets."""
    dim = PATCH * PATCH * 3
    layer = WindowAttention(dim, 1, window=WINDOW)
    layer.qkv.weight.data = np.tile(SHARPNESS * np.eye(dim, dtype=np.float32), 3)        # (dim, 3 dim)
    layer.relative_position_bias_table.data = np.zeros(layer.relative_position_bias_table.shape, np.float32)
    return layer


def attention(shift, image):
    """What each token of each window looks at, without the mask and with it.    -> float32 (2, w, n, n)"""
    tokens = patchify(image[None], PATCH).reshape(1, SIDE, SIDE, -1)                     # (1, SIDE, SIDE, dim)
    windows = window_partition(roll(tokens, (-shift, -shift), (1, 2)), WINDOW)           # (w, n, dim)
    mask = mask_bias((SIDE, SIDE), WINDOW, shift, np.float32, "cpu")                     # (w, 1, n, n)
    layer = head()
    return np.stack([layer.weights(windows, use).numpy()[:, 0] for use in (None, mask)])  # (2, w, n, n)


def data():
    """Of every shift: where tokens go, who shares a window, what the mask allows, and who looks at whom."""
    picture = samples.pictures()[PICTURE]
    image = picture.astype(np.float32) / 255                                             # (32, 32, 3)
    image = (image - image.mean()) / image.std()
    return {"picture": picture, "side": SIDE, "window": WINDOW, "shifts": SHIFTS,
            "members": np.stack([members(shift) for shift in SHIFTS]).astype(np.int32),
            "regions": np.stack([regions(shift) for shift in SHIFTS]).astype(np.int32),
            "masks": np.stack([shift_mask((SIDE, SIDE), WINDOW, shift) for shift in SHIFTS]).astype(np.uint8),
            "attention": np.stack([attention(shift, image) for shift in SHIFTS])}
