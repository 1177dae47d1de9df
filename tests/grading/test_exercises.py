"""The exercises themselves: they are what their sources say, every mutant loses, every solution wins."""

import argparse
import collections
import functools
import json
from unittest import mock

import nbformat
import pytest

from minivit.grading import build, marking, source
from minivit.grading.attempt import Outcome
from minivit.grading.cli import add_commands
from minivit.grading.exercise import FOLDER, load_exercise
from minivit.grading.expected import mutant_values, survivors, values
from minivit.grading.mutate import mutants
from minivit.grading.notebook import Written, read_notebook
from minivit.grading.show import MIME
from minivit.grading.verdict import MISSING, PASSED, WRONG, Judge

load = functools.cache(load_exercise)
SOURCES = sorted((FOLDER / "source").glob("*.py"))
NUMBERS = [path.stem[:2] for path in SOURCES]
SEEDS = [1, 20, 300, 4000, 2 ** 32 - 1]
# Changes that do not change the function. {exercise.answer: {mutant}}, each for the reason beside it.
EQUAL = {
    "02.bilinear_weights": {"sign, line 3.55"},  # beyond the last input both weights go to it, and add up to one
    "08.patch_map": {"sum and mean, line 6.11"},  # what comes is divided by its sum
    "17.shift_mask": {"sign, line 3.11", "sign, line 4.14", "sign, line 5.14",  # numbers differ, regions do not
                      "sign, line 3.28", "sign, line 4.31",  # the windows' border parts these regions anyway
                      "transposed result, line 7.4"},  # the mask is symmetric
    "35.unshuffle": {"sign, line 4.45"},  # mask tokens too many, which nobody looks at
}
ANSWERS = [(number, name) for number in NUMBERS for name in load(number).answers]
FUNCTIONS = [(number, name) for number, name in ANSWERS if not load(number).answers[name].is_constant]


def test_there_are_exercises_for_the_first_lessons():
    assert {"00", "01", "02", "03", "04", "05", "06", "11", "17", "35"} <= set(NUMBERS)


@pytest.mark.parametrize("path", SOURCES, ids=NUMBERS)
def test_built_notebooks_are_those_of_the_source(path, tmp_path):
    pristine = source.read_source(path)
    exercise = load(path.stem[:2])
    for folder, expected in (("pristine", pristine), ("solutions", build.plain(pristine)),
                             (".", build.student(build.plain(pristine), exercise))):
        stored = nbformat.read(FOLDER / folder / f"{path.stem}.ipynb", as_version=4)
        assert [(c.id, c.source) for c in stored.cells] == [(c.id, c.source) for c in expected.cells]
    assert exercise.points == 100


@pytest.mark.parametrize("number", NUMBERS)
def test_an_exercise_asks_for_more_than_retyping(number):
    kinds = collections.Counter(answer.kind for answer in load(number).answers.values())
    assert 6 <= kinds.total() <= 9
    assert kinds["retype"] in (2, 3)
    assert kinds["transfer"] >= 2
    assert kinds["debug"] == kinds["measure"] == kinds["read"] == 1
    assert {len(answer.hints) for answer in load(number).answers.values()} == {3}


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
def test_stub_says_the_contract_and_no_recipe(number, name):
    answer = load(number).answers[name]
    head = answer.reference.partition('"""')[2].partition('"""')[0]
    assert head in answer.stub
    assert answer.hints[-1] not in answer.stub
    if answer.kind == "debug":
        assert answer.stub.endswith(answer.mutants[load_bug(number, name)][0])
        shown = values(load(number), name, 1, answer.stub)
        assert Judge(load(number), 1).verdict(name, Outcome(shown)).status == WRONG
        return
    assert f'NotImplementedError("{number}.{name}: ' in answer.stub
    with pytest.raises(NotImplementedError):
        values(load(number), name, 1, answer.stub)


def load_bug(number, name):
    """The mutant that the source gives the student to debug."""
    path, = (FOLDER / "source").glob(f"{number}_*.py")
    cell = next(cell for cell in source.read_source(path).cells if cell.id == f"answer-{number}-{name}")
    return cell.metadata["minivit"]["bug"]


