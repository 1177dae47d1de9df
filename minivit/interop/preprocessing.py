"""From a picture file to what a model was trained to see: resized, cropped, normalised.

The settings come from timm's config.json or from the preprocessor_config.json of transformers.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..data import read_picture

FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]  # the position is the number in Pillow
# Processors of transformers by the first part of their name: a size of one number is a square, or the shorter side
SQUARE = ("ViT", "DeiT", "Beit", "Pvt", "Swin", "ImageGPT")
SHORTER, CONVNEXT = ("CLIP", "Bit", "MobileViT", "Levit"), ("ConvNext",)
DETR = ("Detr",)  # the shorter side, unless the longer one would become too long
UNDERSTOOD = ("image_processor_type", "feature_extractor_type", "size", "crop_size", "resample", "image_mean",
              "image_std", "do_resize", "do_center_crop", "do_rescale", "rescale_factor", "do_normalize",
              "do_flip_channel_order")
WITHOUT_EFFECT = ("processor_class", "_valid_processor_keys", "_processor_class", "do_convert_rgb", "do_reduce_labels",
                  "data_format", "input_data_format", "return_tensors", "device", "disable_grouping",
                  "default_to_square", "image_seq_length", "clusters", "do_color_quantize")
OF_DETR = ("max_size", "format", "do_convert_annotations", "do_pad", "pad_size")  # a batch is padded, a picture is not
NEVER = [("do_pad", False), ("do_thumbnail", False), ("do_align_long_axis", False)]
IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop the centre, scale to 0..1, subtract the mean and divide by the deviation.

    Parameters
    ----------
    resize : int or (int, int) or None
        Length of the shorter side, whose picture keeps its proportions; or height and width; or as it is.
    crop : (int, int) or None
        Height and width of the centre that is kept; or all.
    interpolation : str
        One of FILTERS.
    mean, std : tuple of float
        Of red, green and blue.
    floor : bool
        Where an odd number of pixels is cut away: whether the smaller half always goes at the top and left
        (transformers), instead of rounding to the even number (timm).
    scale : float
        What bytes are multiplied by.
    reverse : bool
        Whether blue comes first, then green and red.
    longest : int, optional
        How long the longer side may become where the shorter one is given; the shorter one gives way.
    """

    resize: int | tuple | None
    crop: tuple | None
    interpolation: str = "bicubic"
    mean: tuple = IMAGENET["mean"]
    std: tuple = IMAGENET["std"]
    floor: bool = False
    scale: float = 1 / 255
    reverse: bool = False
    longest: int | None = None

    def __post_init__(self):
        if self.resize is None or self.crop is None:
            return
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
        pixels = pixels[..., ::-1] if self.reverse else pixels
        return (pixels * np.float32(self.scale) - np.float32(self.mean)) / np.float32(self.std)

    def _resized(self, height, width):
        if self.resize is None:
            return height, width
        if not isinstance(self.resize, int):
            return tuple(self.resize)
        exact = self.resize
        if self.longest:
            exact = min(exact, self.longest * min(height, width) / max(height, width))
        if height <= width:
            return round(exact), int(exact * width / height)
        return int(exact * height / width), round(exact)

    def _middle(self, length, axis):
        kept = self.crop[axis] if self.crop else length
        if kept > length:
            raise ValueError(f"Preprocessing: cannot keep {kept} of {length} pixels of a picture that is not resized")
        start = (length - kept) // 2 if self.floor else round((length - kept) / 2)
        return slice(start, start + kept)


def default(image_size, **settings):
    """What most ImageNet models take: 7/8 of the shorter side, ImageNet's mean and deviation."""
    height, width = (math.floor(pixels / 0.875) for pixels in image_size)
    return Preprocessing(height if height == width else (height, width), tuple(image_size), **settings)


def from_timm(config):
    """The settings of timm's config.json (its `pretrained_cfg`), which timm uses to validate."""
    data = config.get("pretrained_cfg") or config
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


