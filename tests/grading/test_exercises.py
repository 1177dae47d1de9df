"""The exercises themselves: they are what their sources say, every mutant loses, every solution wins."""

import nbformat
import pytest

from minivit.grading import build, source
from minivit.grading.exercise import FOLDER, load
from minivit.grading.expected import survivors, values
from minivit.grading.judge import compare
from minivit.grading.mutate import mutants

SOURCES = sorted((FOLDER / "source").glob("*.py"))
NUMBERS = [path.stem[:2] for path in SOURCES]
SEEDS = [1, 20, 300, 4000, 2 ** 32 - 1]
# Changes that do not change the function. {exercise.answer: {mutant}}, each for the reason beside it.
EQUAL = {
    "02.bilinear_weights": {"sign, line 3.55"},  # beyond the last input both weights go to it, and add up to one
    "16.shift_mask": {"sign, line 3.11", "sign, line 4.14", "sign, line 5.14",  # numbers differ, regions do not
                      "sign, line 3.28", "sign, line 4.31"},  # the windows' border parts these regions anyway
    "34.unshuffle": {"sign, line 4.45"},  # mask tokens too many, which nobody looks at
}
ANSWERS = [(number, name) for number in NUMBERS for name in load(number).answers]


def test_there_are_exercises_for_the_first_lessons():
    assert {"00", "01", "02", "03", "04", "05", "10", "16", "34"} <= set(NUMBERS)


@pytest.mark.parametrize("path", SOURCES, ids=NUMBERS)
def test_built_notebooks_are_those_of_the_source(path, tmp_path):
    pristine = source.read_source(path)
    exercise = load(path.stem[:2])
    for folder, expected in (("pristine", pristine), ("solutions", build.plain(pristine)),
                             (".", build.student(build.plain(pristine), exercise))):
        stored = nbformat.read(FOLDER / folder / f"{path.stem}.ipynb", as_version=4)
        assert [(c.id, c.source) for c in stored.cells] == [(c.id, c.source) for c in expected.cells]
    assert exercise.points == 100
    assert 4 <= len(exercise.answers) <= 8


def test_building_again_changes_nothing(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/90_tiny.py").write_bytes((FOLDER.parent / "tests/grading/tiny/source/90_tiny.py").read_bytes())
    assert all(changed for _, changed in build.build(tmp_path))
    assert not any(changed for _, changed in build.build(tmp_path))


def test_a_source_that_cannot_be_graded_is_refused(tmp_path):
    text = (FOLDER.parent / "tests/grading/tiny/source/90_tiny.py").read_text()
    for old, new, words in [("points=50", "points=40", "90 points"), ('"x * x"', '"x + x"', "does not notice"),
                            ("# end", "# over", "no solution"), ('"2 * x", "x * x"', '"3 * x", "x"', "occurs 0 times"),
                            ('hint="both"', 'hint="bot"', "not above it")]:
        path = tmp_path / "90_tiny.py"
        path.write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=words):
            build.examine(build.from_pristine(source.read_source(path)))


@pytest.mark.parametrize("number, name", ANSWERS)
def test_stub_says_what_to_do(number, name):
    answer = load(number).answers[name]
    assert f'NotImplementedError("{number}.{name}: ' in answer.stub
    with pytest.raises(NotImplementedError):
        values(load(number), name, 1, answer.stub)


@pytest.mark.parametrize("number, name", ANSWERS)
def test_every_seed_gives_other_values_and_the_reference_gives_them_again(number, name):
    exercise = load(number)
    answer, shown = exercise.answers[name], [values(exercise, name, seed) for seed in SEEDS]
    assert any(one != shown[0] for one in shown[1:])
    for seed, expected in zip(SEEDS, shown, strict=True):
        assert not compare(values(exercise, name, seed), expected, answer.rtol, answer.atol)


@pytest.mark.parametrize("number, name", ANSWERS)
def test_every_mutant_loses(number, name):
    exercise = load(number)
    assert len(exercise.answers[name].mutants) >= 3
    for seed in SEEDS:
        assert survivors(exercise, name, seed) == []


@pytest.mark.parametrize("number, name", ANSWERS)
def test_mutants_from_the_syntax_tree_lose(number, name):
    exercise = load(number)
    alive = set(survivors(exercise, name, SEEDS[2], mutants(exercise.answers[name].reference)))
    assert alive == EQUAL.get(f"{number}.{name}", set())
