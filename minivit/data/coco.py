"""Folders in the format of COCO: pictures, and JSON files with their objects and sentences.

    annotations/instances_train2017.json    boxes and masks of objects          train2017/    the pictures
    annotations/instances_val2017.json                                          val2017/
    annotations/captions_train2017.json     sentences, if there are any

Lin et al., "Microsoft COCO: common objects in context", ECCV 2014, arXiv:1405.0312. Any other year, or none, will do.
Pictures are scaled to fit into squares of one size. Where masks overlap, the smaller object lies in front; what belongs
to a crowd is unknown. A picture has several sentences there; the first of them is taken.
"""

import json
import math
import re
from pathlib import Path

import numpy as np

from ..types import AnyPath
from ..words import MARKS, in_numbers
from .folders import MOST, fitted, padded, picture_of
from .objects import UNKNOWN, Objects

SPLITS = ("train", "val")  # to train on, and to test on


def is_coco(folder: AnyPath) -> bool:
    """Whether a folder has COCO's files."""
    return any(Path(folder).glob("annotations/instances_*.json"))


def load_coco(folder: AnyPath, *, size: int = 64, words: tuple[str, ...] | None = None) -> tuple[Objects, Objects]:
    """The training and the test set of a folder.

    Parameters
    ----------
    folder : path
    size : int
        Of the squares that the pictures are fitted into, in pixels.
    words : tuple of str, optional
        The vocabulary of the sentences, MARKS in front; by default all words that there are.

    Raises
    ------
    FileNotFoundError
        For a missing file or picture.
    ValueError
        For a damaged file, a box outside its picture, an empty mask, an unknown word; the message names the file and
        the entry.
    """
    files = [_only(Path(folder), f"instances_{split}") for split in SPLITS]
    captions = [file.with_name(file.name.replace("instances_", "captions_")) for file in files]
    told = [read_captions(file) if file.is_file() else {} for file in captions]
    if words is None:
        words = (*MARKS, *sorted({word for sentences in told for _, text in sentences.values() for word in text}))
    return tuple(  # type: ignore[return-value]  # one for each split
        read_instances(file, file.parents[1] / file.stem.removeprefix("instances_"), size=size,
                       captions=(caption, sentences) if sentences else None, words=words)
        for file, caption, sentences in zip(files, captions, told, strict=True))


def _only(folder, beginning):
    files = sorted(folder.glob(f"annotations/{beginning}*.json"))
    if len(files) != 1:
        raise FileNotFoundError(f"{folder / 'annotations'}: expected one file {beginning}*.json, found {len(files)}")
    return files[0]


