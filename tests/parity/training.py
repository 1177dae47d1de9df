"""Twenty steps of training beside PyTorch: the same start, the same batches."""

import numpy as np

from minivit.train import optim
from tests.golden.draw import draw
from tests.known import collect
from tests.parity.compare import pair
from tests.parity.official import channels_first, torch

STEPS = 20
RUNS = collect("RUNS")


def batches(case, size=8):
    """Twenty times (pictures, labels), the same five again and again."""
    for step in range(STEPS):
        pixels = draw(f"batch {step % 5}", (1, size * case.pixels[0] * case.pixels[1], 3))
        labels = np.random.default_rng(step % 5).integers(0, case.classes or 4, size)
        yield pixels.reshape(size, *case.pixels, 3), labels


def losses_of(case, optimiser, settings):
    """The losses of both, step by step.    -> two of (20,)"""
    model, official = pair(case, np.float64)
    ours = getattr(optim, optimiser)(model.parameters(), **settings)
    theirs = getattr(torch.optim, optimiser)(official.parameters(), **settings)
    losses = []
    for images, targets in batches(case):
        loss = sum(case.run(model, images, targets)[1])
        loss.backward()
        ours.step()
        ours.zero_grad()
        their_loss = sum(case.run_official(official, channels_first(images), torch.from_numpy(targets))[1])
        theirs.zero_grad()
        their_loss.backward()
        theirs.step()
        losses.append((loss.item(), their_loss.item()))
    return np.array(losses).T
