"""Twenty steps of training beside PyTorch: the same start, the same batches."""

import numpy as np

from minivit.models.resnet import BasicBlock, ResNet
from minivit.models.swin import Swin
from minivit.models.vit import ViT
from minivit.train.optim import SGD, AdamW
from tests.golden.case import Case
from tests.golden.cases import NO_DROP, SWIN, VIT
from tests.golden.draw import draw
from tests.parity.compare import official_run, pair
from tests.parity.official import channels_first, torch

STEPS = 20
ADAMW = dict(lr=1e-3, weight_decay=0.05)
MOMENTUM = dict(lr=0.02, momentum=0.9, weight_decay=5e-4)
RUNS = [
    (Case("ViT", "training", "timm", ViT, VIT, (32, 32), training=True), AdamW, torch.optim.AdamW, ADAMW),
    (Case("ViT", "training", "transformers", ViT, VIT, (32, 32), training=True), AdamW, torch.optim.AdamW, ADAMW),
    (Case("Swin", "training", "timm", Swin, SWIN, (64, 64), training=True, official=NO_DROP), AdamW,
     torch.optim.AdamW, ADAMW),
    (Case("Swin", "training", "transformers", Swin, SWIN, (64, 64), training=True), AdamW, torch.optim.AdamW, ADAMW),
    *((Case("ResNet, basic blocks", "training", library, ResNet, dict(
        block=BasicBlock, depths=(1, 1, 1, 1), num_classes=5), (32, 32), training=True), SGD, torch.optim.SGD, MOMENTUM)
      for library in ("timm", "transformers")),
]


def batches(case, size=8):
    """Twenty times (pictures, labels), the same five again and again."""
    for step in range(STEPS):
        pixels = draw(f"batch {step % 5}", (1, size * case.pixels[0] * case.pixels[1], 3))
        yield pixels.reshape(size, *case.pixels, 3), np.random.default_rng(step % 5).integers(0, case.classes, size)


def losses_of(case, optimiser, their_optimiser, settings):
    """The losses of both, step by step.    -> two of (20,)"""
    model, official = pair(case, np.float64)
    ours = optimiser(model.parameters(), **settings)
    theirs = their_optimiser(official.parameters(), **settings)
    losses = []
    for images, targets in batches(case):
        _, (loss,) = case.run(model, images, targets)
        loss.backward()
        ours.step()
        ours.zero_grad()
        _, (their_loss,) = official_run(case, official, channels_first(images), torch.from_numpy(targets))
        theirs.zero_grad()
        their_loss.backward()
        theirs.step()
        losses.append((loss.item(), their_loss.item()))
    return np.array(losses).T
