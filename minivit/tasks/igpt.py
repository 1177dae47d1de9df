"""Generative pretraining from pixels.  Chen et al., ICML 2020 (openai.com/index/image-gpt, no arXiv id).

A picture becomes a row of colours, and the model learns to say of each which it is, from those before it. The palette
is made of the training pictures: the means of their pixels' clusters (k-means). Learned is nothing but to continue
pictures; that it is good for telling classes apart shows a probe, which reads the middle layer.

    B batch    N pixels, row by row    K colours
    (B, 32, 32, 3) -> colours (B, N) -> logits (B, N, K), of pixel i from the pixels 0 to i - 1
    loss = -mean over all pixels of ln p(colour | the colours before)          -> ()

    python -m minivit train igpt
    python -m minivit train igpt:cifar --init RUN

Departures from the paper: the palette is of the data set, not of ImageNet; the order of the pixels is not shuffled.
"""

import math

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..engine import no_grad
from ..models.igpt import IGPT
from ..nn.randomness import RandomSource
from ..ops import cross_entropy
from .task import Task

SAMPLE = 40_000  # pixels that the palette is made of


def palette_of(pixels, colours, seed=0):
    """The means of the clusters of pixels: k-means, which begins as k-means++ does (Arthur and Vassilvitskii, 2007).

    (n, C) -> float32 (colours, C)
    """
    from scipy.cluster.vq import kmeans2
    means, _ = kmeans2(np.asarray(pixels, np.float64), colours, minit="++", rng=np.random.default_rng(seed), iter=20)
    return means.astype(np.float32)


class NextColour(Task):
    """The next colour of each pixel.

    Parameters
    ----------
    model : minivit.models.igpt.IGPT
    """

    defaults = {"model": "igpt", "batch_size": 32, "minutes": 15.0, "lr": 3e-3, "optimiser": "adamw"}

    def __init__(self, model):
        if not isinstance(model, IGPT):
            raise ValueError(f"igpt: needs the model igpt, which reads colours; this is a {type(model).__name__}")
        self.model, self.source = model, RandomSource()

    @property
    def backbone(self):
        """The model itself, with its palette."""
        return self.model

    def prepare(self, samples):
        """Make the palette of some pixels of the training pictures."""
        rng, (K, C) = np.random.default_rng(0), self.model.palette.shape
        some = rng.integers(len(samples), size=min(len(samples), 1000))
        images = samples.view(to_device(some, samples.device))
        pixels = asnumpy(self.model.shrunk(images)).reshape(-1, C)                              # (n, C)
        palette = palette_of(rng.choice(pixels, min(SAMPLE, len(pixels)), replace=False), K)
        self.model.palette.mutable()[...] = to_device(palette, self.model.palette.device)

    def loss(self, images):
        """The mean cross-entropy of the colours, and the same in bits."""
        colours = self.model.colours_of(images)                                                 # (B, N)
        grid = tuple(pixels // self.model.shrink for pixels in images.shape[1:3])
        loss = cross_entropy(self.model.next_colours(self.model.shifted(colours), grid), colours)
        return loss, {"bits": loss.data / math.log(2)}

    def plateaus(self, batch):
        """Where no colour is likelier than another."""
        colours = len(self.model.palette.data)
        return {f"ln {colours}, every colour equally likely": math.log(colours)}

    def complete(self, colours, rng):
        """Draw what is missing of pictures, colour by colour, each as likely as the model says.

        Parameters
        ----------
        colours : int (B, n)
            The first pixels of each picture, row by row.
        rng : Generator
            Of NumPy or CuPy, where the colours are.

        Returns
        -------
        int (B, N)
        """
        xp, N = array_module(colours), math.prod(self.model.grid)
        start = xp.full((len(colours), 1), len(self.model.palette.data))
        with no_grad():
            for _ in range(N - colours.shape[1]):
                logits = self.model.next_colours(xp.concatenate([start, colours], axis=1)).data[:, -1]  # (B, K)
                gumbel = -xp.log(-xp.log(rng.random(logits.shape)))  # whose argmax is a draw from the softmax
                colours = xp.concatenate([colours, (logits + gumbel).argmax(axis=-1)[:, None]], axis=1)
        return colours

    def pictures(self, samples, chosen):
        """Pictures in the colours of the palette, their upper halves, and twice what might be below."""
        images = samples.view(chosen)
        colours, rng = self.model.colours_of(images), self.source.generator(samples.device)
        known = colours[:, :colours.shape[1] // 2]                                              # (n, N / 2)
        painted = self.painted(colours)
        upper = painted.copy()
        upper[:, len(upper[0]) // 2:] = 0
        return {"picture": samples.as_bytes(images), "in its colours": samples.as_bytes(painted),
                "what the model sees": samples.as_bytes(upper)} | {
            f"{name} continuation": samples.as_bytes(self.painted(self.complete(known, rng)))
            for name in ("one", "another")}

    def painted(self, colours):
        """Colours as normalised pixels, enlarged to the size of the pictures.    int (B, N) -> (B, height, width, C)"""
        S, pixels = self.model.shrink, self.model.palette.data[colours]                         # (B, N, C)
        return pixels.reshape(len(colours), *self.model.grid, -1).repeat(S, axis=1).repeat(S, axis=2)


TASK = NextColour
