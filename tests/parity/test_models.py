"""Outputs and gradients of every model against its official implementations."""

import numpy as np
import pytest

from tests.golden.cases import CASES
from tests.parity.compare import differences, official_run, pair
from tests.parity.official import channels_first, torch

TOLERANCE = {np.float32: 1e-4, np.float64: 1e-9}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_outputs_and_gradients_are_the_official_ones(case, dtype):
    found = differences(case, dtype)
    assert max(found.values()) < TOLERANCE[dtype], found


@pytest.mark.parametrize("resnet", [case for case in CASES if case.model.startswith("ResNet")], ids=str)
def test_no_number_comes_near_the_kink_of_relu(resnet):
    """Or chance would decide whether gradients agree in single precision, which rounds to 6e-8."""
    distances = []

    def measure(relu, inputs):
        distances.append((inputs[0].abs().min() / inputs[0].std()).item())
    _, official = pair(resnet, np.float64)
    for module in official.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_pre_hook(measure)
    images, targets = resnet.inputs(np.float64)
    with torch.no_grad():
        official_run(resnet, official, channels_first(images), torch.from_numpy(targets))
    assert distances
    assert min(distances) > 5e-6
