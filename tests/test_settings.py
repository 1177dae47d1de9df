"""A setting that is no number, or out of its range, is refused by its name."""

import math

import numpy as np
import pytest

from minivit.settings import expect_number, expect_whole


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.int64(1)])
def test_numbers_in_the_range(value):
    expect_number("share", value, 0, 1)


@pytest.mark.parametrize("value", [-1e-9, 1.1, math.nan, math.inf, -math.inf])
def test_numbers_out_of_the_range(value):
    with pytest.raises(ValueError, match=f"share: expected a number from 0 to 1, got {value}"):
        expect_number("share", value, 0, 1)


@pytest.mark.parametrize(("value", "high", "told"), [(0, math.inf, "above 0"), (0, 1, "above 0, up to 1")])
def test_an_end_that_is_left_out(value, high, told):
    with pytest.raises(ValueError, match=f"alpha: expected a number {told}, got 0"):
        expect_number("alpha", value, 0, high, above=True)
    expect_number("alpha", 1e-9, 0, high, above=True)


@pytest.mark.parametrize("value", ["1", None, True, 1j, np.ones(1)])
def test_what_is_no_number(value):
    for expect in (expect_number, expect_whole):
        with pytest.raises(TypeError, match="count: expected a (whole )?number, got "):
            expect("count", value, 0)


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_whole_numbers(value):
    expect_whole("count", value, 2)
    with pytest.raises(ValueError, match="count: expected a whole number of at least 3, got 2"):
        expect_whole("count", value, 3)
    with pytest.raises(TypeError, match="count: expected a whole number, got 2.5"):
        expect_whole("count", 2.5, 0)
