"""One rule for what seeds show, and the line of chance."""

import math

import numpy as np
import pytest
from scipy import stats

from minivit.lessons import chance, verdict
from minivit.viz.figure import new_figure

OURS, THEIRS = [44.1, 45.0, 43.2], [40.3, 41.9, 40.1]


def test_the_interval_is_that_of_a_paired_t_test():
    found = verdict("ours are better", OURS, THEIRS)
    expected = stats.ttest_rel(OURS, THEIRS).confidence_interval(0.95)
    np.testing.assert_allclose(found.interval, expected, rtol=1e-12)
    assert found.difference == pytest.approx(np.subtract(OURS, THEIRS).mean())
    assert str(found) == "ours are better: shown, +3.33 points (95 % interval +2.33 to +4.34, 3 seeds)"


def test_pairs_count_not_ranges():
    assert verdict("", [3.0, 5.0, 4.0], [2.0, 4.1, 3.0]).word == "shown"  # their ranges overlap
    assert verdict("", [3.0, 5.0, 9.0], [2.9, 2.0, 1.0]).word == "open"  # they do not, but the pairs are uneven


def test_words_follow_the_direction():
    assert verdict("", THEIRS, OURS).word == "opposite"
    assert verdict("", THEIRS, OURS, higher_is_better=False).word == "shown"
    assert verdict("", OURS, THEIRS, higher_is_better=False).word == "opposite"
    assert verdict("", OURS, 10).word == "shown"
    assert verdict("", OURS, 44).word == "open"


def test_equal_is_said_only_inside_a_stated_band():
    near = [44.0, 45.1, 43.2]
    assert verdict("", OURS, near).word == "open"
    assert verdict("", OURS, near, band=0.5).word == "equal within 0.5 points"
    assert verdict("", OURS, near, band=1).word == "equal within 1 point"
    assert verdict("", OURS, near, band=0.1, unit="of loss").word == "open"
    assert verdict("", OURS, THEIRS, band=2).word == "opposite"
    assert verdict("", OURS, THEIRS, band=3).word == "open"


def test_one_seed_leaves_all_open_and_says_why():
    found = verdict("ours are better", [90.0], [10.0])
    assert (found.word, found.interval) == ("open", None)
    assert "1 seed" in str(found)
    assert verdict("", [90.0], [90.0], band=1).word == "open"


def test_seeds_that_change_nothing_leave_no_interval():
    assert verdict("", [2.0, 3.0], [1.0, 2.0]).interval == (1.0, 1.0)
    assert verdict("", [2.0, 3.0], [2.0, 3.0]).word == "open"


def test_what_the_docstring_says_of_three_seeds():
    reach, wide = (stats.t.ppf(0.975, n - 1) / math.sqrt(n) for n in (3, 5))
    assert (round(reach, 1), round(wide / reach, 1)) == (2.5, 0.5)
    draws = np.random.default_rng(0).normal(size=(4000, 3))
    words = [verdict("", row + 1, 0).word for row in draws]
    assert words.count("shown") / len(words) == pytest.approx(1 / 6, abs=0.02)
    words = [verdict("", row, 0).word for row in draws]
    assert 1 - words.count("open") / len(words) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(("ours", "theirs", "told"), [
    ([1, 2], [1, 2, 3], r"\(2,\) and \(3,\)"), ([], [], "one result for each seed"), ([[1.0]], [[1.0]], r"\(1, 1\)"),
    ([1.0, math.nan], [1, 1], "expected finite results")])
def test_what_cannot_be_paired_is_refused(ours, theirs, told):
    with pytest.raises(ValueError, match=told):
        verdict("", ours, theirs)
    with pytest.raises(ValueError, match="a band above 0, got 0"):
        verdict("", [1, 2], [1, 2], band=0)


def test_chance_in_words_and_as_a_line():
    assert chance(10).loss == pytest.approx(math.log(10))
    assert str(chance(4)) == "a guess among 4 classes: right for 25 % of the pictures, loss ln 4 = 1.386"
    axes = new_figure(2, 2).subplots()
    chance(10).line(axes)
    chance(10).line(axes, "loss")
    chance(10).line(axes, vertical=True)
    level, loss, upright = axes.lines
    assert [set(level.get_ydata()), set(upright.get_xdata())] == [{10.0}, {10.0}]
    assert loss.get_ydata()[0] == chance(10).loss
    assert [line.get_label() for line in axes.lines] == ["chance, 1/10", "chance, ln 10", "chance, 1/10"]
    with pytest.raises(ValueError, match="two classes or more"):
        chance(1)
    with pytest.raises(ValueError, match="percent"):
        chance(10).line(axes, "accuracy")
