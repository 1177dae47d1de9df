"""What the steps of augmentation expect of the pictures that they get."""

import numpy as np

from ..backend import is_array


def expect_array(step, what, value):
    """Raise a TypeError unless `value` is an array of NumPy or CuPy: no list, and no Tensor."""
    if not is_array(value):
        raise TypeError(f"{step}: expected {what} as an array, got a {type(value).__name__}")


def expect_pictures(step, images, *, kind=None):
    """Raise an error unless `images` is a batch of pictures (B, H, W, C), of bytes or floating-point if so asked.

    Parameters
    ----------
    step : str
        Who asks.
    kind : {None, "u", "f"}
        None takes both, as steps do that only move pixels.

    Raises
    ------
    TypeError
        For what is no array, and numbers of another kind.
    ValueError
        For another number of axes.
    """
    expect_array(step, "images", images)
    if kind == "u" and images.dtype != np.uint8:
        raise TypeError(f"{step}: expected uint8 images (normalise them afterwards), got {images.dtype}")
    if kind == "f" and images.dtype.kind != "f":
        raise TypeError(f"{step}: expected floating-point images (normalise them first), got {images.dtype}")
    if images.ndim != 4:
        raise ValueError(f"{step}: expected a batch of images (B, H, W, C), got an array {images.shape}")
