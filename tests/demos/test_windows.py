"""The demo of Swin's windows says what the model does."""

import numpy as np
import pytest

from minivit import create
from minivit.demos import write
from minivit.demos.windows import SHIFTS, SIDE, WINDOW, attention, data, members, regions
from minivit.models.swin import shift_mask, window_partition, window_reverse


@pytest.mark.parametrize("shift", SHIFTS)
def test_tokens_of_a_window_belong_to_one_region_exactly_where_the_models_mask_allows_it(shift):
    of_window = regions(shift)[members(shift)]                                        # (w, n)
    alike = of_window[:, :, None] == of_window[:, None]
    assert (alike == shift_mask((SIDE, SIDE), WINDOW, shift)).all()
    assert len(set(regions(shift))) == (9 if shift else 4)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_block_of_the_model_mixes_the_tokens_that_the_demo_puts_into_one_region(shift, rng):
    block = create("swin", "cifar", dim=8, heads=(2, 2, 2)).stages[0].blocks[1]
    block.shift = shift
    before = rng.standard_normal((1, SIDE, SIDE, 8)).astype(np.float32)
    for token in (0, 27, 63):
        after = before.copy()
        after[0, token // SIDE, token % SIDE] += rng.standard_normal(8)
        changed = np.abs(block.attend(after).data - block.attend(before).data).max(axis=-1).ravel() > 1e-9  # (N,)
        assert (changed == (regions(shift) == regions(shift)[token])).all()


def test_rolled_windows_put_together_are_the_rolled_grid():
    grid = np.roll(np.arange(SIDE * SIDE).reshape(SIDE, SIDE), (-2, -2), (0, 1))
    assert (window_reverse(members(2)[..., None], WINDOW, (SIDE, SIDE))[0, ..., 0] == grid).all()
    assert (window_partition(grid[None, ..., None], WINDOW)[..., 0] == members(2)).all()


def test_attention_sums_to_one_and_the_mask_leaves_nothing_for_strangers(rng):
    without, masked = attention(2, rng.standard_normal((32, 32, 3)).astype(np.float32))   # each (w, n, n)
    mask = shift_mask((SIDE, SIDE), WINDOW, 2)
    assert np.allclose([without.sum(axis=-1), masked.sum(axis=-1)], 1, atol=1e-6)
    assert (masked[~mask] == 0).all()
    assert (without[~mask] > 0).all()
    expected = np.where(mask, without, 0)
    assert np.allclose(masked, expected / expected.sum(axis=-1, keepdims=True), atol=1e-6)


@pytest.mark.browser
def test_the_page_rolls_tokens_to_the_places_that_the_model_rolls_them_to(open_page, tmp_path):
    pytest.importorskip("jinja2")
    page = open_page(write("windows", tmp_path / "windows.html"))
    for shift in SHIFTS:
        places = page.evaluate(f"tiles.map((_, token) => placeOf(token, true, {shift}))")        # (N, 2), column, row
        grid = window_reverse(data()["members"][shift][..., None], WINDOW, (SIDE, SIDE))[0, ..., 0]
        assert [int(grid[row, column]) for column, row in places] == list(range(SIDE * SIDE))
