"""Folders in the format of Pascal VOC's segmentation: pictures, and masks as PNG files with a palette.

    ImageSets/Segmentation/train.txt, val.txt    names, one a line
    JPEGImages/NAME.jpg                          the pictures
    SegmentationClass/NAME.png                   for each pixel its class, 0 the background, 255 unknown
    SegmentationObject/NAME.png                  for each pixel the number of its object, if there is such a folder

Everingham et al., "The Pascal visual object classes (VOC) challenge", IJCV 2010. Without the last folder, all of one
class in a picture counts as one object. Pictures are scaled to fit into squares of one size.
"""

from pathlib import Path

import numpy as np

from ..types import AnyPath
from .folders import MOST, fitted, padded, picture_of
from .objects import UNKNOWN, Objects, boxes_of

CLASSES = ("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
           "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor")
LISTS = Path("ImageSets") / "Segmentation"


def is_voc(folder: AnyPath) -> bool:
    """Whether a folder has the files of Pascal VOC's segmentation."""
    return (Path(folder) / LISTS / "train.txt").is_file()


def load_voc(folder: AnyPath, *, size: int = 64, classes: tuple[str, ...] = CLASSES) -> tuple[Objects, Objects]:
    """The training and the test set of a folder.

    Parameters
    ----------
    folder : path
    size : int
        Of the squares that the pictures are fitted into, in pixels.
    classes : tuple of str
        The names of the numbers from 1.

    Raises
    ------
    FileNotFoundError
        For a missing file or picture.
    ValueError
        For masks of other sizes than their pictures, without a class, or with a number that is none; the message names
        the file.
    """
    folder = Path(folder)
    return (read_split(folder, "train", size=size, classes=classes),
            read_split(folder, "val", size=size, classes=classes))


def read_split(folder: Path, split: str, *, size: int = 64, classes: tuple[str, ...] = CLASSES) -> Objects:
    """The pictures that one of the lists names, with their objects."""
    file = folder / LISTS / f"{split}.txt"
    names = file.read_text(encoding="utf-8").split()
    by_object = (folder / "SegmentationObject").is_dir()
    images, masks, kinds = [], [], []
    for name in names:
        picture = picture_of(folder / "JPEGImages" / f"{name}.jpg", f"{file}: {name}")
        labels = read_numbers(folder / "SegmentationClass" / f"{name}.png", picture.size)
        wrong = (labels > len(classes)) & (labels != UNKNOWN)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(f"{folder / 'SegmentationClass' / name}.png: expected classes from 0 to {len(classes)}, "
                             f"or 255, got {labels[row, column]} in row {row}, column {column}")
        objects = folder / "SegmentationObject" / f"{name}.png"
        numbers, found = numbered(labels, read_numbers(objects, picture.size) if by_object else labels, objects)
        image, mask, _ = fitted(picture, numbers, size)
        images.append(image)
        masks.append(mask)
        kinds.append(found)
    shape, object_classes = (len(names), size, size), padded(kinds, -1)
    numbers = np.array(masks, np.uint8).reshape(shape)
    boxes = boxes_of(numbers, object_classes.shape[1])
    object_classes[boxes[..., 2] == 0] = -1  # too small to be left in the scaled picture
    return Objects(np.array(images, np.uint8).reshape(*shape, 3), None, tuple(classes), split, object_classes, boxes,
                   numbers)


def read_numbers(file: Path, expected: tuple[int, int]) -> np.ndarray:
    """The numbers of a PNG file with a palette, or of grey levels.    -> uint8 (height, width)

    Raises
    ------
    FileNotFoundError, ValueError
        If it is missing, no such file, or not of the expected size (width, height).
    """
    from PIL import Image
    if not file.is_file():
        raise FileNotFoundError(f"{file}: there is no such mask")
    try:
        with Image.open(file) as image:
            mode, numbers = image.mode, np.array(image)
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(f"{file}: cannot be read as a mask ({error})") from error
    if mode not in ("P", "L") or numbers.shape != expected[::-1]:
        raise ValueError(f"{file}: expected a mask with a palette, {expected[0]} x {expected[1]} pixels, got mode "
                         f"{mode} and {numbers.shape[1]} x {numbers.shape[0]}")
    return numbers


def numbered(labels: np.ndarray, objects: np.ndarray, file: Path) -> tuple[np.ndarray, list[int]]:
    """A map of object numbers without gaps, and the class of each object, from 0.    two of (H, W) -> (H, W), list"""
    present = [number for number in np.unique(objects) if number not in (0, UNKNOWN)]
    if len(present) > MOST:
        raise ValueError(f"{file}: has {len(present)} objects, of which a map of bytes can hold {MOST}")
    numbers, kinds = np.where(labels == UNKNOWN, UNKNOWN, 0).astype(np.uint8), []
    for place, number in enumerate(present):
        inside = objects == number
        classes = [kind for kind in np.unique(labels[inside]) if kind != UNKNOWN]
        if len(classes) != 1 or classes[0] == 0:
            raise ValueError(f"{file}: object {number} must have one class, got {[int(kind) for kind in classes]}")
        numbers[inside & (labels != UNKNOWN)] = place + 1
        kinds.append(int(classes[0]) - 1)
    return numbers, kinds
