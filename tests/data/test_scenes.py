"""scenes: what is said of each picture is true, also after augmentation, and unseen combinations stay unseen."""

import hashlib
import re
from functools import partial

import numpy as np
import pytest

from minivit import data
from minivit.data import scenes, shapes10
from minivit.words import END, PAD, START

STEPS = [data.random_flip, data.colour_jitter]


@pytest.fixture(scope="module")
def drawn():
    return scenes.draw(600, np.random.default_rng(0))


def test_shapes_and_dtypes(drawn):
    for name, shape, dtype in [("images", (48, 48, 3), np.uint8), ("masks", (48, 48), np.uint8),
                               ("boxes", (5, 4), np.int64), ("object_classes", (5,), np.int64),
                               ("object_colours", (5,), np.int64), ("object_places", (5,), np.int64)]:
        array = getattr(drawn, name)
        assert (array.shape, array.dtype) == ((600, *shape), dtype), name
    assert drawn.labels is None
    larger = scenes.draw(20, np.random.default_rng(0), size=64)
    assert larger.images.shape == (20, 64, 64, 3)
    assert larger.boxes.max() > 50


def test_any_number_can_be_drawn():
    for count in (0, 1, 101):
        assert len(scenes.draw(count, np.random.default_rng(0))) == count
    with pytest.raises(ValueError, match="scenes: size: expected a whole number of at least 32, got 16"):
        scenes.draw(1, np.random.default_rng(0), size=16)


def test_the_seed_decides_on_every_machine(drawn):
    again = scenes.draw(600, np.random.default_rng(0))
    np.testing.assert_array_equal(again.images, drawn.images)
    objects = np.stack([drawn.object_classes, drawn.object_colours, drawn.object_places]).astype("<i8")
    assert hashlib.sha256(objects.tobytes()).hexdigest().startswith("9ded7127ffb1")
    train, test = scenes.load_scenes(train=50, test=50, seed=1)
    assert (train.images != test.images).any(axis=(1, 2, 3)).all()


def test_one_to_five_objects_each_seen_and_boxed(drawn):
    counts = (drawn.object_classes >= 0).sum(axis=1)
    assert set(counts) == {1, 2, 3, 4, 5}
    for classes, boxes, mask in zip(drawn.object_classes, drawn.boxes, drawn.masks, strict=True):
        assert mask.max() == (classes >= 0).sum()
        for number, (kind, box) in enumerate(zip(classes, boxes, strict=True)):
            rows, columns = np.nonzero(mask == number + 1)
            if kind < 0:
                assert len(rows) == 0
                assert (box == 0).all()
            else:
                assert len(rows) >= 20
                assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_objects_touch_and_hide_each_other(drawn):
    """In a good part of the pictures two objects have neighbouring pixels."""
    one, other = drawn.masks[:, :, :-1], drawn.masks[:, :, 1:]
    touching = ((one != other) & (one > 0) & (other > 0)).any(axis=(1, 2))
    assert 0.25 < touching.mean() < 0.75


def test_an_object_has_its_colour(drawn):
    levels = np.array(list(scenes.COLOURS.values()), float)
    for picture in range(100):
        for number, hue in enumerate(drawn.object_colours[picture]):
            if hue >= 0:
                mean = drawn.images[picture][drawn.masks[picture] == number + 1].mean(axis=0)
                assert np.abs(levels - mean).sum(axis=1).argmin() == hue


def read_back(text):
    """[(colour, class, place)] of a sentence."""
    return [re.fullmatch(r"a (\w+) (\w+) (on the left|in the middle|on the right)", part).groups()
            for part in text.split(" above ")]


def test_the_sentence_is_true(drawn):
    """It names all objects from top to bottom, and where the middle of each lies, as far as its box tells."""
    for picture in range(len(drawn)):
        told = read_back(data.in_words(drawn.sentences[picture], drawn.words))
        kinds = drawn.object_classes[picture]
        assert len(told) == (kinds >= 0).sum()
        for number, (hue, kind, place) in enumerate(told):
            assert kind == scenes.CLASSES[kinds[number]]
            assert hue == list(scenes.COLOURS)[drawn.object_colours[picture, number]]
            assert place == scenes.PLACES[drawn.object_places[picture, number]]
            x0, _, x1, _ = drawn.boxes[picture, number]
            if x0 > 0 and x1 < 48:  # nothing is cut off
                assert abs((x0 + x1) / 2 - (8, 24, 40)[scenes.PLACES.index(place)]) < 16


