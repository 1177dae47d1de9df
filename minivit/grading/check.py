"""The student's own check: the same path as grading, with the public seed, without a sandbox, and with every number."""

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
        lines += [f"    {message}" for message in verdict.messages[:2]]
        lines += [f"    note: {flag}" for flag in verdict.flags if flag not in verdict.messages]
    points = sum(verdict.points for verdict in verdicts.values())
    lines.append(said(by_kind((one.kind, one.points, one.possible) for one in verdicts.values())))
    lines.append(f"{points} of {exercise.points} points" + ("" if points == exercise.points else
                 f"; a hint: python -m minivit check {exercise.number} --hint"))
    return lines


def stored(path):
    """Lines: whether the notebook's stored outputs are what it gives; nbval judges."""
    try:
        cells = stale_cells(path)
    except RuntimeError as error:
        return [str(error)]
    if not cells:
        return ["nbval: the outputs that the notebook stores are what it gives"]
    numbers = ", ".join(map(str, cells))
    return [f"nbval: other outputs are stored than come now, at code cell {numbers}: run all cells, save, then hand in"]


def next_hints(path, exercise, verdicts, name=None):
    """Lines: the hints of an answer (the first that has not passed) seen so far, and one more."""
    if name is None:
        open_answers = [answer for answer, verdict in verdicts.items() if verdict.status != PASSED]
        if not open_answers:
            return ["nothing is left to hint at"]
        name = open_answers[0]
    if name not in exercise.answers:
        raise ValueError(f"--hint: {name!r} does not exist; there are {', '.join(exercise.answers)}")
    state = path.parent / STATE
    seen = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    key, hints = f"{exercise.number}.{name}", exercise.answers[name].hints
    seen[key] = min(seen.get(key, 0) + 1, len(hints))
    state.write_text(json.dumps(seen, indent=1), encoding="utf-8")
    return [f"hint {i + 1} of {len(hints)} for {name}: {hint}" for i, hint in enumerate(hints[:seen[key]])]
