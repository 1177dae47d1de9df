"""A class: every submission graded with one secret seed, each record written as soon as it is there."""

import hashlib
import importlib.metadata
import json
import platform
import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from natsort import natsorted
from tqdm import tqdm

from ..files import write_atomically
from .exercise import FOLDER, load_exercise
from .marking import mark, self_test, walls_hold
from .sandbox import HOW_TO_GET_ONE, Limits, Sandbox, find_sandbox
from .students import plain
from .submissions import collect
from .verdict import NOT_GRADED, Judge, Verdict


def grade(submissions, out, *, jobs=2, seed=None, resume=False, trust=False, folder=FOLDER, limits=None):
    """Grade all that is in `submissions`; returns (records, complaints). The records lie in `out`/records as well."""
    out, limits = Path(out), limits or Limits()
    sandbox = choose_sandbox(trust, limits)
    about = begin_or_resume(out, seed, resume, sandbox)
    found, complaints = collect(submissions, besides=out)
    judges, records, waiting = {}, {}, {}
    for submission in found:
        key = slug(submission, records.keys() | waiting.keys())
        earlier = earlier_record(out / "records" / f"{key}.json", submission) if resume else None
        if earlier:
            records[key] = earlier
            continue
        try:
            if submission.number and submission.number not in judges:
                judges[submission.number] = Judge(load_exercise(submission.number, folder),
                                                  secret(about["seed"], submission.number))
        except ValueError as error:
            submission.flags.append(str(error))
            complaints.append(f"{submission.file}: {error}")
        if submission.number in judges:
            waiting[key] = submission
        else:
            records[key] = write(out / "records" / f"{key}.json", record(submission, {}, about, key))
    if waiting:
        wrong = self_test(judges[min(one.number for one in waiting.values())], sandbox, limits)
        if wrong:
            raise RuntimeError(f"the grader does not work here: {wrong}")
    stopped = threading.Event()
    with (tqdm(total=len(found), initial=len(records), unit="submission", desc="grading") as progress,
          ThreadPoolExecutor(jobs) as pool):
        running = {pool.submit(verdicts_on, submission, judges[submission.number], sandbox, limits, stopped): key
                   for key, submission in waiting.items()}
        try:
            for future in as_completed(running):
                key = running[future]
                records[key] = write(out / "records" / f"{key}.json", record(waiting[key], future.result(), about, key))
                progress.update()
        except BaseException:  # a full disk, Ctrl-C: the answers that run come to their end, nothing else begins
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [records[key] for key in natsorted(records)], complaints


def verdicts_on(submission, judge, sandbox, limits, stopped):
    """The verdicts on one submission; whatever breaks, breaks for this one only, and is no fault of the student's."""
    def go_on(name):
        if stopped.is_set():
            raise InterruptedError("the grading was stopped")

    try:
        return mark(judge, submission.answers, sandbox, limits, done=go_on)
    except Exception as error:
        reason = [f"the grader broke: {type(error).__name__}: {error}"]
        return {name: Verdict(NOT_GRADED, 0, answer.points, reason, ["it could not be graded; it will be"],
                              kind=answer.kind)
                for name, answer in judge.exercise.answers.items()}


def choose_sandbox(trust, limits):
    """The sandbox that works here, or a refusal."""
    if trust:
        return Sandbox("none")
    reasons = []

    def works(box):
        reasons.append(walls_hold(box, limits))
        return not reasons[-1]

    sandbox = find_sandbox(works)
    if sandbox is None:
        raise RuntimeError(HOW_TO_GET_ONE + "".join(f"\n(bubblewrap: {plain(reason)})" for reason in reasons))
    return sandbox


def earlier_record(file, submission):
    """What an earlier grading wrote of this very file, if it came to an end; else None."""
    try:
        earlier = json.loads(file.read_text(encoding="utf-8"))
        same = all(earlier[name] == getattr(submission, name) for name in ("file", "digest", "imitated"))
        return earlier if same and not any(one["status"] == NOT_GRADED for one in earlier["answers"].values()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def begin_or_resume(out, seed, resume, sandbox):
    """What this grading is, written to grading.json; a resumed one is what it was."""
    file = out / "grading.json"
    if resume and file.exists():
        about = json.loads(file.read_text(encoding="utf-8"))
        if seed is not None and seed != about["seed"]:
            raise ValueError(f"{file}: this grading has the seed {about['seed']}, not {seed}")
        return about
    if file.exists() and seed is None:
        raise ValueError(f"{file}: there is a grading already; --resume goes on with it, --seed says that a new one "
                         "may take its place, --out another folder")
    (out / "records").mkdir(parents=True, exist_ok=True)
    versions = {"python": platform.python_version(),
                **{name: importlib.metadata.version(name) for name in ("numpy", "ipython")}}
    about = {"seed": secrets.randbits(63) if seed is None else seed, "sandbox": sandbox.name, "versions": versions}
    return write(file, about)


def secret(seed, number):
    """What SEED becomes in the check cells of an exercise."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")


def slug(submission, taken):
    """A file name for a submission, whatever the student is called: short, and of harmless letters."""
    name = re.sub(r"[^\w.-]+", "_", submission.student).strip("._")
    name = name.encode()[:80].decode(errors="ignore") or "student"
    key = "-".join(filter(None, [name, submission.identifier, submission.number or "unreadable"]))
    digest = hashlib.sha256(f"{submission.student}/{submission.file}".encode()).hexdigest()[:8]
    return f"{key}-{digest}" if key.casefold() in {other.casefold() for other in taken} else key


def record(submission, verdicts, about, key):
    """All that is known about one submission."""
    return {"student": submission.student, "identifier": submission.identifier, "exercise": submission.number,
            "imitated": submission.imitated, "file": submission.file, "digest": submission.digest, "key": key, **about,
            "flags": submission.flags,
            "points": sum(verdict.points for verdict in verdicts.values()),
            "possible": sum(verdict.possible for verdict in verdicts.values()),
            "answers": {name: asdict(verdict) for name, verdict in verdicts.items()}}


def write(file, content):
    """Write JSON: a record is whole or not there. Returns the content."""
    write_atomically(file, json.dumps(content, indent=1))
    return content
