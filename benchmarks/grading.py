"""python -m benchmarks.grading: how long a class takes. Right answers, named mutants and untouched cells, mixed."""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

from minivit.grading.exercise import load
from minivit.grading.grade import grade


def main():
    """Hand in for a class, grade it, print the time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__)
    parser.add_argument("--students", type=int, default=100, help="how many hand in (default 100)")
    parser.add_argument("--exercise", default="03", help="the exercise (default 03)")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (default 2)")
    args = parser.parse_args()
    exercise = load(args.exercise)
    with tempfile.TemporaryDirectory() as folder:
        handed_in = Path(folder) / "class"
        handed_in.mkdir()
        for student in range(args.students):
            (handed_in / f"student{student:03}.ipynb").write_text(json.dumps(submission(exercise, student)))
        start = time.perf_counter()
        records, _ = grade(handed_in, Path(folder) / "results", jobs=args.jobs, seed=1)
        seconds = time.perf_counter() - start
    points = sum(record["points"] for record in records) / len(records)
    print(f"exercise {args.exercise}: {len(records)} submissions, {points:.1f} points on average, {seconds:.1f} s "
          f"({args.jobs} at a time, {os.cpu_count()} cores, {records[0]['sandbox']}, Python "
          f"{platform.python_version()})")


def submission(exercise, student):
    """A notebook in which every fourth answer is a mutant, and every ninth is missing."""
    cells = []
    for place, (name, answer) in enumerate(exercise.answers.items(), start=student):
        wrong = [source for source, _ in answer.mutants.values()]
        source = answer.stub if place % 9 == 8 else wrong[place % len(wrong)] if place % 4 == 3 else answer.reference
        cells.append({"cell_type": "code", "id": f"answer-{exercise.number}-{name}", "source": source})
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    main()
