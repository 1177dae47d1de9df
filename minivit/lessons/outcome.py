"""What a lesson found, as outputs that a program can read: claims of papers, and models that were trained.

    outcome(verdict("the mean needs another rate", ours, theirs), "arXiv:2010.11929, appendix D.3")
    outcome("attention is permutation equivariant", "arXiv:1706.03762, section 3.2", shown=error < 1e-12, error=error)
    result("ViT, class token", model=vit, history=history, accuracies=[accuracy(vit, pictures)])

Each call shows a line, and stores beside it what the line says, as JSON of the type MIME; `read_outcomes` finds it in
notebooks, and `python -m minivit results` makes the README's table and docs/claims.md of it.
"""

import json

from .course import COURSE
from .training import budget
from .verdict import Verdict

MIME = "application/vnd.minivit.outcome+json"


def outcome(claim, source, *, shown=None, seeds=None, **numbers):
    """Show what was found of a claim, and store it.

    Parameters
    ----------
    claim : Verdict or str
        What `verdict` says of results over seeds; or in words a claim that needs none: a shape, an equality up to
        rounding, a cost.
    source : str
        Who claims it, and where: "arXiv:2010.11929, appendix D.3", or "section 7" of the lesson itself.
    shown : bool, optional
        For a claim in words: whether it was found; without it, it was not tried, or these runs (with numbers that say
        so) cannot tell.
    seeds : sequence of int, optional
        Of a verdict; counted from 0 if nothing is said.
    **numbers
        What a claim in words rests on: slope=1.02.

    Raises
    ------
    TypeError
        If a verdict comes with `shown` or numbers: it has its own.
    """
    record = {"kind": "claim", "source": source}
    if isinstance(claim, Verdict):
        if shown is not None or numbers:
            raise TypeError("outcome: a verdict has its own word and numbers; shown=... and others are for claims in "
                            "words")
        record |= {"claim": claim.claim, "verdict": claim.word, "numbers": claim.numbers,
                   "difference": claim.difference, "interval": claim.interval, "unit": claim.unit, "ours": claim.ours,
                   "theirs": claim.theirs, "seeds": list(range(len(claim.ours)) if seeds is None else seeds)}
    else:
        word = {True: "shown", False: "opposite", None: "open"}[None if shown is None else bool(shown)]
        values = {name: float(value) for name, value in numbers.items()}
        record |= {"claim": claim, "verdict": word, "values": values,
                   "numbers": ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in values.items())}
        if shown is None and not values:
            record["numbers"] = "not tried"
    show(record, f"{record['claim']}: {', '.join(filter(None, [record['verdict'], record['numbers']]))} [{source}]")


def result(words, *, history, accuracies, model=None):
    """Show what a model reached, and store it: a row of the README's table.

    Parameters
    ----------
    words : str
        The model, for the table.
    history : list of dict
        Of the training of one seed: its last line has the epochs and seconds.
    accuracies : sequence of float
        Fractions of the test pictures, for each seed.
    model : Module, optional
        Its parameters are counted.

    Raises
    ------
    ValueError
        If an accuracy is no fraction.
    """
    accuracies = [float(fraction) for fraction in accuracies]
    if not accuracies or not all(0 <= fraction <= 1 for fraction in accuracies):
        raise ValueError(f"result: expected accuracies as fractions from 0 to 1, got {accuracies}")
    mean = sum(accuracies) / len(accuracies)
    many = f", mean of {len(accuracies)} seeds" if len(accuracies) > 1 else ""
    record = {"kind": "model", "model": words + many, "epochs": history[-1]["epoch"],
              "minutes": round(history[-1]["seconds"] / 60, 1), "accuracies": accuracies,
              "test_accuracy": round(mean, 4)}
    if model is not None:
        record["parameters"] = sum(parameter.size for parameter in model.parameters())
    show(record, f"{record['model']}: right for {mean:.1%} of the test pictures".replace("%", " %"))


def show(record, line):
    """Display a record, with a line for readers."""
    from IPython.display import display
    if budget(False, smoke=True):
        record = record | {"smoke": True}  # nobody takes it for a result
    display({MIME: json.loads(json.dumps(record)), "text/plain": line}, raw=True)


def read_outcomes(path):
    """The records of a notebook in their order, each with its command, its lesson and the heading it stands below.

    Raises
    ------
    ValueError
        If one comes from a smoke run.
    """
    records, heading = [], ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            heading = next((line.lstrip("# ").strip() for line in reversed("".join(cell["source"]).splitlines())
                            if line.startswith("## ")), heading)
        for output in cell.get("outputs", ()):
            record = output.get("data", {}).get(MIME)
            if record and record.get("smoke"):
                raise ValueError(f"{path}: {record['kind']} of a smoke run; run it without MINIVIT_BUDGET=smoke")
            if record:
                records.append(record | {"command": f"python -m minivit lesson {int(path.name[:2])} --run",
                                         "lesson": path.stem, "heading": heading})
    return records


def read_lessons():
    """The records of all lessons that are written, {name of the lesson: its records}."""
    return {lesson.path.stem: read_outcomes(lesson.path) for lesson in COURSE if lesson.path.exists()}
