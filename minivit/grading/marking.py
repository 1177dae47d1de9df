"""One submission: what need not run, what must, and the verdicts on all of its answers."""

import dataclasses
import time

from .attempt import Attempt, NotGraded, StandIns, make
from .notebook import Written
from .rules import examine
from .verdict import MISSING, NOT_GRADED, PASSED, REFUSED, Verdict

SLOW = 0.25  # of the deadline: a machine on which a known solution takes that long judges nobody


def mark(judge, answers, sandbox, limits, stand_ins=None, done=lambda name: None):
    """{name: Verdict} of {name: Written}, in the exercise's order; `done(name)` is called after each.

    stand_ins: {name: source} of what stands in for earlier answers; without it, the references.
    """
    verdicts, attempts, flags = sort_out(judge.exercise, answers, judge.seed, stand_ins)
    cells = stand_in_cells(judge.exercise, stand_ins)
    earlier = StandIns(sandbox, dataclasses.replace(limits, processor=limits.processor * (1 + len(attempts))), cells)
    try:
        for name, attempt in attempts.items():
            try:
                verdicts[name] = judge.verdict(name, fairly(judge, attempt, sandbox, limits, earlier))
            except NotGraded as reason:
                verdicts[name] = Verdict(NOT_GRADED, 0, judge.exercise.answers[name].points, [str(reason)],
                                         ["it could not be graded; it will be"])
            verdicts[name].flags = flags[name] + verdicts[name].flags
            done(name)
    finally:
        earlier.close()
    for name, answer in judge.exercise.answers.items():
        verdicts[name].kind = answer.kind
    return {name: verdicts[name] for name in judge.exercise.answers}


def sort_out(exercise, answers, seed=None, stand_ins=None):
    """({name: Verdict} of answers that will not run, {name: Attempt} of the others, {name: remarks for a teacher})."""
    verdicts, attempts, flags = {}, {}, {}
    for name, answer in exercise.answers.items():
        written = answers.get(name)
        flags[name] = []
        if written is None:
            text = ["there is no such answer cell"]
            verdicts[name] = Verdict(MISSING, 0, answer.points, text, text)
        elif not written.source.strip() or written.source.strip() == answer.stub.strip():
            verdicts[name] = Verdict(MISSING, 0, answer.points)
        else:
            refused, flags[name] = look(exercise, name, written)
            if refused:
                verdicts[name] = Verdict(REFUSED, 0, answer.points, refused, refused, flags=refused + flags[name])
            else:
                attempts[name] = attempt_at(exercise, name, written, seed, stand_ins)
    return verdicts, attempts, flags


def look(exercise, name, written):
    """(reasons to refuse, remarks) on an answer and its helpers."""
    given = "\n".join([exercise.given(name), *written.helpers])
    refused, remarks = [], []
    for source in [*written.helpers, written.source]:
        no, odd = examine(source, exercise.answers[name].forbid, given, exercise.answers[name].formula)
        refused += no
        remarks += odd
    return refused, remarks


def attempt_at(exercise, name, written, seed=None, stand_ins=None):
    """The Attempt at an answer: given code, helpers, the answer, its check with this seed."""
    helpers = [("helper", "\n\n".join(written.helpers))] if written.helpers else []
    known = [other for other in exercise.earlier(name) if stand_ins is None or other in stand_ins]
    return Attempt(name, [("given", exercise.given(name)), *helpers, ("answer", written.source),
                          ("check", exercise.check(name, seed))], known)


def stand_in_cells(exercise, stand_ins=None):
    """The cells of the process that answers calls of earlier answers: given code, and the references or others."""
    cells = []
    for kind, text in exercise.cells:
        if kind == "code":
            cells.append(("given", text))
        elif kind == "answer" and (stand_ins is None or text in stand_ins):
            cells.append(("stand-in", exercise.answers[text].reference if stand_ins is None else stand_ins[text]))
    return cells


def fairly(judge, attempt, sandbox, limits, earlier):
    """The Outcome of an Attempt; where it may have been the machine, a known solution must pass at the same time.

    A process that was killed, or that waited until the deadline, may have met a machine that is full or too busy.
    """
    outcome = make(attempt, sandbox, limits, earlier)
    if outcome.ended in ("killed", "timeout"):
        confirm(judge, attempt.name, sandbox, limits, earlier)
        if outcome.ended == "killed":
            outcome = make(attempt, sandbox, limits, earlier)
    return outcome


def confirm(judge, name, sandbox, limits, earlier):
    """NotGraded unless the reference of an answer passes here and now, and in good time."""
    answer = judge.exercise.answers[name]
    if not answer.reference:
        return
    start = time.monotonic()
    known = make(attempt_at(judge.exercise, name, Written(answer.reference), judge.seed), sandbox, limits, earlier)
    verdict = judge.verdict(name, known)
    if verdict.status != PASSED:
        raise NotGraded(f"a known solution of {name} fails, too: {'; '.join(verdict.messages)[:300]}")
    if time.monotonic() - start > SLOW * limits.deadline:
        raise NotGraded("the machine is too busy: a known solution takes too long, too")


def self_test(judge, sandbox, limits):
    """What is wrong with the grader here, "" if nothing: a known solution must pass, a known blank must not."""
    *_, answer = (answer for answer in judge.exercise.answers.values() if answer.kind != "debug")
    name = answer.name
    solution = mark(judge, {name: Written(answer.reference)}, sandbox, limits)[name]
    if solution.status != PASSED:
        return (f"the known solution of {judge.exercise.number}.{name} gets {solution.status}: "
                f"{'; '.join(solution.messages)}")
    blank = mark(judge, {name: Written(answer.stub + "\n")}, sandbox, limits)[name]
    ran = mark(judge, {name: Written(answer.stub + "\n\n\npass")}, sandbox, limits)[name]
    if {blank.status, ran.status} != {MISSING}:
        return f"the known blank of {judge.exercise.number}.{name} gets {blank.status} and {ran.status}"
    return ""


def walls_hold(sandbox, limits):
    """"" if a sandbox comes up and hides this machine; else what is wrong with it."""
    earlier = StandIns(sandbox, limits, [])
    attempt = Attempt("look", [("answer", PROBE.format(file=__file__)), ("check", "show(seen=look())")], [])
    try:
        outcome = make(attempt, sandbox, limits, earlier)
    except NotGraded as reason:
        return str(reason)
    seen = outcome.values.get("seen", {}).get("data")
    return "" if seen == ["nothing"] else f"it shows {seen or outcome.error or outcome.ended}"


PROBE = """
from minivit.grading.show import show
def look():
    import ctypes, os, socket
    found = [path for path in ({file!r}, "/etc/passwd", "/etc/hostname", "/sys") if os.path.exists(path)]
    found += [name for name in os.listdir("/proc") if name.isdigit()][3:]
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.append("a network")
    except OSError:
        pass
    if not found and ctypes.CDLL(None).fork() >= 0:
        found.append("another process")
    return np.array(found or ["nothing"])
import numpy as np
"""
