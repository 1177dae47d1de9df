"""docs/counts.md is what the program counts, and explains where the literature says something else."""

import pytest

from docs.counts import PATH, TABLES, deviation, measure, page


def test_the_page_is_what_its_command_writes():
    assert PATH.read_text(encoding="utf-8") == page(), "python -m docs.counts writes it anew"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title.split(":")[0])
def test_what_deviates_by_more_than_one_percent_is_explained_and_nothing_else(table):
    for line, *figures in measure(table):
        far = any(printed and abs(deviation(value, printed)) > 0.01 for value, printed in figures)
        assert far == bool(line.why), line.name
