"""Outputs and gradients of our models against stored results of the official implementations; needs no PyTorch."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.golden.case import along, relative
from tests.golden.cases import GOLDEN as CASES


def stored(case):
    return json.loads((Path(__file__).parent / f"{case}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-9), (np.float32, 1e-4)])
def test_outputs_and_gradients_are_the_stored_ones(case, dtype, tolerance):
    golden = stored(case)
    outputs, gradients = case.results(case.build(dtype), dtype)
    for output, expected in zip(outputs, golden["outputs"], strict=True):
        assert relative(output.ravel()[:128], expected) < tolerance
    assert gradients.keys() == golden["gradients"].keys()
    largest = max(np.linalg.norm(gradient) for gradient in gradients.values())
    for name, expected in golden["gradients"].items():
        found, length = along(name, gradients[name])
        # a product of two vectors is compared with how large it could be; that of a key's bias is zero up to rounding
        at_most = length * max(np.linalg.norm(gradients[name]), 1e-3 * largest)
        assert abs(found - expected) < tolerance * at_most, name


def test_every_stored_result_has_its_case():
    assert {path.stem for path in Path(__file__).parent.glob("*.json")} == {str(case) for case in CASES}