def test_words_and_numbers(drawn):
    sentence = drawn.sentences[0]
    text = data.in_words(sentence, drawn.words)
    again = data.in_numbers([text, "a red"], drawn.words)
    np.testing.assert_array_equal(again[0], sentence[:again.shape[1]])
    assert again[1].tolist()[:4] == [START, drawn.words.index("a"), drawn.words.index("red"), END]
    assert (again[1][4:] == PAD).all()
    with pytest.raises(ValueError, match="sentence 'a reed star': unknown word 'reed'; there are 23 words"):
        data.in_numbers(["a reed star"], drawn.words)


def test_unseen_combinations_stay_unseen():
    train, unseen = scenes.load_scenes(train=500, test=200, unseen=True)
    for dataset, pairs in ((train, scenes.SEEN), (unseen, scenes.UNSEEN)):
        there = dataset.object_classes >= 0
        found = set(zip(dataset.object_classes[there].tolist(), dataset.object_colours[there].tolist(), strict=True))
        assert found == set(pairs)
    assert not set(scenes.SEEN) & set(scenes.UNSEEN)
    assert len(scenes.SEEN) + len(scenes.UNSEEN) == 36


def test_a_mirrored_picture_has_a_mirrored_sentence(drawn):
    samples = data.Samples(drawn, mean=[0.5] * 3, std=[0.25] * 3, steps=STEPS)
    chosen = np.arange(60)
    plain, sentences = samples.described_view(chosen)
    np.testing.assert_array_equal(sentences, drawn.sentences[:60])
    moved, told = samples.described_view(chosen, np.random.default_rng(1))
    mirrored = (told != sentences).any(axis=1)
    assert 10 < mirrored.sum() < 50
    again, _ = data.annotated.augment_mirrored(drawn.images[:60], np.random.default_rng(1), [data.random_flip])
    swapped = (again == drawn.images[:60, :, ::-1]).all(axis=(1, 2, 3))
    assert not (mirrored & ~swapped).any()
    other = {"left": "right", "right": "left"}
    for picture in range(60):
        text = data.in_words(sentences[picture], drawn.words)
        expected = " ".join(other.get(word, word) for word in text.split()) if swapped[picture] else text
        assert data.in_words(told[picture], drawn.words) == expected
    assert moved.shape == plain.shape


@pytest.mark.parametrize("step", [data.random_crop, data.random_erasing, data.rand_augment])
def test_what_might_make_a_sentence_untrue_is_refused(drawn, step):
    samples = data.Samples(drawn, mean=[0.5] * 3, std=[0.25] * 3, steps=[step])
    with pytest.raises(ValueError, match=f"augmentation: {step.__name__} may take away what a sentence speaks of"):
        samples.described_view(np.arange(3), np.random.default_rng(0))


def test_objects_that_leave_the_picture_are_none_any_more(drawn):
    samples = data.Samples(drawn, mean=[0.5] * 3, std=[0.25] * 3, steps=[partial(data.random_crop, padding=20)])
    chosen = np.arange(200)
    _, classes, boxes, masks = samples.objects(chosen, np.random.default_rng(0))
    assert ((classes == -1) & (drawn.object_classes[:200] >= 0)).sum() > 20
    for number in range(5):
        seen = (masks == number + 1).any(axis=(1, 2))
        np.testing.assert_array_equal(classes[:, number], np.where(seen, drawn.object_classes[:200, number], -1))
        assert (boxes[~seen, number] == 0).all()
        assert (boxes[seen, number, 2] > boxes[seen, number, 0]).all()


def test_a_picture_with_a_label_is_one_with_one_object():
    shapes = shapes10.draw(20, np.random.default_rng(0))
    samples = data.Samples(shapes, mean=[0.5] * 3, std=[0.25] * 3)
    images, classes, boxes, masks = samples.objects(np.arange(5))
    assert images.shape == (5, 32, 32, 3)
    np.testing.assert_array_equal(classes, shapes.labels[:5, None])
    np.testing.assert_array_equal(boxes, shapes.boxes[:5, None])
    np.testing.assert_array_equal(masks, shapes.masks[:5])


@pytest.mark.parametrize(("changes", "message"), [
    ({"boxes": [[[0, 0, 49, 10]]]}, r"pictures: picture 0, object 0: expected a box with .* inside 48 x 48 pixels"),
    ({"boxes": [[[5, 5, 5, 10]]]}, r"expected a box with x0 < x1 and y0 < y1 .*got \[5, 5, 5, 10\]"),
    ({"object_classes": [[3]]}, "picture 0, object 0: expected a class with -1 to 1, got 3")])
def test_objects_that_cannot_be(changes, message):
    fields = {"object_classes": [[0]], "boxes": [[[0, 0, 2, 2]]]} | changes
    with pytest.raises(ValueError, match=message):
        data.Objects(np.zeros((1, 48, 48, 3), np.uint8), None, ("one", "two"),
                     **{name: np.array(value) for name, value in fields.items()})
