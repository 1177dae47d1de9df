"""python -m tests.golden.make: write what the official implementations compute into this folder.

Weights and pictures are drawn by name from a seeded generator (draw.py), here and in the test, so that neither is
stored. Of an output the numbers are stored, of a gradient its product with a direction that is drawn by name.
"""

import json
from pathlib import Path

import numpy as np

from tests.golden.case import along
from tests.golden.cases import GOLDEN
from tests.golden.draw import draw_all
from tests.parity.compare import official_results
from tests.parity.official import counterpart, load_strictly, shapes_of, timm, transformers

FOLDER = Path(__file__).parent
LIBRARIES = {"timm": timm, "transformers": transformers}


def reference(case):
    """What a golden file holds."""
    official = counterpart(case.make(**case.settings), case).double()
    load_strictly(official, draw_all(shapes_of(official), case.seed) | counters(official))
    outputs, gradients = official_results(case, official.train(case.training), np.float64)
    return {"made with": f"{case.library} {LIBRARIES[case.library]().__version__}",
            "outputs": [output.ravel()[:128].tolist() for output in outputs],
            "gradients": {name: along(name, gradient)[0] for name, gradient in gradients.items()}}


def counters(official):
    """The number of batches that every BatchNorm has seen."""
    return {name: np.array(0) for name in shapes_of(official) if name.endswith("num_batches_tracked")}


if __name__ == "__main__":
    for case in GOLDEN:
        path = FOLDER / f"{case}.json"
        path.write_text(json.dumps(reference(case), indent=1) + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB")
