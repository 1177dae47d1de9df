"""Reading picture files of every kind: upright, in red, green and blue, their levels from 0 to 255."""

import os
import warnings

import numpy as np


def read_picture(image):
    """A picture as a model may see it: turned as its EXIF data say, in RGB, white at 255.

    Pillow clips grey levels of more than eight bits. Here they are scaled: 16 bits from 0..65535; floating-point and
    32-bit levels, which do not tell what is white, from the smallest of 0..1 (floating-point only), 0..255 and 0..65535
    that holds them all.

    Parameters
    ----------
    image : path, file, PIL.Image or array
        An array is uint8 (height, width, 3), or whatever else `PIL.Image.fromarray` takes.

    Returns
    -------
    PIL.Image

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    TypeError
        If `image` is nothing of the above.
    ValueError
        For a file that is no picture, damaged or far too large; the message names it.
    """
    from PIL import Image
    if isinstance(image, np.ndarray):
        return _converted(_from_array(image))
    if isinstance(image, Image.Image):
        return _converted(image)
    if not isinstance(image, str | os.PathLike) and not hasattr(image, "read"):
        raise TypeError(f"image: expected a path, a PIL.Image or an array, got a {type(image).__name__}")
    name = getattr(image, "name", "image") if hasattr(image, "read") else os.fspath(image)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # twice as many pixels are an error
            with Image.open(image) as file:
                return _converted(file)
    except Exception as error:  # a damaged file can fail in any way
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise
        raise ValueError(f"{name}: cannot be read as a picture ({error})") from error


def _from_array(array):
    from PIL import Image
    expected = "image: expected a uint8 array (height, width, 3)"
    if array.size == 0:
        raise ValueError(f"{expected} with pixels in it, got {array.shape}")
    try:
        return Image.fromarray(array)
    except TypeError as error:
        raise TypeError(f"{expected}, got {array.dtype} {array.shape}") from error


def _converted(image):
    from PIL import ImageOps
    upright = ImageOps.exif_transpose(image)  # a camera may say which side is up instead of turning the pixels
    if image.mode[0] in "IF":
        upright = _of_bytes(upright, sixteen_bits=image.mode.startswith("I;16") or image.format == "PPM")
    return upright.convert("RGB")


def _of_bytes(image, sixteen_bits):
    """A grey picture of 16-bit, 32-bit or floating-point levels, in levels from 0 to 255."""
    from PIL import Image
    levels = np.asarray(image, np.float64)  # (height, width)
    low, high = levels.min(), levels.max()
    whites = (65535,) if sixteen_bits and image.mode != "F" else (1, 255, 65535) if image.mode == "F" else (255, 65535)
    white = next((white for white in whites if high <= white), None)
    if white is None or not low >= 0:
        raise ValueError(f"expected levels from 0 to {', or to '.join(map(str, whites))}, got {low:g} to {high:g}")
    return Image.fromarray(np.rint(levels * (255 / white)).astype(np.uint8))
