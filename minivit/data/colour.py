"""Changing the colours of whole batches, to the level as Pillow does it.

Every function takes uint8 pictures (B, H, W, 3), and amounts (B,), one for each picture, as a NumPy array, and returns
uint8 pictures. The definitions are those of Pillow's ImageOps and ImageEnhance, which AutoAugment and RandAugment
refer to. An enhancement blends the picture with a poorer one; a factor above 1 leads away from it.
"""

import numpy as np

from ..backend import array_module, scatter_add


def brightness(images, factor):
    """Blend with black."""
    return _blend(0, images, factor)


def contrast(images, factor):
    """Blend with grey of the picture's mean luminance."""
    mean = luminance(images).mean(axis=(1, 2), keepdims=True)[..., None]  # (B, 1, 1, 1)
    return _blend((mean + 0.5).astype(np.uint8), images, factor)


def saturation(images, factor):
    """Blend with the picture in grey: the operation that Pillow and RandAugment call color."""
    return _blend(luminance(images)[..., None], images, factor)


def sharpness(images, factor):
    """Blend with the picture smoothed by 1/13 [1 1 1; 1 5 1; 1 1 1]; pixels of the border stay as they are."""
    height, width = images.shape[1:3]
    wide = images.astype(np.int32)
    total = 4 * wide[:, 1:-1, 1:-1]
    for dy in range(3):
        for dx in range(3):
            total += wide[:, dy:height - 2 + dy, dx:width - 2 + dx]
    smooth = images.copy()
    smooth[:, 1:-1, 1:-1] = (2 * total + 13) // 26  # rounds total / 13
    return _blend(smooth, images, factor)


def autocontrast(images):
    """Stretch each channel so that its darkest level becomes 0 and its lightest 255."""
    xp = array_module(images)
    low, high = (extreme(axis=(1, 2)).astype(np.float64) for extreme in (images.min, images.max))  # (B, 3)
    flat = low == high
    low, high = xp.where(flat, 0, low), xp.where(flat, 255, high)  # leaves a channel of one level alone
    scale = 255 / (high - low)
    stretched = xp.arange(256)[:, None, None] * scale - low * scale  # (256, B, 3)
    return _look_up(xp.clip(stretched, 0, 255).astype(np.uint8), images)


def equalize(images):
    """Spread each channel's levels so that all become about equally frequent.

    A level moves to the number of darker pixels, counted in steps of 1/255 of all but the lightest pixels.
    """
    xp = array_module(images)
    batch, height, width, channels = images.shape
    series = xp.arange(batch * channels).reshape(batch, 1, 1, channels)  # (B, 1, 1, C)
    counts = _bincount((256 * series + images).ravel(), 256 * batch * channels)
    counts = counts.reshape(batch, channels, 256).transpose(2, 0, 1)  # (256, B, C)
    lightest = xp.take_along_axis(counts, images.max(axis=(1, 2))[None].astype(np.int64), axis=0)[0]  # (B, C)
    step = (height * width - lightest) // 255
    darker = xp.cumsum(counts, axis=0) - counts
    table = xp.where(step == 0, xp.arange(256)[:, None, None], (darker + step // 2) // xp.maximum(step, 1))
    return _look_up(xp.minimum(table, 255).astype(np.uint8), images)


def solarize(images, threshold):
    """Invert the levels from a threshold on."""
    xp = array_module(images)
    return xp.where(images < xp.asarray(threshold)[:, None, None, None], images, 255 - images)


def posterize(images, bits):
    """Keep the first so many bits of each level."""
    mask = 256 - 2 ** (8 - np.asarray(bits))
    return images & array_module(images).asarray(mask.astype(np.uint8))[:, None, None, None]


def hue(images, turn):
    """Turn the hue by so many full turns of the colour circle (HSV)."""
    xp = array_module(images)
    red, green, blue = xp.moveaxis(images, -1, 0).astype(np.float32)  # (B, H, W) each
    value = xp.maximum(xp.maximum(red, green), blue)
    chroma = value - xp.minimum(xp.minimum(red, green), blue)
    sector = xp.where(value == red, green - blue,
                      xp.where(value == green, blue - red + 2 * chroma, red - green + 4 * chroma))
    sector = sector / xp.maximum(chroma, 1) + 6 * xp.asarray(turn, dtype=np.float32)[:, None, None]
    sector = sector - 6 * xp.floor(sector / 6)  # 0 is red, 2 green, 4 blue, and 6 red again
    lacking = 2 - abs(sector - 3), abs(sector - 2) - 1, abs(sector - 4) - 1
    channels = [xp.rint(value - chroma * xp.clip(share, 0, 1)).astype(np.uint8) for share in lacking]
    return xp.stack(channels, axis=-1)  # (B, H, W, 3)


def luminance(images):
    """0.299 R + 0.587 G + 0.114 B, in 16-bit fixed point as Pillow has it.    (B, H, W, 3) -> uint8 (B, H, W)"""
    wide = images.astype(np.uint32)
    return ((19595 * wide[..., 0] + 38470 * wide[..., 1] + 7471 * wide[..., 2] + 2**15) // 2**16).astype(np.uint8)


def _blend(poorer, images, factor):
    """poorer + factor (images - poorer), clipped to the levels and rounded down."""
    xp = array_module(images)
    factor = xp.asarray(factor, dtype=np.float32)[:, None, None, None]
    images = images.astype(np.float32)
    return xp.clip(poorer + factor * (images - poorer), 0, 255).astype(np.uint8)


def _look_up(tables, images):
    """Replace each level by its entry in the channel's table.    (256, B, C), (B, H, W, C) -> (B, H, W, C)"""
    xp = array_module(images)
    batch, _, _, channels = images.shape
    return tables[images, xp.arange(batch)[:, None, None, None], xp.arange(channels)]


def _bincount(x, length):
    """How often each of the numbers 0 .. length - 1 occurs.    int (N,) -> int (length,)"""
    if array_module(x) is np:
        return np.bincount(x, minlength=length)
    counts = array_module(x).zeros(length, np.int32)  # for CuPy's bincount the host looks at x, and waits
    scatter_add(counts, x, 1)
    return counts
