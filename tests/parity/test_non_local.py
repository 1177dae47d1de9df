"""A non-local block against timm's NonLocalAttn."""

import numpy as np
import pytest

from minivit import Tensor, grad
from minivit.models.non_local import NonLocal
from tests.golden.case import relative
from tests.golden.draw import draw_all, pictures
from tests.parity.official import channels_first, timm, torch

NAMES = {"theta": "t", "phi": "p", "g": "g", "out.linear": "z", "out.norm": "norm"}


def theirs(name):
    """timm's name of one of our parameters."""
    part, _, last = name.rpartition(".")
    return f"{NAMES[part]}.{last}"


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-9), (np.float32, 1e-4)])
def test_outputs_and_gradients_are_timm_s(dtype, tolerance, training):
    """Which has no pooling, a scale of its own, and a bias in front of the norm, here zero."""
    official = timm().layers.NonLocalAttn(12, rd_channels=6)
    official.scale = 6 ** -0.5
    drawn = draw_all({name: x.shape for name, x in official.state_dict().items()})
    drawn["z.bias"] = np.zeros(12)
    official = official.to(getattr(torch, np.dtype(dtype).name)).train(training)
    official.load_state_dict({name: torch.from_numpy(x) for name, x in drawn.items()}, strict=False)
    ours = NonLocal(12, pool=1).astype(dtype).train(training)
    ours.load_state_dict({name: drawn[theirs(name)].reshape(drawn[theirs(name)].shape[:2]).T
                          for name, _ in ours.named_parameters() + ours.named_buffers()})
    x, direction = (pictures(2, 5, 6, 12, seed).astype(dtype) for seed in (0, 1))
    pixels, their_pixels = Tensor(x, requires_grad=True), channels_first(x).requires_grad_()
    made, expected = ours(pixels), official(their_pixels).permute(0, 2, 3, 1)                   # (B, H, W, C)
    assert relative(made.numpy(), expected.detach().numpy()) < tolerance
    (expected * torch.from_numpy(direction)).sum().backward()
    names, parameters = zip(*ours.named_parameters(), strict=True)
    dx, *gradients = grad((made * direction).sum(), [pixels, *parameters])
    assert relative(dx, their_pixels.grad.permute(0, 2, 3, 1).numpy()) < tolerance              # (B, H, W, C)
    largest = max(np.abs(gradient).max() for gradient in gradients)
    # softmax does not see what a key's bias adds, nor the batch's norm what g's adds: rounding errors on both sides
    without_gradient = ["phi.bias", "g.bias"] if training else ["phi.bias"]
    for name, gradient in zip(names, gradients, strict=True):
        y = official.get_parameter(theirs(name)).grad.numpy()
        difference = np.abs(gradient - y.reshape(y.shape[:2]).T).max()
        assert difference < tolerance * (largest if name in without_gradient else np.abs(y).max()), name
