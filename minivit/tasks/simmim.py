"""SimMIM: a Simple Framework for Masked Image Modeling.  Xie et al., CVPR 2022, arXiv:2111.09886.

Large squares of a picture are hidden, and the model paints their pixels. All is as simple as can be: the encoder sees a
learned mask token in the place of each hidden patch, one linear map turns what it makes of each place into pixels, and
the loss is the mean absolute error of the hidden ones. So any encoder that begins with patches will do, ViT or Swin.

    B batch    H x W patches    P patch size    S pixels a side of a place that the encoder makes    D, F widths
    Swin: (B, 32, 32, 3) -> patches (B, 16, 16, D), at hidden places the mask token -> encoded (B, 4, 4, F)
                         -> pixels of each place (B, 4, 4, S S 3) -> (B, 32, 32, 3)
    loss = sum over hidden pixels of |x - x'| / (hidden pixels * channels)          -> ()

    python -m minivit train simmim                     on Swin
    python -m minivit train simmim --model vit

Departures from the paper: none. A ViT has learned absolute positions here, as in transformers; the authors' has the
position biases of BEiT, which is `--model beit`.
"""

import math

import numpy as np

from ..backend import to_device
from ..engine import Tensor, no_grad
from ..nn import Linear, Parameter, PatchEmbed, truncated_normal, unpatchify
from ..ops import abs, where
from ..team import all_sum
from .task import Task


def random_units(rng, batch, grid, ratio=0.6):
    """Hide the same number of units of every picture, by chance.    -> bool (B, rows, columns), True where hidden"""
    units = math.prod(grid)
    rank = rng.random((batch, units)).argsort(axis=1).argsort(axis=1)  # sorting random numbers shuffles
    return (rank < math.ceil(ratio * units)).reshape(batch, *grid)


def enlarged(mask, times):
    """Each place of a mask as `times` rows and columns of places.    (B, H, W) -> (B, times H, times W)"""
    return mask.repeat(times, axis=1).repeat(times, axis=2)


class SimMIM(Task):
    """An encoder, the mask token, and the linear map to pixels.

    Parameters
    ----------
    encoder : Module
        Begins with patches: has `patches` and `encoded`, as minivit/models/__init__.py tells.
    unit : int
        Pixels a side of what is hidden or not: 32 in the paper.
    mask_ratio : float
        How many of the units are hidden, rounded up.
    """

    defaults = {"model": "swin", "batch_size": 128, "minutes": 15.0, "task_settings": {"unit": 8}}

    def __init__(self, encoder, *, unit=32, mask_ratio=0.6):
        if not hasattr(encoder, "encoded") or not isinstance(encoder.patch_embed, PatchEmbed):
            raise ValueError("simmim: needs a model that begins with patches, as vit, beit and swin; this is a "
                             f"{type(encoder).__name__}")
        (_, dim), self.channels, self.patch_size = (
            encoder.patch_embed.weight.shape, encoder.patch_embed.channels, encoder.patch_embed.patch_size)
        if unit % self.patch_size or any(pixels % unit for pixels in encoder.image_size):
            raise ValueError("unit: {} pixels are no whole number of patches of {}, or do not divide pictures of "
                             "{} x {}".format(unit, self.patch_size, *encoder.image_size))
        units = math.prod(pixels // unit for pixels in encoder.image_size)
        if not 0 < math.ceil(mask_ratio * units) < units:
            raise ValueError(f"mask_ratio: {mask_ratio} of {units} units hides none or all")
        self.encoder, self.unit, self.mask_ratio = encoder, unit, mask_ratio
        self.mask_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.stride = self.patch_size * 2 ** (len(getattr(encoder, "stages", [encoder])) - 1)
        self.head = Linear(encoder.norm.weight.size, self.stride ** 2 * self.channels)

    @property
    def backbone(self):
        """The encoder."""
        return self.encoder

    def batch(self, samples, chosen, rng):
        """Pictures (B, height, width, C), and which patches are hidden, bool (B, H, W)."""
        images = samples.view(chosen, rng)
        grid = [pixels // self.unit for pixels in images.shape[1:3]]
        return images, enlarged(random_units(rng, len(images), grid, self.mask_ratio), self.unit // self.patch_size)

    def loss(self, images, mask):
        """The mean absolute error of the hidden pixels."""
        return self(Tensor.without_copy(images), mask), {}

    def forward(self, images, mask):
        """(B, height, width, C), and bool (B, H, W), True where hidden -> ()"""
        error = abs(self.paint(images, mask) - images)                                      # (B, height, width, C)
        hidden = enlarged(mask, self.patch_size)                                            # (B, height, width)
        count, pictures = all_sum(hidden.sum()), all_sum(np.array(len(mask)))
        weight = pictures / (len(mask) * self.channels * count)  # the mean over pictures is taken by who asks
        return (error * hidden[..., None]).sum() * weight.astype(error.dtype)

    def paint(self, images, mask):
        """The pixels of the whole picture, seen or not.    (B, height, width, C), (B, H, W) -> (B, height, width, C)"""
        x = self.encoder.patches(images)                                                    # (B, H, W, D)
        if mask.shape != x.shape[:3]:
            raise ValueError(f"mask: expected shape {x.shape[:3]}, pictures by rows and columns of patches, got "
                             f"{mask.shape}")
        x = self.head(self.encoder.encoded(where(mask[..., None], self.mask_token, x)))     # (B, h, w, S S C)
        B, h, w, pixels = x.shape
        return unpatchify(x.reshape(B, h * w, pixels), (h, w), self.channels)               # (B, height, width, C)

    def pictures(self, samples, chosen):
        """Pictures, what the encoder sees of each, and the same with the hidden pixels painted."""
        images, mask = (to_device(x, samples.device) for x in self.batch(samples, chosen, np.random.default_rng(0)))
        with no_grad():
            painted = self.paint(Tensor.without_copy(images), mask).data
        hidden = enlarged(mask, self.patch_size)[..., None]                                 # (B, height, width, 1)
        return {"picture": samples.as_bytes(images), "what the encoder sees": samples.as_bytes(images * ~hidden),
                "what it paints": samples.as_bytes(images * ~hidden + painted * hidden)}


TASK = SimMIM