def from_transformers(config, source="preprocessor_config.json"):
    """The settings of a preprocessor_config.json.

    Raises
    ------
    ValueError
        That names the setting, if it is none that we have.
    """
    config = {name: value for name, value in config.items() if value is not None}
    kind = config.get("image_processor_type", config.get("feature_extractor_type", ""))
    understood = UNDERSTOOD + (("crop_pct",) if kind.startswith(CONVNEXT) else OF_DETR if kind.startswith(DETR) else ())
    for name, value in config.items():
        if name not in understood + WITHOUT_EFFECT and (name, value) not in NEVER:
            raise ValueError(f"{source}: {name} = {value!r} has no counterpart in minivit")
    if kind and not kind.startswith(SQUARE + SHORTER + CONVNEXT + DETR):
        raise ValueError(f"{source}: {kind!r} is not known; expected the image_processor_type of "
                         f"{', '.join(SQUARE + SHORTER + CONVNEXT + DETR)}")
    resize, crop, longest = (_convnext if kind.startswith(CONVNEXT) else _detr if kind.startswith(DETR)
                             else _resize_and_crop)(config, kind)
    apple = kind.startswith("MobileViT")  # whose processor alone turns the colours round, and does not normalise
    normalised = config.get("do_normalize", not apple)
    return Preprocessing(
        resize, crop, FILTERS[config.get("resample", 2)],
        tuple(config.get("image_mean", (0.5,) * 3)) if normalised else (0.0,) * 3,
        tuple(config.get("image_std", (0.5,) * 3)) if normalised else (1.0,) * 3, floor=True, longest=longest,
        scale=config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1,
        reverse=apple and config.get("do_flip_channel_order", True))


def _resize_and_crop(config, kind):
    size = config.get("size", 224)
    if kind.startswith(SHORTER) and isinstance(size, int):
        size = {"shortest_edge": size}
    shorter = size.get("shortest_edge") if isinstance(size, dict) else None
    if shorter and kind.startswith("Levit"):  # whose processor names what is kept
        shorter = int(256 / 224 * shorter)
    resize = (shorter or _height_width(size)) if config.get("do_resize", True) else None
    if config.get("do_center_crop", kind.startswith(("DeiT", *SHORTER))):
        return resize, _height_width(config.get("crop_size", shorter or size)), None
    return resize, None if shorter or resize is None else resize, None


def _convnext(config, kind):
    """As ResNets have it: a crop below 384 pixels, the whole picture from there on; neither without resizing."""
    size = config.get("size", 384)
    edge = size["shortest_edge"] if isinstance(size, dict) else size
    if not config.get("do_resize", True):
        return None, None, None
    return int(edge / config.get("crop_pct", 224 / 256)) if edge < 384 else (edge, edge), (edge, edge), None


def _detr(config, kind):
    """The shorter and the longer side: in files of version 4, `size` and `max_size`."""
    size = config.get("size", {"shortest_edge": 800, "longest_edge": 1333})
    if isinstance(size, int):
        size = {"shortest_edge": size, "longest_edge": config.get("max_size")}
    if config.get("do_center_crop") or "shortest_edge" not in size:
        raise ValueError(f"preprocessor_config.json: size = {size!r} has no counterpart in minivit, which needs "
                         "shortest_edge, without do_center_crop")
    return (size["shortest_edge"], None, size.get("longest_edge")) if config.get("do_resize", True) else (None,) * 3


def to_timm(preprocessing):
    """The part of timm's `pretrained_cfg` that says the same."""
    resize = preprocessing.resize
    if resize is None or preprocessing.crop is None or preprocessing.scale != 1 / 255 or preprocessing.reverse:
        raise ValueError("preprocessing: timm always resizes, crops and scales to 0..1, red first; expected resize, "
                         f"crop and scale = 1 / 255, got {preprocessing}")
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
    resize, crop = preprocessing.resize, preprocessing.crop
    size = resize or crop
    size = {"shortest_edge": size} if isinstance(size, int) else size and _named(size)
    if preprocessing.longest:
        return _of_detr(preprocessing, size)
    kind, flip = ("MobileViT", {"do_flip_channel_order": True}) if preprocessing.reverse else ("ViT", {})
    return {"image_processor_type": f"{kind}ImageProcessor", "do_resize": resize is not None, "size": size,
            "resample": FILTERS.index(preprocessing.interpolation), "do_center_crop": crop is not None,
            "crop_size": crop and _named(crop), "do_rescale": preprocessing.scale != 1,
            "rescale_factor": preprocessing.scale, "do_normalize": True, "image_mean": list(preprocessing.mean),
            "image_std": list(preprocessing.std), **flip}


def _of_detr(preprocessing, size):
    if preprocessing.crop or preprocessing.reverse:
        raise ValueError("preprocessing: transformers' processor of DETR crops nothing and has red first, got "
                         f"{preprocessing}")
    return {"image_processor_type": "DetrImageProcessor", "do_resize": True,
            "size": size | {"longest_edge": preprocessing.longest},
            "resample": FILTERS.index(preprocessing.interpolation), "do_rescale": preprocessing.scale != 1,
            "rescale_factor": preprocessing.scale, "do_normalize": True, "image_mean": list(preprocessing.mean),
            "image_std": list(preprocessing.std)}


def _named(size):
    return {"height": size[0], "width": size[1]}


def _height_width(size):
    return (size, size) if isinstance(size, int) else (size["height"], size["width"])
