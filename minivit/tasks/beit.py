"""BEiT: BERT Pre-Training of Image Transformers.  Bao et al., ICLR 2022, arXiv:2106.08254, section 2.

Two fifths of a picture's patches are hidden, and the model says which word of a vocabulary stands at each of them. The
words are those of a tokenizer, a discrete VAE that was trained before (minivit/tasks/dvae.py), so that what is
predicted is what a place shows and not each of its pixels. Hidden are blocks of patches: a single one could be guessed
from its neighbours.

    B batch    H x W = N patches    V words    D width    M hidden patches of the whole batch
    (B, 32, 32, 3) -> patches (B, 8, 8, D), at hidden places the mask token -> encoded (B, 8, 8, D) -> logits (B, N, V)
    loss = -(1 / M) sum over hidden patches of ln p(word of the tokenizer | what is visible)          -> ()

    python -m minivit train dvae --out runs/words
    python -m minivit train beit --tokenizer runs/words --out runs/beit
    python -m minivit train beit:cifar --init runs/beit       classification, which begins with what was learned

While it learns so, one table of position biases serves all layers; a model that is fine-tuned has one for each layer,
and all begin as that one.

Departures from the paper: the tokenizer sees the same picture as the model, whose patches are as large as the places of
its words (the paper's tokenizer shrinks by 8 and sees one half as large). The norm in front of the words goes on as
that in front of the classes, where the authors draw a new one.
"""

import math

import numpy as np

from ..backend import to_device
from ..engine import Tensor, no_grad
from ..models.beit import BEiT
from ..nn import Linear, Module, Parameter, truncated_normal
from ..ops import cross_entropy, where
from ..team import all_sum
from .task import Task, slow_copy

ASPECT = 0.3    # of a block's height to its width, at least; at most 1 / ASPECT
TRIES = 10      # to find a place for a block


def blockwise_mask(rng, grid, count, smallest=16):
    """Hide blocks, one after the other, until `count` patches are hidden or no block fits any more (algorithm 1).

    Parameters
    ----------
    rng : numpy.random.Generator
    grid : (int, int)
        H and W.
    count : int
        How many patches are to be hidden, at most.
    smallest : int
        Patches of a block, at least; the last one may be smaller, so that it fits.

    Returns
    -------
    bool (H, W)
        True where hidden.
    """
    mask, (H, W) = np.zeros(grid, bool), grid
    while (left := count - mask.sum()) > 0:
        for _ in range(TRIES):
            area, aspect = rng.uniform(smallest, max(left, smallest)), ASPECT ** rng.uniform(-1, 1)
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < h <= H and 0 < w <= W:
                y, x = rng.integers(H - h + 1), rng.integers(W - w + 1)
                block = mask[y:y + h, x:x + w]
                if 0 < block.size - block.sum() <= left:
                    block[...] = True
                    break
        else:
            break
    return mask


def masked_cross_entropy(logits, words, mask):
    """The mean over the hidden patches of the whole batch, of which every thread has a share.

    (B, N, V), int (B, N), bool (B, N) -> (), and how often the likeliest word is right, array ()
    """
    hidden, pictures = all_sum(mask.sum()), all_sum(np.array(len(mask)))
    weight = (pictures / (len(mask) * hidden)).astype(logits.dtype)  # the mean over pictures is taken by who asks
    total = cross_entropy(logits, where(mask, words, -1).data, ignore_index=-1, reduction="sum")
    right = ((logits.data.argmax(axis=-1) == words) & mask).sum()
    return total * weight, right * weight


class MaskedWords(Module):
    """A BEiT that says which word stands at each patch, hidden or not.    (B, height, width, C) -> (B, N, V)

    Parameters
    ----------
    beit : callable
        Makes the encoder, beit(num_classes=0, **settings).
    words : int
        V.
    **settings
        Of the encoder: image_size, patch_size, drop_path ...
    """

    def __init__(self, beit, *, words=8192, **settings):
        self.encoder = beit(num_classes=0, **settings)
        if not isinstance(self.encoder, BEiT):
            raise ValueError(f"beit: needs the model beit, as its biases are shared; this is a "
                             f"{type(self.encoder).__name__}")
        for block in self.encoder.blocks[1:]:
            block.bias = self.encoder.blocks[0].bias
        dim, self.image_size = self.encoder.norm.weight.size, self.encoder.image_size
        self.mask_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.head = Linear(dim, words, initialiser=truncated_normal(0.02))

    def forward(self, images, mask=None):
        """(B, height, width, C), and where patches are hidden bool (B, N), True at those -> (B, N, V)"""
        x = self.encoder.patches(images)                                                        # (B, H, W, D)
        B, H, W, D = x.shape
        if mask is not None:
            if mask.shape != (B, H * W):
                raise ValueError(f"mask: expected shape ({B}, {H * W}), pictures by patches, got {mask.shape}")
            x = where(mask.reshape(B, H, W, 1), self.mask_token, x)                             # (B, H, W, D)
        return self.head(self.encoder.encoded(x).reshape(B, H * W, D))                          # (B, N, V)


