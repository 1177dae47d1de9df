"""Long arrays in short pieces."""

import numpy as np

from minivit.ops.chunks import chunks


def test_chunks_are_views_that_cover_the_array():
    array = np.zeros((1000, 100), np.float32)
    pieces = list(chunks(array, array.copy(), numbers=1 << 15))
    assert len(pieces) > 2
    for piece, _ in pieces:
        assert piece.size <= 1 << 15
        piece += 1
    assert (array == 1).all()


def test_an_array_without_axes_or_without_elements_is_one_piece():
    assert [piece.shape for piece, in chunks(np.zeros(()))] == [()]
    assert [piece.shape for piece, in chunks(np.zeros((0, 3)))] == [(0, 3)]
