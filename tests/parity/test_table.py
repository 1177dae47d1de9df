"""docs/parity.md, which a command writes: python -m tests.parity.table"""

import pytest

from tests.golden.cases import CASES
from tests.parity.table import PATH, README, SHORT_TABLE, differences_of_implementations, digits
from tests.parity.training import RUNS


def test_every_comparison_has_its_line():
    page = PATH.read_text(encoding="utf-8")
    for case in CASES:
        assert f"| {case.model} | {case.note} | {case.library} | {case.pixels[0]} x {case.pixels[1]} |" in page
    for run in RUNS:
        assert f"| {run.case.model} | {run.case.library} | " in page
    for lines in differences_of_implementations():
        assert lines in page


def test_the_readme_has_the_short_table():
    table, = SHORT_TABLE.findall(README.read_text(encoding="utf-8"))
    assert table in PATH.read_text(encoding="utf-8")
    for case in CASES:
        assert f"\n| {case.model} | " in table


@pytest.mark.parametrize("difference, expected", [(9e-5, 4), (1.1e-5, 4), (9e-6, 5), (0, 16), (0.5, 0)])
def test_digits_that_agree(difference, expected):
    assert digits(difference) == expected
