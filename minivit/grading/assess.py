"""A submission's answers: those that need no kernel, those that do, and the verdicts on all."""

from .rules import examine
from .run import notebook
from .verdict import MISSING, REFUSED, Verdict


def before(exercise, sources, seed=None):
    """(Verdicts on answers that will not be run, {name: notebook} of the others, {name: remarks for a teacher})."""
    verdicts, notebooks, flags = {}, {}, {}
    for name, answer in exercise.answers.items():
        source = sources.get(name)
        if source is None:
            text = ["there is no such answer cell"]
            verdicts[name] = Verdict(MISSING, 0, answer.points, text, text)
        elif not source.strip() or source.strip() == answer.stub.strip():
            verdicts[name] = Verdict(MISSING, 0, answer.points)
        else:
            refused, remarked = examine(source, answer.forbid)
            flags[name] = refused + remarked
            if refused:
                verdicts[name] = Verdict(REFUSED, 0, answer.points, refused, refused, flags=flags[name])
            else:
                notebooks[name] = notebook(exercise, name, source, seed)
    return verdicts, notebooks, flags


def after(judge, verdicts, outcomes, flags):
    """{name: Verdict} in the exercise's order, once the kernels have run."""
    verdicts = dict(verdicts)
    for name, outcome in outcomes.items():
        verdicts[name] = judge.verdict(name, outcome)
        verdicts[name].flags = flags.get(name, [])
    return {name: verdicts[name] for name in judge.exercise.answers}
