"""Pascal VOC's masks: small files that are read, and damaged ones that are told by name."""

import numpy as np
import pytest
from PIL import Image

from minivit import data
from minivit.data import voc
from minivit.data.objects import UNKNOWN
from minivit.tasks.segment import labels_of

CAT, PERSON = voc.CLASSES.index("cat"), voc.CLASSES.index("person")


def save_mask(file, numbers):
    """A PNG with a palette, as VOC has them."""
    image = Image.fromarray(numbers)
    image.putpalette([value for level in range(256) for value in (level, 255 - level, 7)])
    file.parent.mkdir(exist_ok=True)
    image.save(file)


@pytest.fixture
def labels():
    """A cat, two persons that touch, and an unknown rim, in 16 x 8 pixels."""
    made = np.zeros((8, 16), np.uint8)
    made[1:4, 1:5], made[2:8, 8:14], made[2, 8:14] = CAT + 1, PERSON + 1, UNKNOWN
    return made


@pytest.fixture
def folder(tmp_path, labels):
    (tmp_path / voc.LISTS).mkdir(parents=True)
    (tmp_path / "JPEGImages").mkdir()
    for split, name in (("train", "2007_1"), ("val", "2007_2")):
        (tmp_path / voc.LISTS / f"{split}.txt").write_text(f"{name}\n")
        Image.fromarray(np.full((8, 16, 3), 90, np.uint8)).save(tmp_path / "JPEGImages" / f"{name}.jpg")
        save_mask(tmp_path / "SegmentationClass" / f"{name}.png", labels)
    return tmp_path


@pytest.fixture
def with_objects(folder, labels):
    objects = np.where(labels == UNKNOWN, UNKNOWN, 0).astype(np.uint8)
    objects[labels == CAT + 1], objects[3:8, 8:11], objects[3:8, 11:14] = 3, 1, 2
    for name in ("2007_1", "2007_2"):
        save_mask(folder / "SegmentationObject" / f"{name}.png", objects)
    return folder


def test_classes_alone_make_one_object_of_each(folder, labels):
    train, test = voc.load_voc(folder, size=16)
    assert (len(train), len(test)) == (1, 1)
    assert train.object_classes.tolist() == [[CAT, PERSON]]
    assert train.boxes[0].tolist() == [[1, 1, 5, 4], [8, 3, 14, 8]]
    found = labels_of(train.masks, train.object_classes)[0]
    np.testing.assert_array_equal(found[:8], labels)
    assert (found[8:] == UNKNOWN).all()  # below the picture
    assert (np.abs(train.images[0, :8].astype(int) - 90) < 6).all()


def test_objects_are_told_apart(with_objects):
    train, _ = data.load(str(with_objects))
    assert train.images.shape == (1, 64, 64, 3)
    assert train.object_classes.tolist() == [[PERSON, PERSON, CAT]]
    assert train.boxes[0].tolist() == [[32, 12, 44, 32], [44, 12, 56, 32], [4, 4, 20, 16]]


def test_a_class_that_does_not_exist_is_told(folder, labels):
    labels[5, 3] = 21
    save_mask(folder / "SegmentationClass" / "2007_2.png", labels)
    with pytest.raises(ValueError, match=r"2007_2\.png: expected classes from 0 to 20, or 255, got 21 in row 5, col"):
        voc.load_voc(folder)


def test_an_object_of_two_classes_is_told(with_objects, labels):
    labels[4, 9] = CAT + 1
    save_mask(with_objects / "SegmentationClass" / "2007_1.png", labels)
    with pytest.raises(ValueError, match=r"SegmentationObject.*2007_1\.png: object 1 must have one class, got \[8, 15"):
        voc.load_voc(with_objects)


def test_missing_and_damaged_files_are_told(folder):
    mask = folder / "SegmentationClass" / "2007_1.png"
    Image.fromarray(np.zeros((8, 16, 3), np.uint8)).save(mask)
    with pytest.raises(ValueError, match=r"2007_1\.png: expected a mask with a palette, 16 x 8 pixels, got mode RGB"):
        voc.load_voc(folder)
    save_mask(mask, np.zeros((8, 15), np.uint8))
    with pytest.raises(ValueError, match=r"2007_1\.png: expected a mask .* 16 x 8 pixels, got mode P and 15 x 8"):
        voc.load_voc(folder)
    mask.write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match=r"2007_1\.png: cannot be read as a mask"):
        voc.load_voc(folder)
    mask.unlink()
    with pytest.raises(FileNotFoundError, match=r"2007_1\.png: there is no such mask"):
        voc.load_voc(folder)
    (folder / "JPEGImages" / "2007_1.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.txt: 2007_1: there is no picture .*2007_1\.jpg"):
        voc.load_voc(folder)
