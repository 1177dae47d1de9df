"""From what came of an answer to what a teacher says: the verdict on one answer."""

import builtins
from dataclasses import dataclass, field

from .differences import compare
from .expected import mutant_values, values

PASSED, WRONG, ERROR, TIMEOUT, REFUSED = "passed", "wrong", "error", "timeout", "not allowed"
MISSING, NOT_GRADED = "not attempted", "not graded"
ENDED = {
    "timeout": "it took too long: is there a loop that does not end, or one over every entry of an array?",
    "died": "its process ended before the answer did: exit(), os._exit() and a crash end everything",
    "killed": "its process was ended before the answer was done",
    "output": "it printed too much: take the print out of the loop",
}
MEMORY = "it needed too much memory"
HELPER = ("what an answer needs must stand in its own cell, or above it in a cell of its own whose first line is "
          "`# helper`")
CHANGED = "it changes one of its arguments: work on a copy (x = x.copy())"
NONE = "it returned None: is the return missing, or is the result printed instead?"
CALLS = 30  # of earlier answers by one answer; more is remarked: so works a numeric difference
EXCEPTIONS = {name for name in dir(builtins) if name.endswith("Error")}


@dataclass
class Verdict:
    """What happened to an answer: status, points, `messages` for the teacher, `outline` without hidden numbers.

    kind: what the answer asked for (kinds.KINDS).
    """

    status: str
    points: int
    possible: int
    messages: list = field(default_factory=list)
    outline: list = field(default_factory=list)
    mutant: str = ""
    flags: list = field(default_factory=list)
    kind: str = ""


class Judge:
    """What an exercise expects for one seed (None: the public one); made once, used for a class."""

    def __init__(self, exercise, seed=None, expected=None, mutants=None):
        self.exercise, self.seed = exercise, seed
        self.expected = expected or {name: values(exercise, name, seed) for name in exercise.answers}
        self.mutants = mutants or {name: mutant_values(exercise, name, seed) for name in exercise.answers}

    def verdict(self, name, outcome):
        """The Verdict on an answer's Outcome."""
        verdict = self._verdict(self.exercise.answers[name], outcome)
        calls = sum(outcome.notes.get("calls", {}).values())
        if calls > CALLS and self.exercise.answers[name].formula:
            verdict.flags.append(f"calls earlier answers {calls} times: is it a numeric difference?")
        if outcome.notes.get("changed"):
            verdict.flags.append(CHANGED)
        return verdict

    def _verdict(self, answer, outcome):
        if outcome.ended:
            status = TIMEOUT if outcome.ended == "timeout" else ERROR
            return Verdict(status, 0, answer.points, [ENDED[outcome.ended]], [ENDED[outcome.ended]])
        unfinished = f"{self.exercise.number}.{answer.name}:"
        if outcome.error_name == "NotImplementedError" and outcome.error.startswith(unfinished):
            return Verdict(MISSING, 0, answer.points)
        first = [text for note, text in (("none", NONE), ("changed", CHANGED)) if outcome.notes.get(note)]
        if outcome.error_name:
            messages, outline = self._error(outcome)
            said = f"{outcome.error_name}: {outcome.error}"
            mutant = next((mutant for mutant, raised in self.mutants[answer.name].items() if raised == said), "")
            hints = [answer.mutants[mutant][1]] if mutant else []
            return Verdict(ERROR, 0, answer.points, hints + first + messages, hints + first + outline, mutant)
        differences = compare(outcome.values, self.expected[answer.name], answer.rtol, answer.atol)
        if not differences:
            return Verdict(PASSED, answer.points, answer.points)
        messages, outline = first + [d.said for d in differences], first + [d.outline for d in differences]
        mutants = self._mutants(answer, outcome.values)
        hints = [answer.mutants[mutant][1] for mutant in mutants]
        return Verdict(WRONG, 0, answer.points, hints + messages, hints + outline, ", ".join(mutants))

    def _error(self, outcome):
        """(messages, outline) about an exception; what it says may hold hidden numbers, its name does not."""
        kind = outcome.error_name if outcome.error_name in EXCEPTIONS else "an exception of its own"
        where = f" in the line `{outcome.line}`" if outcome.line else ""
        where += " (of a helper cell)" if outcome.where == "helper" else ""
        messages = [f"{outcome.error_name}: {outcome.error}{where}"]
        outline = [f"{kind}{where}; `python -m minivit check {self.exercise.number}` shows all of it"]
        also = {"NameError": HELPER, "MemoryError": MEMORY}.get(outcome.error_name)
        return messages + [also] * bool(also), outline + [also] * bool(also)

    def _mutants(self, answer, shown):
        """The named mutant that shows the same values; of an answer whose values are questions of their own, those
        that show some of the wrong ones.
        """
        def same(numbers, keys):
            return not compare(shown, {key: numbers[key] for key in keys}, answer.rtol, answer.atol)

        wrong = {mutant: numbers for mutant, numbers in self.mutants[answer.name].items()
                 if not isinstance(numbers, str)}
        whole = next((mutant for mutant, numbers in wrong.items() if same(numbers, numbers)), "")
        if whole or not answer.is_constant:
            return [whole] * bool(whole)
        found, right = [], self.expected[answer.name]
        unexplained = {key for key in right if not same(right, [key])}
        for mutant, numbers in wrong.items():
            explained = {key for key in unexplained & numbers.keys() if same(numbers, [key])}
            if explained:
                found.append(mutant)
                unexplained -= explained
        return found
