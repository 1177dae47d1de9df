"""python -m tests.golden.make [NAME ...]: write what the official implementations compute into this folder.

NAME is a family's (vit), or a part of a case's name; without one, all are written but those that only run in their
authors' repository. Those are written by

    python -m tests.golden.make NAME --repository FOLDER

where FOLDER has the repository at the commit that the case names: the case's `reference` imports from there.

Weights and pictures are drawn by name from a seeded generator (draw.py), here and in the test, so that neither is
stored. Of an output the numbers are stored, of a gradient its product with a direction that is drawn by name.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from tests.golden.case import along
from tests.golden.cases import GOLDEN
from tests.parity.compare import official_results, prepared
from tests.parity.official import LIBRARIES

FOLDER = Path(__file__).parent


def result(case):
    """What a golden file holds."""
    outputs, gradients = official_results(case, prepared(case, np.float64), np.float64)
    made_with = case.source or f"{case.library} {LIBRARIES[case.library]().__version__}"
    return {"made with": made_with,
            "outputs": [output.ravel()[:128].tolist() for output in outputs],
            "gradients": {name: along(name, gradient)[0] for name, gradient in gradients.items()}}


def chosen(names, repository):
    """The cases that names ask for; those of authors only if their repository is there."""
    return [case for case in GOLDEN if (case.library == "authors") == bool(repository) and (
        not names or any(name in str(case) for name in names))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--repository", metavar="FOLDER")
    args = parser.parse_args()
    if args.repository:
        sys.path.insert(0, args.repository)
    for case in chosen(args.names, args.repository):
        path = FOLDER / f"{case}.json"
        path.write_text(json.dumps(result(case), indent=1) + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB")
