"""The demo of shifts: a convolution commutes with every shift, patches with multiples of their size."""

import numpy as np
import pytest

from minivit.demos import write
from minivit.demos.shifts import SHIFTS, SIZES, compared, convolution, data, edges, patches
from minivit.ops import conv2d


def test_a_convolution_moves_along_with_every_shift(rng):
    images = rng.standard_normal((2, 32, 32, 3)).astype(np.float32)
    maps, similarities = compared(convolution(), 1, images)
    assert np.allclose(similarities, 1, atol=1e-6)
    assert all((now == np.roll(maps[0], shift, 2)).all() for shift, now in zip(SHIFTS, maps, strict=True))


@pytest.mark.parametrize("size", SIZES)
def test_patches_move_along_with_multiples_of_their_size_alone(size, rng):
    images = rng.standard_normal((2, 32, 32, 3)).astype(np.float32)
    _, similarities = compared(patches(size), size, images)
    whole = np.array(SHIFTS) % size == 0
    assert np.allclose(similarities[whole], 1, atol=1e-6)
    assert similarities[~whole].max() < 0.9


@pytest.mark.parametrize("size", SIZES)
def test_patches_are_the_convolution_with_kernel_and_stride_of_their_size(size, rng):
    images = rng.standard_normal((2, 32, 32, 3)).astype(np.float32)
    assert np.allclose(patches(size)(images).data, conv2d(images, edges(size), stride=size).data, atol=1e-5)


@pytest.mark.browser
def test_the_page_moves_pictures_and_takes_the_difference_as_numpy_does(open_page, tmp_path):
    pytest.importorskip("jinja2")
    found = data()
    page = open_page(write("shifts", tmp_path / "shifts.html"))
    moved = page.evaluate("Array.from(movedPicture(data.pictures.at(2), 5).values)")
    assert (np.reshape(moved, (32, 32, 3)) == np.roll(found["pictures"][2], 5, 1)).all()
    for size, by in (("0", 3), ("4", 1)):
        maps = found["seen"][size][:, 2].astype(np.float32)
        left = page.evaluate(f"left(data.seen['{size}'].at(3, 2), data.seen['{size}'].at(0, 2), {by})")
        assert np.allclose(np.reshape(left, maps[3].shape), maps[3] - np.roll(maps[0], by, 1), atol=1e-6)