def read_json(file: Path, names: tuple[str, ...]) -> list[list[dict]]:
    """The lists of a JSON file that stand under some names.

    Raises
    ------
    ValueError
        If it is no JSON, as a truncated file, or has no such lists.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: is no complete JSON file ({error})") from error
    missing = [name for name in names if not isinstance(content, dict) or not isinstance(content.get(name), list)]
    if missing:
        raise ValueError(f"{file}: expected lists {', '.join(names)}; there is no {', no '.join(missing)}")
    return [content[name] for name in names]


def read_captions(file: Path) -> dict[int, tuple[int, list[str]]]:
    """The first sentence of each picture: {number of the picture: (number of the sentence, its words)}."""
    found: dict[int, tuple[int, list[str]]] = {}
    for entry in read_json(file, ("annotations",))[0]:
        picture, number, text = _fields(file, "annotation", entry, "image_id", "id", "caption")
        if picture not in found or number < found[picture][0]:
            found[picture] = number, re.findall(r"[a-z0-9']+", text.lower())
    return found


def read_instances(file: Path, pictures: Path, *, size: int = 64,
                   captions: tuple[Path, dict[int, tuple[int, list[str]]]] | None = None,
                   words: tuple[str, ...] = MARKS) -> Objects:
    """The pictures of one file, with their objects.

    Parameters
    ----------
    file, pictures : Path
        The JSON file, and the folder of the pictures.
    size : int
    captions : (Path, dict), optional
        The file of the captions, and what `read_captions` made of it.
    words : tuple of str
    """
    entries, annotations, categories = read_json(file, ("images", "annotations", "categories"))
    kinds = sorted(_fields(file, "category", entry, "id", "name") for entry in categories)
    places = {number: place for place, (number, _) in enumerate(kinds)}
    of_picture: dict[int, list[dict]] = {}
    for entry in annotations:
        of_picture.setdefault(_fields(file, "annotation", entry, "image_id")[0], []).append(entry)
    unknown = of_picture.keys() - {_fields(file, "image", entry, "id")[0] for entry in entries}
    if unknown:
        wrong = of_picture[min(unknown)][0]
        raise ValueError(f"{file}: annotation {wrong.get('id')}: there is no image {min(unknown)}")
    images, masks, boxes, classes, told = [], [], [], [], []
    for entry in entries:
        number, name, height, width = _fields(file, "image", entry, "id", "file_name", "height", "width")
        picture = picture_of(pictures / name, f"{file}: image {number}")
        if picture.size != (width, height):
            raise ValueError(f"{file}: image {number}: expected {width} x {height} pixels, but {pictures / name} has "
                             f"{picture.size[0]} x {picture.size[1]}")
        objects = [_read_object(file, each, places, height, width) for each in of_picture.get(number, [])]
        numbers, objects = _in_front(f"{file}: image {number}", objects, height, width)
        image, mask, scale = fitted(picture, numbers, size)
        images.append(image)
        masks.append(mask)
        boxes.append([_scaled(box, scale, size) for _, box, _ in objects])
        classes.append([kind for kind, _, _ in objects])
        if captions:
            told.append(_sentence(*captions, number, words))
    shape = len(images), size, size
    return Objects(np.array(images, np.uint8).reshape(*shape, 3), None, tuple(name for _, name in kinds),
                   file.stem.removeprefix("instances_"), padded(classes, -1), padded(boxes, 0, (4,)),
                   np.array(masks, np.uint8).reshape(shape), in_numbers(told, words) if captions else None,
                   tuple(words) if captions else ())


def _fields(file, what, entry, *names):
    """The values of an entry, all of which it must have."""
    missing = [name for name in names if not isinstance(entry, dict) or name not in entry]
    if missing:
        number = entry.get("id", "?") if isinstance(entry, dict) else "?"
        raise ValueError(f"{file}: {what} {number}: has no {', no '.join(missing)}")
    return tuple(entry[name] for name in names)


def _read_object(file, entry, places, height, width):
    """(its class, or None for a crowd; box (x0, y0, x1, y1) in pixels; mask bool (height, width))"""
    number, kind, box = _fields(file, "annotation", entry, "id", "category_id", "bbox")
    where = f"{file}: annotation {number}"
    if kind not in places:
        raise ValueError(f"{where}: there is no category {kind}")
    if len(box) != 4 or not all(isinstance(side, int | float) and math.isfinite(side) for side in box):
        raise ValueError(f"{where}: expected a box of four numbers, got {box}")
    x, y, w, h = box
    if not (w > 0 and h > 0 and x >= -1 and y >= -1 and x + w <= width + 1 and y + h <= height + 1):
        raise ValueError(f"{where}: the box {box} (x, y, width, height) is empty or lies outside the picture of {width}"
                         f" x {height} pixels")
    mask = _read_mask(where, entry.get("segmentation"), height, width)
    if mask is None:
        mask = np.zeros((height, width), bool)
        mask[max(0, int(y)):math.ceil(y + h), max(0, int(x)):math.ceil(x + w)] = True
    return None if entry.get("iscrowd") else places[kind], (x, y, x + w, y + h), mask


def _read_mask(where, segmentation, height, width):
    """A mask bool (height, width) of polygons or run lengths; None where none is given."""
    if segmentation is None:
        return None
    from pycocotools import mask as coco_mask
    try:
        runs = coco_mask.frPyObjects(segmentation, height, width) if _needs_runs(segmentation) else segmentation
        found = coco_mask.decode(coco_mask.merge(runs) if isinstance(runs, list) else runs).astype(bool)
    except Exception as error:  # whatever its C code makes of numbers that are no mask
        raise ValueError(f"{where}: cannot be read as a mask ({error})") from error
    if found.shape != (height, width) or not found.any():
        raise ValueError(f"{where}: the mask is empty, or of another size than the picture: {found.sum()} pixels of "
                         f"{found.shape[1]} x {found.shape[0]}")
    return found


def _needs_runs(segmentation):
    """Whether it is polygons, or run lengths as plain numbers, and no string of compressed ones."""
    return isinstance(segmentation, list) or isinstance(segmentation.get("counts"), list)


def _in_front(where, objects, height, width):
    """One map of all objects, the smaller in front of the larger, and those that are no crowds, in the same order."""
    single = [each for each in objects if each[0] is not None]
    if len(single) > MOST:
        raise ValueError(f"{where}: has {len(single)} objects, of which a map of bytes can hold {MOST}")
    numbers = np.zeros((height, width), np.uint8)
    for kind, _, mask in objects:
        if kind is None:
            numbers[mask] = UNKNOWN
    for number in sorted(range(len(single)), key=lambda number: -single[number][2].sum()):
        numbers[single[number][2]] = number + 1
    return numbers, single


def _scaled(box, scale, size):
    """The pixels of the fitted picture that a box touches.    -> (x0, y0, x1, y1)"""
    x0, y0, x1, y1 = (scale * side for side in box)
    x0, y0 = (min(max(0, math.floor(side)), size - 1) for side in (x0, y0))
    return x0, y0, min(max(x0 + 1, math.ceil(x1)), size), min(max(y0 + 1, math.ceil(y1)), size)


def _sentence(file, sentences, picture, words):
    if picture not in sentences:
        raise ValueError(f"{file}: image {picture}: has no sentence")
    number, text = sentences[picture]
    unknown = [word for word in text if word not in words]
    if unknown:
        raise ValueError(f"{file}: annotation {number}: unknown word {unknown[0]!r}; there are {len(words)} words")
    return " ".join(text)