class PredictWords(Task):
    """Masked image modelling with the words of a tokenizer.

    Parameters
    ----------
    model : MaskedWords
    tokenizer : minivit.models.dvae.Encoder
        Of a run of the task dvae, whose model stands in for its folder in a recipe.
    mask_ratio : float
        How much of a picture is hidden.
    smallest_block : int
        Patches of a hidden block, at least; 16 in the paper, of 196.
    """

    shown = "accuracy"
    runs = ("tokenizer",)
    defaults = {"model": "beit", "batch_size": 128, "minutes": 15.0, "task_settings": {"smallest_block": 4}}

    def __init__(self, model, tokenizer, *, mask_ratio=0.4, smallest_block=16):
        self.model, self.tokenizer = model, slow_copy(tokenizer)
        self.grid, P = model.encoder.grid, model.encoder.patch_embed.patch_size
        self.count, self.smallest_block = int(mask_ratio * math.prod(self.grid)), smallest_block
        if tokenizer.shrinks != P:
            raise ValueError(f"tokenizer: its words stand for {tokenizer.shrinks} x {tokenizer.shrinks} pixels, the "
                             f"patches of the model are {P} x {P}; both must be alike")
        if not 0 < self.count < math.prod(self.grid):
            raise ValueError(f"mask_ratio: {mask_ratio} of {math.prod(self.grid)} patches hides none or all")
        if not 1 <= smallest_block <= self.count:
            raise ValueError(f"smallest_block: expected 1 to {self.count}, the patches that are hidden, got "
                             f"{smallest_block}")

    @classmethod
    def build(cls, make_model, classes, *, tokenizer=None, **settings):
        """With the tokenizer of a run; see `Task.build`."""
        if tokenizer is None:
            raise ValueError("beit: needs a tokenizer; train one, python -m minivit train dvae, and name the folder of "
                             "its run: --tokenizer RUN")
        if not hasattr(tokenizer, "words"):
            raise ValueError(f"tokenizer: expected the run of a dvae, got that of a {type(tokenizer).__name__}")
        return cls(MaskedWords(make_model, words=tokenizer.head.bias.size), tokenizer, **settings)

    @property
    def backbone(self):
        """The encoder, all of whose layers share one table of biases."""
        return self.model.encoder

    def batch(self, samples, chosen, rng):
        """Pictures (B, H, W, C), and what is hidden of them, bool (B, N)."""
        images = samples.view(chosen, rng)
        masks = [blockwise_mask(rng, self.grid, self.count, self.smallest_block) for _ in range(len(images))]
        return images, np.stack(masks).reshape(len(images), -1)                                 # (B, N)

    def loss(self, images, mask):
        """The cross-entropy at the hidden patches, and how often the likeliest word is that of the tokenizer."""
        loss, accuracy = masked_cross_entropy(self.model(Tensor.without_copy(images), mask), self.words(images), mask)
        return loss, {"accuracy": accuracy}

    def words(self, images):
        """What the tokenizer says of each patch.    array (B, height, width, C) -> int (B, N)"""
        with no_grad():
            words = self.tokenizer.words(Tensor.without_copy(images)).data.argmax(axis=-1)      # (B, H, W)
        return words.reshape(len(words), -1)                                                    # (B, N)

    def plateaus(self, batch):
        """Where no word is likelier than another."""
        words = self.model.head.bias.size
        return {f"ln {words}, every word equally likely": math.log(words)}

    def pictures(self, samples, chosen):
        """Pictures, what is hidden of them in black, and in white where the likeliest word is the right one."""
        images, mask = (to_device(x, samples.device) for x in self.batch(samples, chosen, np.random.default_rng(0)))
        with no_grad():
            right = self.model(Tensor.without_copy(images), mask).data.argmax(axis=-1) == self.words(images)
        pixels = samples.as_bytes(images)
        hidden, right = (self.pixels_of(x) for x in (mask, right & mask))
        seen = np.where(hidden, 0, pixels)
        return {"picture": pixels, "what the encoder sees": seen, "right words (white)": np.where(right, 255, seen)}

    def pixels_of(self, places):
        """bool (B, N) -> bool (B, height, width, 1), in host memory"""
        P = self.model.encoder.patch_embed.patch_size
        places = to_device(places, "cpu").reshape(len(places), *self.grid, 1)                   # (B, H, W, 1)
        return places.repeat(P, axis=1).repeat(P, axis=2)


TASK = PredictWords