def cells_here(exercise, attempt):
    """The Outcome of an Attempt in this process, with the references themselves: what it would show, through JSON."""
    shown, namespace = {}, {"__name__": "__main__"}
    earlier = [text for _, text in marking.stand_in_cells(exercise, {
        name: exercise.answers[name].reference for name in attempt.stand_ins})]
    for text in [*earlier, *(text for _, text in attempt.cells)]:
        with mock.patch("minivit.grading.show.display", lambda data, raw: shown.update(data[MIME])):
            exec(text, namespace)
    return Outcome(json.loads(json.dumps(shown)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("number", NUMBERS)
def test_every_solution_scores_all_under_every_seed(number, seed):
    judge, path = Judge(load(number), seed), next((FOLDER / "solutions").glob(f"{number}_*.ipynb"))
    _, answers, _ = read_notebook(path.read_bytes())
    verdicts, attempts, flags = marking.sort_out(judge.exercise, answers, seed)
    assert (verdicts, flags) == ({}, {name: [] for name in judge.exercise.answers})
    outcomes = {name: cells_here(judge.exercise, attempt) for name, attempt in attempts.items()}
    assert {name: judge.verdict(name, outcome).points for name, outcome in outcomes.items()} == \
        {name: answer.points for name, answer in judge.exercise.answers.items()}


@pytest.mark.parametrize("number, name", FUNCTIONS)
def test_every_seed_gives_other_values(number, name):
    shown = [values(load(number), name, seed) for seed in SEEDS]
    assert any(one != shown[0] for one in shown[1:])


@pytest.mark.parametrize("number, name", ANSWERS)
def test_a_stub_fails_its_own_check_and_no_other(number, name):
    exercise = load(number)
    answers = {other: Written(answer.reference) for other, answer in exercise.answers.items()}
    _, whole, _ = marking.sort_out(exercise, answers, 1)
    verdicts, attempts, _ = marking.sort_out(exercise, {**answers, name: Written(exercise.answers[name].stub)}, 1)
    assert {other: verdict.status for other, verdict in verdicts.items()} == {name: MISSING}
    assert attempts == {other: attempt for other, attempt in whole.items() if other != name}


@pytest.mark.parametrize("number, name", ANSWERS)
def test_every_mutant_loses_and_gets_its_hint(number, name):
    exercise = load(number)
    answer = exercise.answers[name]
    assert len(answer.mutants) >= 3
    for seed in SEEDS:
        judge = Judge(exercise, seed)
        for mutant, shown in mutant_values(exercise, name, seed).items():
            if isinstance(shown, str):
                kind, _, said = shown.partition(": ")
                verdict = judge.verdict(name, Outcome(error_name=kind, error=said))
            else:
                verdict = judge.verdict(name, Outcome(shown))
            assert (verdict.status, verdict.points) != (PASSED, answer.points)
            assert answer.mutants[mutant][1] in verdict.messages[0]


@pytest.mark.parametrize("number, name", FUNCTIONS)
def test_mutants_from_the_syntax_tree_lose(number, name):
    exercise = load(number)
    made = mutants(exercise.answers[name].reference)
    for seed in SEEDS:
        assert set(survivors(exercise, name, seed, made)) == EQUAL.get(f"{number}.{name}", set())


def test_slips_are_those_that_students_make():
    made = mutants("def f(q, k, x):\n    y = q @ k.T / np.sqrt(9.0)\n    return np.exp(y - y.max(axis=(0, 1)))")
    kinds = {name.partition(",")[0] for name in made}
    assert kinds == {"sign", "no scale", "no transpose", "no root", "no maximum", "axis forgotten",
                     "product the other way", "transposed result"}
    assert "np.exp(y)" in made["no maximum, line 3.18"]


def test_the_command_lists_the_mutants_that_no_check_notices(capsys):
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    args = parser.parse_args(["exercises", "mutants", "35"])
    args.run(args)
    lines = capsys.readouterr().out.splitlines()
    assert "35.unshuffle: 2 of 3 noticed" in lines
    assert "    not: sign, line 4.45" in lines
