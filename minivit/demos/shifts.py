"""A picture moves by some pixels: what a convolution sees moves along, what patches see does not.

A 3 x 3 convolution with stride 1 commutes with every shift. A patch embedding is a convolution too, with kernel and
stride P, and commutes with multiples of P alone (Dosovitskiy et al., ICLR 2021, arXiv:2010.11929, sections 3.1 and
4.5). Here both have the same two filters, dark against bright from left to right and from top to bottom. What leaves
the picture on the right comes back on the left, so that nothing is lost.
"""

import numpy as np

from ..engine import no_grad
from ..nn import Conv2d, PatchEmbed
from ..ops import roll
from . import samples

TITLE = "A convolution moves along with the picture, patches do not"
LOOK_FOR = "what is left in the third row: the second, less the first moved along with the picture."
QUESTION = "At which shifts is the patches' similarity 1? Predict them for each patch size before you look."
SHIFTS = tuple(range(17))
SIZES = (2, 4, 8)  # of the patches


def edges(size):
    """Two filters of size x size pixels and three colours, each of length 1.    -> float32 (size, size, 3, 2)"""
    ramp = np.arange(size) - (size - 1) / 2
    across = np.broadcast_to(ramp[None, :, None], (size, size, 3))
    filters = np.stack([across, across.swapaxes(0, 1)], axis=-1)                        # (size, size, 3, 2)
    return (filters / np.linalg.norm(across)).astype(np.float32)


def convolution():
    """3 x 3, stride 1, around the border.    (B, H, W, 3) -> (B, H, W, 2)"""
    layer = Conv2d(3, 2, 3, padding=1, padding_mode="wrap", bias=False)
    layer.weight.data = edges(3)
    return layer


def patches(size):
    """The tokens of patches of size x size pixels, on their grid.    (B, H, W, 3) -> (B, H / size, W / size, 2)"""
    layer = PatchEmbed(size, 3, 2, bias=False)
    layer.weight.data = edges(size).reshape(-1, 2)                                      # (size size 3, 2)

    def tokens(images):
        B, H, W, _ = images.shape
        return layer(images).reshape(B, H // size, W // size, 2)                        # (B, H / size, W / size, 2)
    return tokens


def compared(layer, stride, images):
    """What a layer sees of the pictures at each shift, and how like it is to what it saw at first, moved along.

    It is moved by the nearest whole number of strides.

    Returns
    -------
    maps : float16 (shifts, B, H / stride, W / stride)
        Of the first filter.
    similarities : float32 (shifts, B)
        Cosines, over both filters.
    """
    with no_grad():
        seen = [layer(roll(images, shift, 2)).numpy() for shift in SHIFTS]              # each (B, H/s, W/s, 2)
    maps = np.stack([one[..., 0] for one in seen]).astype(np.float16)
    return maps, np.stack([cosines(one, np.roll(seen[0], (shift + stride // 2) // stride, 2))
                           for shift, one in zip(SHIFTS, seen, strict=True)])


def cosines(a, b):
    """Of the angles between pairs of arrays.    two of (B, ...) -> float32 (B,)"""
    a, b = (x.reshape(len(x), -1) for x in (a, b))
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def data():
    """Pictures, and for the convolution ("0") and each size of patches what `compared` returns."""
    pictures = samples.pictures()
    images = pictures.astype(np.float32) / 255 - 0.5                                    # (B, 32, 32, 3)
    layers = {0: convolution()} | {size: patches(size) for size in SIZES}
    found = {str(size): compared(layer, max(size, 1), images) for size, layer in layers.items()}
    return {"pictures": pictures, "names": samples.NAMES, "shifts": SHIFTS, "sizes": SIZES,
            "seen": {size: maps for size, (maps, _) in found.items()},
            "similarities": {size: similarities for size, (_, similarities) in found.items()}}
