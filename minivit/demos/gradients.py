"""How much gradient reaches each block of a deep Transformer, by the way its blocks are wired, while it trains.

Lesson 04 measures it before the first step on CIFAR-10, and after 120 steps on rows of digits, with more seeds; here
every depth and wiring is trained for a few steps on the built-in pictures when the file is written (He et al.,
arXiv:1512.03385; Xiong et al., arXiv:2002.04745).
"""

import numpy as np

from ..data import channel_statistics, normalise
from ..data.shapes10 import load_shapes10
from ..engine import Tensor, grad
from ..models import create
from ..nn import Identity, LayerNorm, Sequential
from ..ops import cross_entropy
from ..train import AdamW

TITLE = "Without a residual path no gradient reaches the first block"
LOOK_FOR = "how far each line falls on the gradient's way from the loss, on the right, to the first block."
QUESTION = ("At step 0 post-norm and pre-norm both look healthy. After how many steps do they differ, in which blocks, "
            "and what has pre-norm that “residual” lacks?")

WIRINGS = {"plain": lambda x, part, norm: part(x),
           "residual": lambda x, part, norm: x + part(x),
           "post-norm": lambda x, part, norm: norm(x + part(x)),
           "pre-norm": lambda x, part, norm: x + part(norm(x))}
DEPTHS = (6, 12, 24)
STEPS = (0, 1, 2, 4, 8, 16, 32)
DIM, BATCH, RATE = 32, 16, 1e-3


class Block(Sequential):
    """The parts of a ViT's block, joined in one of the wirings.    (B, N, D) -> (B, N, D)"""

    def __init__(self, block, wire):
        super().__init__(block.norm1, block.attention, block.norm2, block.mlp)
        self.wire = wire

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        norm1, attention, norm2, mlp = self
        return self.wire(self.wire(x, attention, norm1), mlp, norm2)


def deep_model(wiring, depth, seed=0):
    """A ViT of our own width whose blocks are wired so; only pre-norm needs a norm behind the last block."""
    model = create("vit", "cifar", patch_size=8, dim=DIM, depth=depth, heads=2, seed=seed)
    model.blocks = [Block(block, WIRINGS[wiring]) for block in model.blocks]
    model.norm = LayerNorm(DIM) if wiring == "pre-norm" else Identity()
    return model


def gradient_norms(model, images, labels):
    """The norm of the gradient of all weights of each block, and the loss.    -> float (depth,), float"""
    loss = cross_entropy(model(Tensor(images)), labels)
    gradients = iter(grad(loss, [p for block in model.blocks for p in block.parameters()]))
    squares = [sum(float((next(gradients) ** 2).sum()) for _ in block.parameters()) for block in model.blocks]
    return np.sqrt(squares), loss.item()


def training(wiring, depth, pictures):
    """Gradient norms and losses of a run after each number of `STEPS`; not-a-number from where it diverges.

    -> float32 (steps, depth), float32 (steps,)
    """
    model = deep_model(wiring, depth)
    optimiser = AdamW(model.parameters(), lr=RATE)
    images = normalise(pictures.images, *channel_statistics(pictures.images))
    norms, losses = np.full((len(STEPS), depth), np.nan, np.float32), np.full(len(STEPS), np.nan, np.float32)
    for step in range(STEPS[-1] + 1):
        if step in STEPS:
            norms[STEPS.index(step)], losses[STEPS.index(step)] = gradient_norms(model, images[:BATCH],
                                                                                 pictures.labels[:BATCH])
        batch = slice(BATCH * (step + 1), BATCH * (step + 2))
        loss = cross_entropy(model(Tensor(images[batch])), pictures.labels[batch])
        if not np.isfinite(loss.item()):
            break
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return norms, losses


def data():
    """Every wiring at every depth: norms[wiring] (depths, steps, deepest), with not-a-number behind the last block."""
    pictures, _ = load_shapes10(train=BATCH * (STEPS[-1] + 2), test=0)
    norms, losses = {}, {}
    for wiring in WIRINGS:
        runs = [training(wiring, depth, pictures) for depth in DEPTHS]
        norms[wiring] = np.stack([np.pad(run, ((0, 0), (0, DEPTHS[-1] - depth)), constant_values=np.nan)
                                  for depth, (run, _) in zip(DEPTHS, runs, strict=True)])  # (depths, steps, deepest)
        losses[wiring] = np.stack([run for _, run in runs])                                # (depths, steps)
    return {"depths": DEPTHS, "steps": STEPS, "norms": norms, "losses": losses}
