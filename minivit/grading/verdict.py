"""From what an answer showed to what a teacher says: the verdict of one answer."""

import builtins
from dataclasses import dataclass, field

from .expected import mutant_values, values
from .judge import compare

PASSED, WRONG, ERROR, TIMEOUT, REFUSED, MISSING = "passed", "wrong", "error", "timeout", "not allowed", "not attempted"
ENDED = {
    "timeout": "it took too long: is there a loop that does not end?",
    "died": "the kernel died: exit() or os._exit() ends everything, and so does too much memory",
    "memory": "it needed too much memory",
    "processes": "it started too many processes",
    "output": "it put out too much",
    "files": "it wrote too much to disk",
}
EXCEPTIONS = {name for name in dir(builtins) if name.endswith("Error")}


@dataclass
class Verdict:
    """What happened to an answer: status, points, `messages` for the teacher, `outline` without hidden numbers."""

    status: str
    points: int
    possible: int
    messages: list = field(default_factory=list)
    outline: list = field(default_factory=list)
    mutant: str = ""
    flags: list = field(default_factory=list)


class Judge:
    """The expected values of an exercise for one seed (None: the public ones); computed once, used for a class."""

    def __init__(self, exercise, seed=None):
        self.exercise, self.seed = exercise, seed
        self.expected = {name: values(exercise, name, seed) for name in exercise.answers}
        self.mutants = {}

    def verdict(self, name, outcome):
        """The Verdict on an answer's Outcome."""
        answer = self.exercise.answers[name]
        possible = answer.points
        if outcome.ended:
            status = TIMEOUT if outcome.ended == "timeout" else ERROR
            return Verdict(status, 0, possible, [ENDED[outcome.ended]], [ENDED[outcome.ended]])
        if outcome.error_name == "NotImplementedError" and outcome.error.startswith(f"{self.exercise.number}.{name}:"):
            return Verdict(MISSING, 0, possible)
        if outcome.error_name:
            return self._error(answer, outcome)
        differences = compare(outcome.values, self.expected[name], answer.rtol, answer.atol)
        if not differences:
            return Verdict(PASSED, possible, possible)
        messages, outline = [d.said for d in differences], [d.outline for d in differences]
        mutant = self._mutant(name, outcome.values)
        if mutant:
            hint = answer.mutants[mutant][1]
            messages, outline = [hint, *messages], [hint, *outline]
        return Verdict(WRONG, 0, possible, messages, outline, mutant)

    def _error(self, answer, outcome):
        kind = outcome.error_name if outcome.error_name in EXCEPTIONS else "an exception of its own"
        where = f" in the line `{outcome.line}`" if outcome.line else ""
        messages = [f"{outcome.error_name}: {outcome.error}{where}"]
        outline = [f"{kind}{where}; `python -m minivit check {self.exercise.number}` shows all of it"]
        if outcome.error_name == "NameError":
            helper = "only the answer cells are graded: what an answer needs must stand in its own cell"
            messages, outline = [*messages, helper], [*outline, helper]
        return Verdict(ERROR, 0, answer.points, messages, outline)

    def _mutant(self, name, shown):
        """The named mutant that shows the same values, or ""."""
        answer = self.exercise.answers[name]
        if name not in self.mutants:
            self.mutants[name] = mutant_values(self.exercise, name, self.seed)
        for mutant, expected in self.mutants[name].items():
            if not isinstance(expected, Exception) and not compare(shown, expected, answer.rtol, answer.atol):
                return mutant
        return ""
