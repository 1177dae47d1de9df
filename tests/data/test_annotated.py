"""Masks and boxes go where their pictures go."""

from functools import partial

import numpy as np
import pytest

from minivit import data
from minivit.backend import asnumpy, to_device
from minivit.data import shapes10

STEPS = [partial(data.random_crop, padding=6), data.random_flip]


@pytest.fixture(scope="module")
def shapes():
    return shapes10.draw(40, np.random.default_rng(3))


def test_a_mask_covers_the_pixels_that_it_covered(shapes, device):
    """The picture is its own mask: where pixels of the picture went, the mask's must have gone, too."""
    masks = shapes.images[..., 0] > 100
    images = np.repeat(masks[..., None], 3, axis=-1).astype(np.uint8)
    moved, found, _ = data.augment_annotated(to_device(images, device), np.random.default_rng(1), STEPS,
                                             masks=to_device(masks, device))
    np.testing.assert_array_equal(asnumpy(found), asnumpy(moved)[..., 0] == 1)
    assert asnumpy(found).dtype == bool
    assert (asnumpy(found) != masks).any()


def test_pictures_are_augmented_as_without_masks(shapes):
    alone = data.augment(shapes.images, np.random.default_rng(1), STEPS)
    together, _, _ = data.augment_annotated(shapes.images, np.random.default_rng(1), STEPS, masks=shapes.masks,
                                            boxes=shapes.boxes)
    np.testing.assert_array_equal(together, alone)


def test_a_box_is_the_box_of_its_filled_mask(shapes, device):
    rng = np.random.default_rng(2)
    corners = np.sort(rng.integers(0, 33, (40, 3, 2, 2)), axis=-1)                       # (B, M, axis, end)
    boxes = np.stack([corners[:, :, 0, 0], corners[:, :, 1, 0], corners[:, :, 0, 1], corners[:, :, 1, 1]], axis=-1)
    x, y = np.arange(32), np.arange(32)[:, None]
    filled = np.stack([(boxes[..., 0, None, None] <= x) & (x < boxes[..., 2, None, None])
                       & (boxes[..., 1, None, None] <= y) & (y < boxes[..., 3, None, None])], axis=-1)[..., 0]
    masks = filled.transpose(0, 2, 3, 1)                                                 # (B, M, H, W) -> (B, H, W, M)
    _, masks, boxes = data.augment_annotated(to_device(shapes.images, device), np.random.default_rng(4), STEPS,
                                             masks=to_device(masks, device), boxes=to_device(boxes, device))
    masks, boxes = asnumpy(masks), asnumpy(boxes)
    for b, m in np.ndindex(40, 3):
        rows, columns = np.nonzero(masks[b, :, :, m])
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0, 0, 0, 0]
        assert boxes[b, m].tolist() == expected


def test_colours_change_and_places_stay(shapes):
    images, masks, boxes = data.augment_annotated(shapes.images, np.random.default_rng(1), [data.colour_jitter],
                                                  masks=shapes.masks, boxes=shapes.boxes)
    assert (images != shapes.images).any()
    assert masks is shapes.masks
    assert boxes is shapes.boxes


@pytest.mark.parametrize(("step", "name"), [
    (data.rand_augment, "rand_augment"), (partial(data.random_crop, mode="reflect"), "random_crop with .*reflect"),
    (data.random_erasing, "random_erasing")])
def test_what_would_make_masks_and_boxes_untrue_is_refused(shapes, step, name):
    with pytest.raises(ValueError, match=f"augmentation: {name}"):
        data.augment_annotated(shapes.images, np.random.default_rng(0), [step], masks=shapes.masks)


def test_samples_show_pictures_with_their_masks_and_boxes(shapes):
    samples = data.Samples(shapes, mean=[0.5] * 3, std=[0.25] * 3, steps=STEPS)
    chosen = np.array([3, 1, 7])
    images, masks, boxes = samples.annotated_view(chosen)
    np.testing.assert_array_equal(images, samples.view(chosen))
    np.testing.assert_array_equal(masks, shapes.masks[chosen])
    np.testing.assert_array_equal(boxes, shapes.boxes[chosen])
    images, masks, _ = samples.annotated_view(chosen, np.random.default_rng(0))
    np.testing.assert_array_equal(images, samples.view(chosen, np.random.default_rng(0)))
    assert (masks != shapes.masks[chosen]).any()
