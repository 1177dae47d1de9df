"""The windows that convolution, pooling and unfold slide over a picture.

    (B, H, W, C) -> (B, H', W', kh, kw, C)    H' = floor((H + top + bottom - dilation (kh - 1) - 1) / stride) + 1

A guide to this arithmetic, with pictures: Dumoulin and Visin, 2016, arXiv:1603.07285.
"""

import math

import numpy as np

from ..backend import array_module
from ..memory import empty
from .checks import pair, two


class Windows:
    """Where the windows lie on pictures of H x W pixels.

    Parameters
    ----------
    image, kernel : (int, int)
        Height and width of the picture and of a window.
    stride, dilation : int or (int, int)
        Steps from one window to the next, and from one pixel of a window to the next.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        Pixels added around the picture: "valid" adds none, "same" as many as make H' = H / stride, rounded up.
    """

    def __init__(self, image, kernel, *, stride=1, padding=0, dilation=1):
        self.image, self.kernel = pair(image, "image"), pair(kernel, "kernel")
        self.stride, self.dilation = pair(stride, "stride"), pair(dilation, "dilation")
        self.extent = tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        is_possible = min(*self.kernel, *self.stride, *self.dilation) >= 1
        self.padding = self._sides(padding) if is_possible else ()
        if not is_possible or min(map(min, self.padding)) < 0:
            raise ValueError(f"kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1, padding "
                             f"{padding} at least 0")
        self.padded = tuple(n + sum(sides) for n, sides in zip(self.image, self.padding, strict=True))
        if self.extent[0] > self.padded[0] or self.extent[1] > self.padded[1]:
            raise ValueError("a window of {} x {} pixels is larger than the padded picture of {} x {} pixels".format(
                *self.extent, *self.padded))
        self.grid = tuple((n - e) // s + 1 for n, e, s in zip(self.padded, self.extent, self.stride, strict=True))
        (top, _), (left, _) = self.padding
        self.inside = (slice(None), slice(top, top + self.image[0]), slice(left, left + self.image[1]))

    def _sides(self, padding):
        """((top, bottom), (left, right))"""
        if isinstance(padding, str) and padding == "same":
            added = [max((-(-n // s) - 1) * s + e - n, 0) for n, s, e in zip(
                self.image, self.stride, self.extent, strict=True)]
            return tuple((n // 2, n - n // 2) for n in added)  # an odd pixel goes below, and to the right
        if isinstance(padding, str) and padding != "valid":
            raise ValueError(f"padding: expected whole numbers, 'same' or 'valid', got {padding!r}")
        return tuple(pair(sides, "padding") for sides in two(0 if isinstance(padding, str) else padding, "padding"))

    def turned(self):
        """The windows over y whose convolution with the kernel turned round gives the gradient of x.

        With a stride, or with padding that some windows see nothing else of, there are none: None.
        """
        padding = tuple((e - 1 - before, e - 1 - after) for e, (before, after) in zip(
            self.extent, self.padding, strict=True))
        if self.stride != (1, 1) or min(map(min, padding)) < 0:
            return None
        return Windows(self.grid, self.kernel, padding=padding, dilation=self.dilation)

    def pad(self, x, value=0):
        """(B, H, W, C) -> (B, top + H + bottom, left + W + right, C), x itself where there is no padding"""
        if self.padded == self.image:
            return x
        return array_module(x).pad(x, ((0, 0), *self.padding, (0, 0)), constant_values=value)

    def pad_by_slice(self, x, slices):
        """Yield each slice of a batch with its padded pictures, in one array that is used again and again."""
        longest = max((s.stop - s.start for s in slices), default=0)
        padded = empty((longest, *self.padded, x.shape[-1]), x.dtype, array_module(x))
        padded[...] = 0
        for pictures in slices:
            part = padded[:pictures.stop - pictures.start]
            part[self.inside] = x[pictures]
            yield pictures, part

    def view(self, padded):
        """All windows of padded pictures, as a view.    (B, ..., ..., C) -> (B, H', W', kh, kw, C)"""
        B, rows, columns, C = padded.strides
        strides = (B, rows * self.stride[0], columns * self.stride[1],
                   rows * self.dilation[0], columns * self.dilation[1], C)
        return array_module(padded).lib.stride_tricks.as_strided(
            padded, (len(padded), *self.grid, *self.kernel, padded.shape[-1]), strides)

    def pixels(self, padded):
        """Pixel (i, j) of all windows, one after the other.    (B, ..., ..., C) -> kh kw views (B, H', W', C)"""
        rows, columns = ([slice(d * i, d * i + s * (g - 1) + 1, s) for i in range(k)] for k, d, s, g in zip(
            self.kernel, self.dilation, self.stride, self.grid, strict=True))
        return [padded[:, row, column] for row in rows for column in columns]

    def add(self, windows):
        """The adjoint of `view`: each pixel gets the sum over its windows.    (B, H', W', kh, kw, C) -> (B, H, W, C)"""
        B, *_, C = windows.shape
        padded = array_module(windows).zeros((B, *self.padded, C), dtype=windows.dtype)
        pixels = windows.reshape(B, *self.grid, math.prod(self.kernel), C)  # (B, H', W', kh kw, C)
        for i, pixel in enumerate(self.pixels(padded)):
            pixel += pixels[:, :, :, i]
        return padded[self.inside]


def batch_slices(batch, size, xp, least=1):
    """Slices of a batch, of `least` pictures or more: temporary arrays of `size` numbers a picture fit a CPU's cache.

    A GPU takes a gigabyte at once.
    """
    pictures = max(least, (1 << 19 if xp is np else 1 << 28) // max(size, 1))
    return [slice(start, min(start + pictures, batch)) for start in range(0, batch, pictures)]
