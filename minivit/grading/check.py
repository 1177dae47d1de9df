"""The student's own check: the same path as grading, with the public seed, without a sandbox, and with every number."""

import hashlib
import json
from pathlib import Path

from tqdm import tqdm

from .exercise import FOLDER, load_exercise, load_for_students, numbers
from .kinds import by_kind, said
from .marking import mark
from .notebook import read_notebook
from .sandbox import Limits, Sandbox
from .stored import stale_cells
from .verdict import PASSED, Judge

STATE = ".hints.json"
SHOWN = 4  # messages on an answer that are shown in full


def locate(name, folder=FOLDER):
    """The notebook that "06", "6", "06_vit" or a path means."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.exists():
        return path
    number = path.stem.partition("_")[0].zfill(2)
    found = sorted(Path(folder).glob(f"{number}_*.ipynb"))
    if not found:
        known = ", ".join(path.name[:2] for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb")))
        raise ValueError(f"exercise: {name!r} does not exist; there are {known or 'none'}")
    return found[0]


def check(path, folder=FOLDER, limits=None):
    """(Exercise, {answer: Verdict}, flags) of a student's notebook.

    Where an answer builds on an earlier one, the right one stands in for it, as in grading; where the references are
    withheld, the student's own.
    """
    number, answers, flags = read_notebook(path.read_bytes())
    exercise, expected, wrong = load_for_students(number, folder)
    stand_ins = {name: "\n\n".join([*written.helpers, written.source]) for name, written in answers.items()
                 if name in exercise.answers}
    if number in numbers(folder):
        stand_ins = {name: answer.reference for name, answer in load_exercise(number, folder).answers.items()}
    else:
        flags.append("answers that build on earlier ones use your own here; in grading the right ones stand in")
    with tqdm(total=len(exercise.answers), unit="answer", desc=f"checking {number}", leave=False) as progress:
        verdicts = mark(Judge(exercise, None, expected, wrong), answers, Sandbox("none"), limits or Limits(), stand_ins,
                        lambda name: progress.update())
    return exercise, verdicts, flags


def report(exercise, verdicts, flags):
    """Lines: a row an answer, and under it what to look at."""
    width = max(len(name) for name in verdicts)
    lines = [*flags]
    for name, verdict in verdicts.items():
        lines.append(f"{name:<{width}}  {verdict.kind:<8}  {verdict.status:<13}  {verdict.points:>3} / "
                     f"{verdict.possible}")
        lines += [f"    {message}" for message in verdict.messages[:SHOWN]]
        if more := [message.partition(":")[0] for message in verdict.messages[SHOWN:]]:
            lines.append(f"    and {len(more)} more: {', '.join(more)}")
        lines += [f"    note: {flag}" for flag in verdict.flags if flag not in verdict.messages]
    points = sum(verdict.points for verdict in verdicts.values())
    lines.append(said(by_kind((one.kind, one.points, one.possible) for one in verdicts.values())))
    lines.append(f"{points} of {exercise.points} points" + ("" if points == exercise.points else
                 f"; a hint: python -m minivit check {exercise.number} --hint"))
    return lines


def stored(path):
    """Lines: whether the outputs that the notebook stores are what its cells give; nbval judges."""
    try:
        cells = stale_cells(path)
    except RuntimeError as error:
        return [str(error)]
    if not cells:
        return ["run once more, every cell gives what your saved notebook shows below it: hand it in"]
    numbers = ", ".join(map(str, cells))
    return [f"your saved notebook shows other outputs than its cells give now, below code cell {numbers}: run all "
            "cells, save, then hand in"]


def remember(path, exercise, verdicts):
    """Note beside the notebook which answer is the first that has not passed, so that a hint need not run it again."""
    first = next((name for name, verdict in verdicts.items() if verdict.status != PASSED), None)
    _write(path, {**_seen(path), exercise.number: {"answers": _digest(path), "first": first}})


def next_hint(path, name=None, folder=FOLDER):
    """Lines: the next hint for an answer, by default for the first that has not passed; all of them after the last.

    The notebook is run only if that first answer is asked for and its answers have changed since the last check.
    """
    number, _, _ = read_notebook(path.read_bytes())
    exercise, _, _ = load_for_students(number, folder)
    if name is None:
        if _seen(path).get(number, {}).get("answers") != _digest(path):
            remember(path, *check(path, folder)[:2])
        name = _seen(path)[number]["first"]
    if name is None:
        return []
    if name not in exercise.answers:
        raise ValueError(f"--hint: {name!r} does not exist; there are {', '.join(exercise.answers)}")
    key, seen = f"{number}.{name}", _seen(path)
    hints = [f"hint {i} of {len(exercise.answers[name].hints)} for {name}: {hint}"
             for i, hint in enumerate(exercise.answers[name].hints, 1)]
    before = seen.get(key, 0)
    if before >= len(hints):
        return ["there are no more; once again:", *hints]
    _write(path, {**seen, key: before + 1})
    return [hints[before]]


def _seen(path):
    """{"06.softmax": hints seen, "06": what the last check found} of the notebooks in a folder."""
    state = path.parent / STATE
    return json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}


def _write(path, seen):
    (path.parent / STATE).write_text(json.dumps(seen, indent=1), encoding="utf-8")


def _digest(path):
    """Of the answers of a notebook and their helpers: the same as long as nobody writes in them."""
    _, answers, _ = read_notebook(path.read_bytes())
    written = {name: [*answer.helpers, answer.source] for name, answer in answers.items()}
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()
