"""What is said about a difference: shapes first, then entries, then the simple mistake behind it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minivit.grading.judge import compare
from minivit.grading.rules import examine
from minivit.grading.show import _numbers


def said(actual, expected, rtol=1e-4, atol=1e-6):
    differences = compare({"y": _numbers(np.asarray(actual))}, {"y": _numbers(np.asarray(expected))}, rtol, atol)
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


@pytest.mark.parametrize("source, refused", [
    ("import numpy as np", False), ("import torch", True), ("from minivit.ops import softmax", True),
    ("from scipy import special", True), ("y = np.interp(x, a, b)", True), ("from numpy import interp", True),
    ("interpolated = 1", False), ("def f(:", False)])
def test_rules_are_found_in_the_syntax_tree(source, refused):
    assert bool(examine(source, ["interp"])[0]) == refused


def test_what_is_odd_is_only_remarked():
    refused, remarked = examine("import os\nexec('1')\nprint(1)")
    assert not refused
    assert len(remarked) == 2
