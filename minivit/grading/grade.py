"""A class: every submission graded with one secret seed, each record written as soon as it is there."""

import hashlib
import importlib.metadata
import json
import platform
import re
import secrets
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ..files import write_atomically
from .assess import after, before
from .exercise import FOLDER, load
from .pool import run_all
from .sandbox import Limits, Sandbox, available
from .submissions import collect
from .verdict import Judge


def grade(submissions, out, *, jobs=2, seed=None, resume=False, trust=False, folder=FOLDER, limits=None):
    """Grade all that is in `submissions`; returns (records, complaints). The records lie in `out`/records as well."""
    out = Path(out)
    sandbox = choose(trust)
    about = settle(out, seed, resume, sandbox)
    found, complaints = collect(submissions)
    judges, records, tasks, waiting = {}, {}, {}, {}
    for submission in found:
        key = slug(submission, records.keys() | waiting.keys())
        file = out / "records" / f"{key}.json"
        if resume and file.exists():
            earlier = json.loads(file.read_text(encoding="utf-8"))
            if (earlier["file"], earlier["digest"]) == (submission.file, submission.digest):
                records[key] = earlier
                continue
        try:
            judge = judges.get(submission.number) or Judge(load(submission.number, folder),
                                                           secret(about["seed"], submission.number))
        except ValueError as error:
            if submission.number:
                submission.flags.append(str(error))
                complaints.append(f"{submission.file}: {error}")
            records[key] = write(file, record(submission, {}, about, key))
            continue
        judges[submission.number] = judge
        verdicts, notebooks, flags = before(judge.exercise, submission.sources, judge.seed)
        waiting[key] = submission, judge, verdicts, flags
        tasks[key] = notebooks
    with tqdm(total=len(found), initial=len(records), unit="submission", desc="grading") as progress:
        idle = {key: {} for key, notebooks in tasks.items() if not notebooks}
        busy = {key: notebooks for key, notebooks in tasks.items() if notebooks}
        for key, outcomes in [*idle.items()]:
            finish(out, key, waiting, outcomes, about, records, progress)
        for key, outcomes in run_all(busy, sandbox, limits or Limits(), jobs):
            finish(out, key, waiting, outcomes, about, records, progress)
    return [records[key] for key in sorted(records)], complaints


def finish(out, key, waiting, outcomes, about, records, progress):
    """The verdicts on one submission, written down."""
    submission, judge, verdicts, flags = waiting[key]
    verdicts = after(judge, verdicts, outcomes, flags)
    records[key] = write(out / "records" / f"{key}.json", record(submission, verdicts, about, key))
    progress.update()


def choose(trust):
    """The sandbox, or a refusal."""
    if trust:
        return Sandbox(None)
    sandbox = available()
    if sandbox is None:
        raise RuntimeError("no sandbox works here (bubblewrap, Linux namespaces), and submissions are foreign code; "
                           "--trust-submissions runs them with your own rights")
    return sandbox


def settle(out, seed, resume, sandbox):
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
                **{name: importlib.metadata.version(name) for name in ("numpy", "nbval", "ipykernel")}}
    about = {"seed": secrets.randbits(63) if seed is None else seed, "sandbox": sandbox.name or "none",
             "versions": versions}
    return write(file, about)


def secret(seed, number):
    """What SEED becomes in the check cells of an exercise."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")


def slug(submission, taken):
    """A file name for a submission, whatever the student is called."""
    name = re.sub(r"[^\w.-]+", "_", submission.student).strip("._")[:60] or "student"
    key = "-".join(filter(None, [name, submission.identifier, submission.number or "unreadable"]))
    digest = hashlib.sha256(submission.file.encode()).hexdigest()[:8]
    return f"{key}-{digest}" if key.lower() in {other.lower() for other in taken} else key


def record(submission, verdicts, about, key):
    """All that is known about one submission."""
    return {"student": submission.student, "identifier": submission.identifier, "exercise": submission.number,
            "file": submission.file, "digest": submission.digest, "key": key, **about, "flags": submission.flags,
            "points": sum(verdict.points for verdict in verdicts.values()),
            "possible": sum(verdict.possible for verdict in verdicts.values()),
            "answers": {name: asdict(verdict) for name, verdict in verdicts.items()}}


def write(file, content):
    """Write JSON: a record is whole or not there. Returns the content."""
    write_atomically(file, json.dumps(content, indent=1))
    return content
