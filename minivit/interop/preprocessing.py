"""From a picture file to what a model was trained to see: resized, cropped, normalised.

The settings come from timm's config.json or from the preprocessor_config.json of transformers.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..data import read_picture

FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]  # the position is the number in Pillow
IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop the centre, scale to 0..1, subtract the mean and divide by the deviation.

    Parameters
    ----------
    resize : int or (int, int)
        Length of the shorter side, whose picture keeps its proportions; or height and width.
    crop : (int, int)
        Height and width of the centre that is kept.
    interpolation : str
        One of FILTERS.
    mean, std : tuple of float
        Of red, green and blue.
    floor : bool
        Where an odd number of pixels is cut away: whether the smaller half always goes at the top and left
        (transformers), instead of rounding to the even number (timm).
    """

    resize: int | tuple
    crop: tuple
    interpolation: str = "bicubic"
    mean: tuple = IMAGENET["mean"]
    std: tuple = IMAGENET["std"]
    floor: bool = False

    def __post_init__(self):
        sides = (self.resize, self.resize) if isinstance(self.resize, int) else self.resize
        if any(kept > side for kept, side in zip(self.crop, sides, strict=True)):
            raise ValueError(f"Preprocessing: cannot keep {self.crop[0]} x {self.crop[1]} pixels of a picture that was "
                             f"resized to {sides[0]} x {sides[1]}")

    def __call__(self, image):
        """A picture as the model sees it.

        Parameters
        ----------
        image : path, PIL.Image or uint8 array (height, width, 3)

        Returns
        -------
        float32 array (height, width, 3)
        """
        image = read_picture(image)
        size = self._resized(image.height, image.width)
        if size != (image.height, image.width):
            image = image.resize(size[::-1], FILTERS.index(self.interpolation))
        pixels = np.asarray(image, np.float32)[self._middle(size[0], 0), self._middle(size[1], 1)]
        return (pixels / 255 - np.float32(self.mean)) / np.float32(self.std)

    def _resized(self, height, width):
        if not isinstance(self.resize, int):
            return tuple(self.resize)
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def _middle(self, length, axis):
        kept = self.crop[axis]
        start = (length - kept) // 2 if self.floor else round((length - kept) / 2)
        return slice(start, start + kept)


def default(image_size, **settings):
    """What most ImageNet models take: 7/8 of the shorter side, ImageNet's mean and deviation."""
    height, width = (math.floor(pixels / 0.875) for pixels in image_size)
    return Preprocessing(height if height == width else (height, width), tuple(image_size), **settings)


def from_timm(config):
    """The settings of timm's config.json (its `pretrained_cfg`), which timm uses to validate."""
    data = config.get("pretrained_cfg", config)
    _, height, width = data.get("input_size", (3, 224, 224))
    fraction, mode = data.get("crop_pct") or 0.875, data.get("crop_mode") or "center"
    resize = (math.floor(height / fraction), math.floor(width / fraction))
    if mode == "center" and height == width:
        resize = resize[0]
    elif mode != "squash":
        raise ValueError(f"config.json: crop_mode {mode!r} for pictures of {height} x {width} pixels is not known; "
                         "expected 'squash', or 'center' and a square")
    return Preprocessing(resize, (height, width), data.get("interpolation") or "bicubic",
                         tuple(data.get("mean", IMAGENET["mean"])), tuple(data.get("std", IMAGENET["std"])))


def from_transformers(config):
    """The settings of a preprocessor_config.json."""
    size = config.get("size", 224)
    shorter = size.get("shortest_edge") if isinstance(size, dict) else None
    kind = config.get("image_processor_type", config.get("feature_extractor_type", ""))
    if kind.startswith("ConvNext"):  # as ResNets have it: a crop below 384 pixels, the whole picture from there on
        edge = shorter or size
        crop = (edge, edge)
        resize = int(edge / config.get("crop_pct", 224 / 256)) if edge < 384 else crop
    else:
        resize = shorter or _height_width(size)
        crop = _height_width(config["crop_size"] if config.get("do_center_crop") else shorter or size)
    return Preprocessing(resize, crop, FILTERS[config.get("resample", 2)], tuple(config.get("image_mean", (0.5,) * 3)),
                         tuple(config.get("image_std", (0.5,) * 3)), floor=True)


def to_timm(preprocessing):
    """The part of timm's `pretrained_cfg` that says the same."""
    resize = preprocessing.resize
    height, width = preprocessing.crop
    shorter = resize if isinstance(resize, int) else resize[0]
    fraction = height / shorter
    if math.floor(height / fraction) != shorter:  # what timm computes from it
        fraction = height / (shorter + 0.5)
    return {"input_size": [3, height, width], "crop_pct": fraction, "interpolation": preprocessing.interpolation,
            "crop_mode": "center" if isinstance(resize, int) else "squash",
            "mean": list(preprocessing.mean), "std": list(preprocessing.std)}


def to_transformers(preprocessing):
    """The preprocessor_config.json that says the same."""
    resize, (height, width) = preprocessing.resize, preprocessing.crop
    size = {"shortest_edge": resize} if isinstance(resize, int) else {"height": resize[0], "width": resize[1]}
    return {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": size,
            "resample": FILTERS.index(preprocessing.interpolation), "do_center_crop": True,
            "crop_size": {"height": height, "width": width}, "do_rescale": True, "rescale_factor": 1 / 255,
            "do_normalize": True, "image_mean": list(preprocessing.mean), "image_std": list(preprocessing.std)}


def _height_width(size):
    return (size, size) if isinstance(size, int) else (size["height"], size["width"])
