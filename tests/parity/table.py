"""Measure how equal our models are to the official ones: python -m tests.parity.table

It writes docs/parity.md, and its short table into the README too.
"""

import math
import re
import textwrap
from pathlib import Path

import numpy as np

from tests.golden.cases import CASES
from tests.known import collect
from tests.parity.compare import differences
from tests.parity.official import timm, torch, transformers
from tests.parity.training import RUNS, STEPS, losses_of

ROOT = Path(__file__).parents[2]
PATH, README = ROOT / "docs" / "parity.md", ROOT / "README.md"
SHORT_TABLE = re.compile(r"^\| model \| equal to \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
INTRODUCTION = f"""# Equal to the official implementations, number for number

Written by `python -m tests.parity.table`; `python -m pytest -m parity` holds every line to a relative difference of
1e-4 in float32 and 1e-9 in float64. Compared here with torch {torch.__version__}, timm {timm().__version__} and
transformers {transformers().__version__}, on NumPy {np.__version__}.

Both models get the same weights, drawn by name from a seeded generator, and the same pictures. Compared are outputs,
losses, and the gradients of the loss with respect to every parameter and to the pictures: the largest difference,
relative to the largest number of that output or gradient. (Queries, keys and values count as one parameter. By itself
the gradient of a key's bias is zero, and what is computed are rounding errors.)
"""
DIFFERENT = """## Where the implementations differ

What timm and transformers do differently from each other or from the authors, and what is done here:
"""


def digits(difference):
    """To how many decimal digits numbers agree; at most 16."""
    return math.floor(-math.log10(max(difference, 1e-16)))


def measure():
    """[(case, {"outputs float32": difference ...})], [(case, the largest difference of the losses in training)]"""
    compared = [(case, {f"{kind} {dtype}": value for dtype in ("float32", "float64")
                        for kind, value in differences(case, np.dtype(dtype).type).items()}) for case in CASES]
    trained = []
    for run in RUNS:
        ours, theirs = losses_of(*run)
        trained.append((run.case, (np.abs(ours - theirs) / theirs).max()))
    return compared, trained


def short_table(compared, trained):
    """A line for each model: the worst of all cases and both libraries, in digits."""
    lines = ["| model | equal to | outputs, float32 | gradients, float32 | outputs, float64 | gradients, float64 | "
             f"losses of {STEPS} steps, float64 |", "|---|---|---|---|---|---|---|"]
    for model in dict.fromkeys(case.model for case in CASES):
        rows = [(case, found) for case, found in compared if case.model == model]
        libraries = " and ".join(dict.fromkeys(case.library for case, _ in rows))
        worst = [digits(max(found[kind] for _, found in rows)) for kind in (
            "outputs float32", "gradients float32", "outputs float64", "gradients float64")]
        losses = [difference for case, difference in trained if case.model == model]
        lines.append(f"| {model} | {libraries} | {' | '.join(f'{n} digits' for n in worst)} | "
                     f"{f'{digits(max(losses))} digits' if losses else ''} |")
    return "\n".join(lines)


def long_table(compared):
    """A line for each case."""
    lines = ["| model | what | library | pixels | batch | classes | outputs, float32 | gradients, float32 | "
             "outputs, float64 | gradients, float64 |", "|---|---|---|---|---|---|---|---|---|---|"]
    for case, found in compared:
        numbers = " | ".join(f"{found[kind]:.0e}" for kind in (
            "outputs float32", "gradients float32", "outputs float64", "gradients float64"))
        lines.append(f"| {case.model} | {case.note} | {case.library} | {case.pixels[0]} x {case.pixels[1]} | "
                     f"{case.batch} | {case.classes or ''} | {numbers} |")
    return "\n".join(lines)


def training_table(trained):
    """A line for each run."""
    return "\n".join(["| model | library | largest difference of a loss |", "|---|---|---|", *(
        f"| {case.model} | {case.library} | {difference:.0e} |" for case, difference in trained)])


def differences_of_implementations():
    """The paragraphs of the families."""
    return [textwrap.fill(line, 120, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
            for line in collect("DIFFERENCES")]


if __name__ == "__main__":
    compared, trained = measure()
    short = short_table(compared, trained)
    PATH.write_text("\n".join([
        INTRODUCTION, short, "\n## Every comparison\n", long_table(compared),
        f"\n## Training: {STEPS} steps in float64, same start, same batches\n", training_table(trained), "",
        DIFFERENT, *differences_of_implementations(), ""]), encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    README.write_text(SHORT_TABLE.sub(lambda match: short, readme, count=1), encoding="utf-8")
    print(f"{short}\n\nwrote {PATH} and the table in {README}")
