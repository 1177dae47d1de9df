"""The values that a check cell shows for trusted code: the reference and the mutants, run right here."""

import contextlib
import io
import warnings
from unittest import mock

from . import show as showing
from .differences import compare


def values(exercise, name, seed=None, source=None):
    """{value's name: {"shape", "data"}} of an answer's check cell for the reference, or for another trusted source."""
    with mock.patch.object(showing, "_text", return_value=""):
        return output(exercise, name, seed, source)[showing.MIME]


def output(exercise, name, seed=None, source=None):
    """{MIME type: content} that an answer's check cell puts out: the values, and the text that a reader sees."""
    shown = {}

    def display(data, raw):
        shown.update(data)

    answer = exercise.answers[name]
    before = [exercise.answers[text].reference if kind == "answer" else text for kind, text in exercise.before(name)]
    cells = [*before, answer.reference if source is None else source, exercise.check(name, seed)]
    namespace = {"__name__": "__main__"}
    with (mock.patch.object(showing, "display", display),
          contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings()):
        warnings.simplefilter("ignore")
        for index, cell in enumerate(cells):
            exec(compile(cell, f"<{exercise.number}.{name}, cell {index}>", "exec"), namespace)
    return shown


def mutant_values(exercise, name, seed=None, mutants=None):
    """{mutant: its values, or as a text the exception that it raises}."""
    found = {}
    named = {mutant: source for mutant, (source, _) in exercise.answers[name].mutants.items()}
    for mutant, source in (named if mutants is None else mutants).items():
        try:
            found[mutant] = values(exercise, name, seed, source)
        except Exception as error:
            found[mutant] = f"{type(error).__name__}: {error}"
    return found


def survivors(exercise, name, seed=None, mutants=None):
    """The mutants that the check does not notice."""
    answer, expected = exercise.answers[name], values(exercise, name, seed)
    return [mutant for mutant, shown in mutant_values(exercise, name, seed, mutants).items()
            if not isinstance(shown, str) and not compare(shown, expected, answer.rtol, answer.atol)]
