"""COCO's format: small files that are read, and damaged ones that are told by file and entry."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from minivit import data
from minivit.data import coco
from minivit.data.objects import UNKNOWN

pytest.importorskip("pycocotools")


@pytest.fixture
def folder(tmp_path):
    """Two pictures to train on, one to test on, of 20 x 10 pixels; writes what `change` made of the lists."""
    content = {}
    for split, numbers in (("train", (7, 9)), ("val", (3,))):
        (tmp_path / f"{split}2017").mkdir()
        rng = np.random.default_rng(numbers[0])
        for number in numbers:
            Image.fromarray(rng.integers(256, size=(10, 20, 3), dtype=np.uint8)).save(
                tmp_path / f"{split}2017" / f"{number}.png")
        content[f"instances_{split}2017"] = {
            "images": [{"id": number, "file_name": f"{number}.png", "height": 10, "width": 20} for number in numbers],
            "categories": [{"id": 18, "name": "dog"}, {"id": 2, "name": "bicycle"}],
            "annotations": [
                {"id": 1, "image_id": numbers[0], "category_id": 18, "bbox": [2, 1, 8, 6], "iscrowd": 0,
                 "segmentation": [[2, 1, 10, 1, 10, 7, 2, 7]]},
                {"id": 2, "image_id": numbers[0], "category_id": 2, "bbox": [4, 3, 2, 2], "iscrowd": 0,
                 "segmentation": [[4, 3, 6, 3, 6, 5, 4, 5]]},
                {"id": 3, "image_id": numbers[0], "category_id": 2, "bbox": [15, 0, 5, 5], "iscrowd": 1,
                 "segmentation": {"size": [10, 20], "counts": [150, 5, 45]}}]}
        content[f"captions_{split}2017"] = {"annotations": [
            {"id": 10 * number + k, "image_id": number, "caption": text} for number in numbers
            for k, text in ((2, "Another one."), (1, "A dog, on the left!"))]}

    def write():
        (tmp_path / "annotations").mkdir(exist_ok=True)
        for name, lists in content.items():
            (tmp_path / "annotations" / f"{name}.json").write_text(json.dumps(lists))
        return tmp_path
    write.content, write.train = content, content["instances_train2017"]
    return write


def test_boxes_masks_and_sentences(folder):
    train, test = data.load(str(folder()))
    assert (len(train), len(test)) == (2, 1)
    assert train.classes == ("bicycle", "dog")
    assert train.images.shape == (2, 64, 64, 3)
    assert train.object_classes.tolist() == [[1, 0], [-1, -1]]
    assert train.boxes[0].tolist() == [[6, 3, 32, 23], [12, 9, 20, 16]]  # 3.2 times the picture, outwards
    assert data.in_words(train.sentences[0], train.words) == "a dog on the left"
    assert test.words == train.words


def test_the_smaller_lies_in_front_and_crowds_are_unknown(folder):
    train = coco.load_coco(folder(), size=20)[0]
    mask = train.masks[0]
    assert (mask[10:] == UNKNOWN).all()  # below the picture
    assert (mask[3:5, 4:6] == 2).all()
    assert mask[1, 2] == mask[6, 9] == 1
    assert (mask[:10] == UNKNOWN).sum() == 5
    assert (mask[0:5, 15] == UNKNOWN).all()
    picture = np.asarray(Image.open(folder() / "train2017" / "7.png"))
    np.testing.assert_array_equal(train.images[0, :10], picture)


def test_an_object_without_a_mask_is_its_box(folder):
    del folder.train["annotations"][1]["segmentation"]
    assert (coco.load_coco(folder(), size=20)[0].masks[0][3:5, 4:6] == 2).all()


@pytest.mark.parametrize(("change", "message"), [
    (lambda lists: lists["annotations"][1].update(bbox=[15, 3, 9, 2]),
     "annotation 2: the box [15, 3, 9, 2] (x, y, width, height) is empty or lies outside the picture of 20 x 10"),
    (lambda lists: lists["annotations"][0].update(bbox=[2, 1, 0, 6]), "annotation 1: the box [2, 1, 0, 6]"),
    (lambda lists: lists["annotations"][0].update(bbox=[2, 1, 3]), "annotation 1: expected a box of four numbers"),
    (lambda lists: lists["annotations"][0].update(segmentation={"size": [10, 20], "counts": [200]}),
     "annotation 1: the mask is empty"),
    (lambda lists: lists["annotations"][0].update(segmentation=[[1, 2]]), "annotation 1: cannot be read as a mask"),
    (lambda lists: lists["annotations"][2].update(category_id=5), "annotation 3: there is no category 5"),
    (lambda lists: lists["annotations"][2].update(image_id=5), "annotation 3: there is no image 5"),
    (lambda lists: lists["annotations"][2].pop("bbox"), "annotation 3: has no bbox"),
    (lambda lists: lists["images"][1].update(file_name="8.png"), "image 9: there is no picture"),
    (lambda lists: lists["images"][1].update(width=21), "image 9: expected 21 x 10 pixels, but"),
    (lambda lists: lists.pop("categories"), "expected lists images, annotations, categories; there is no categories")])
def test_bad_entries_are_told_by_file_and_number(folder, change, message):
    change(folder.train)
    with pytest.raises((ValueError, FileNotFoundError), match=re.escape(message)) as caught:
        coco.load_coco(folder())
    assert "instances_train2017.json: " in str(caught.value)


def test_a_truncated_file_is_told(folder):
    file = folder() / "annotations" / "instances_val2017.json"
    file.write_text(file.read_text()[:-40])
    with pytest.raises(ValueError, match=r"instances_val2017\.json: is no complete JSON file"):
        coco.load_coco(file.parents[1])


def test_a_damaged_picture_is_told(folder):
    (folder() / "train2017" / "9.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"instances_train2017\.json: image 9: .*9\.png: cannot be read as a picture"):
        coco.load_coco(folder())


def test_an_unknown_word_and_a_missing_sentence_are_told(folder):
    words = ("<pad>", "<start>", "<end>", "a", "dog", "on", "the")
    with pytest.raises(ValueError, match=r"captions_train2017\.json: annotation 71: unknown word 'left'; there are 7"):
        coco.load_coco(folder(), words=words)
    folder.content["captions_train2017"]["annotations"] = folder.content["captions_train2017"]["annotations"][:2]
    with pytest.raises(ValueError, match=r"captions_train2017\.json: image 9: has no sentence"):
        coco.load_coco(folder())


def test_a_missing_file_is_told(folder):
    place = folder()
    (place / "annotations" / "instances_val2017.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected one file instances_val\*\.json, found 0"):
        coco.load_coco(place)
