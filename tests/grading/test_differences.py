"""What is said about a difference: shapes first, then entries, then the simple mistake behind it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minivit.grading.differences import compare
from minivit.grading.seal import sealed
from minivit.grading.show import _array, _numbers


def said(actual, expected, rtol=1e-4, atol=1e-6):
    differences = compare({"y": _numbers(_array(actual))}, {"y": _numbers(_array(expected))}, rtol, atol)
    return [difference.said for difference in differences], [difference.outline for difference in differences]


X = np.random.default_rng(0).normal(size=(2, 3))


@pytest.mark.parametrize("actual", [X, X.astype(np.float32), X + 1e-7, X.tolist()])
def test_the_same_up_to_the_tolerance(actual):
    assert said(actual, X) == ([], [])


@pytest.mark.parametrize("actual, words", [
    (X.T, "shape (3, 2), expected (2, 3): the axes of the transpose"),
    (X[None], "shape (1, 2, 3), expected (2, 3): an axis of length 1 too many"),
    (X.reshape(6), "shape (6,), expected (2, 3): as many entries, arranged in another way"),
    (-X, "the sign is the other way round"),
    (3 * X, "every entry is off by the same factor"),
    (X[::-1], "the right values in the wrong places"),
    (X * np.array([1, np.nan, 1]), "nan at [0, 1]"),
])
def test_says_what_a_teacher_would_say(actual, words):
    full, outline = said(actual, X)
    assert words in full[0]
    assert words in outline[0]


def test_several_values_where_one_array_is_asked_for():
    full, outline = said((X, X[0], X[0]), X)
    assert full == ["y: '3 values, (2, 3), (3,), (3,)' came, expected an array of the shape (2, 3)"]
    assert outline == ["y: no array of the shape (2, 3)"]
    assert "'2 values, list, int' came" in said([[1, [2]], 3], X)[0][0]


def test_whole_numbers_are_said_as_such():
    known = sealed(_numbers(_array(24)), 1, "y")
    assert compare({"y": _numbers(_array(23.0))}, {"y": known}, 0, 0.5)[0].said == "y: 23 is not it"
    assert compare({"y": _numbers(_array(2.5))}, {"y": known}, 0, 0.5)[0].said == "y: 2.5 is not it"


def test_the_largest_difference_and_its_place():
    full, outline = said(X + 8.5 * np.eye(2, 3)[[1, 0]], X)
    assert "largest difference 8.5 at [0, 1]" in full[0] or "largest difference 8.5 at [1, 0]" in full[0]
    assert "8.5" not in outline[0]
    assert "2 of 6 entries" in outline[0]


def test_a_square_transposed():
    square = np.arange(9.0).reshape(3, 3)
    assert "it is the transpose" in said(square.T, square)[0][0]


def test_infinity_zero_and_tolerances():
    assert said([np.inf, 1], [np.inf, 1]) == ([], [])
    assert said([np.inf, 1], [1, 1])[0]
    assert said(0.0, 0.0) == ([], [])
    assert said([1.0, 2.0], [1.1, 2.0], atol=0.2) == ([], [])
    assert said(["a"], ["a"]) == ([], [])
    assert said(["a"], ["b"])[0]


@pytest.mark.parametrize("shown", [
    None, 1, [], {}, {"shape": [2], "data": [1]}, {"shape": [10 ** 12], "data": []}, {"shape": [-1], "data": []},
    {"shape": [1], "data": [{}]}, {"shape": [1], "data": [[1]]}, {"shape": "x", "data": "y"},
    {"shape": [1], "data": [10 ** 400]}, {"shape": [1] * 40, "data": [1]}])
def test_nonsense_from_a_sandbox_is_a_wrong_answer(shown):
    assert compare({"y": shown}, {"y": _numbers(np.ones(1))}, 1e-4, 1e-6)
    assert compare({}, {"y": _numbers(np.ones(1))}, 1e-4, 1e-6)[0].said == "y: no value came"


nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["nan", "inf", "x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["shape", "data", "x"]), inner),
    max_leaves=12)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(nonsense)
def test_no_value_stops_the_judge(value):
    shown = json.loads(json.dumps({"y": value}))
    assert compare(shown, {"y": {"shape": [3], "data": [0.1, 0.2, 0.7]}}, 1e-4, 1e-6)


@pytest.mark.parametrize("actual", [
    X.astype(object), [list(row) for row in X], X + 0j, [np.array(row, dtype=object) for row in X], (tuple(X[0]), X[1]),
    X.astype(np.longdouble), np.asmatrix(X), np.ma.masked_array(X, mask=False), [[*map(np.float32, row)] for row in X]])
def test_numbers_in_any_form_are_numbers(actual):
    assert said(actual, X) == ([], [])


@pytest.mark.parametrize("actual, words", [
    (None, "None came; is a return missing"), ([None, 1.0, 2.0], "None came"),
    ([1.0, "x", 2.0], "is no number"), ([1 + 1j, 2, 3], "is no number")])
def test_what_is_no_number_is_said_as_that(actual, words):
    full, outline = said(actual, [1.0, 2.0, 3.0])
    assert words in full[0]
    assert words.split(";")[0].removeprefix("is ") in outline[0]


@pytest.mark.parametrize("actual, words", [
    ("1.0", "'1.0' came, "), (print, "'<built-in function print>' came, "), ({"a": 1}, '"{\'a\': 1}" came, '),
    ([[1], [2, 3]], "'2 values, list, list' came, ")])
def test_what_is_no_array_is_shown(actual, words):
    full, outline = said(actual, [1.0, 2.0, 3.0])
    assert full == [f"y: {words}expected an array of the shape (3,)"]
    assert outline == ["y: no array of the shape (3,)"]


def test_nan_where_nan_is_expected_is_right_and_its_neighbours_count():
    nan, inf = np.nan, np.inf
    assert said([1, nan, 3, inf], [1, nan, 3, inf]) == ([], [])
    assert "4 instead of 3" in said([1, nan, 4], [1, nan, 3])[0][0]
    assert said([1, 2, 3], [1, nan, 3])[0]
    assert "nan at [0]" in said([nan, nan, 3], [1, nan, 3])[0][0]
    assert "-inf at [1]" in said([1, -inf], [1, inf])[0][0]
    assert said([1, nan, 3 + 1e-7], [1, nan, 3]) == ([], [])
