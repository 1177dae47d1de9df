"""DINOv2, robust visual features without supervision.  Oquab et al., TMLR 2024, arXiv:2304.07193; its patch loss is
iBOT's, Zhou et al., ICLR 2022, arXiv:2111.07832; KoLeo is Sablayrolles et al.'s, ICLR 2019, arXiv:1806.03198.

DINO looks at whole pictures. Here the student also has to say of single patches what the teacher says, of patches that
are hidden from the student behind a mask token and that the teacher sees: so the features of places get a meaning, too.
And the class tokens of a batch are pushed away from their nearest neighbours, so that they fill the space evenly.

    B batch    V local views    N patches    M the most that are hidden    K outputs    D width
    global views (2 B, H, W, C), masks (2 B, N) -> tokens (2 B, 1 + N, D) -> class tokens (2 B, D), hidden (2 B, M, D)
    with the local views' class tokens -> head, once -> logits ((2 + V) B, K) and (2 B M, K)
    loss = DINO's + mean over pictures of the mean over their hidden patches of -sum_k q_k log p_k
           + 0.1 sum over both global views of the mean of -log(distance to the nearest neighbour)

What keeps answers apart is DINO's centre, one for class tokens and one for patches, or, with `sinkhorn`, the
Sinkhorn-Knopp algorithm, which makes all outputs equally frequent in each batch.

Departures from the paper: one head for class tokens and patches, as in the authors' default configuration; the largest
models have two. The nearest neighbour is looked for in the whole batch, where the authors' code looks in what one GPU
has. The learning rate is the same in all layers.
"""

import numpy as np

from ..backend import array_module
from ..data.augment import expect_range
from ..engine import Tensor, no_grad
from ..models.dinov2 import DINOv2
from ..nn import Buffer, Parameter, ones, zeros
from ..ops import concatenate, cross_entropy, gathered, l2_normalise, log, norm
from ..settings import expect_number
from ..team import all_sum, first_of_team
from .beit import blockwise_mask
from .dino import DINO, Head, Network, view_by_view
from .mae import pick


class ScaledHead(Head):
    """DINO's head, but each direction has a learned length, 1 at first.    (n, D) -> (n, K)"""

    def __init__(self, dim, outputs, hidden, bottleneck):
        super().__init__(dim, outputs, hidden, bottleneck)
        self.scale = Parameter((outputs,), ones)

    def forward(self, x):
        """(n, D) -> (n, K)"""
        return super().forward(x) * self.scale


class TokenNetwork(Network):
    """A backbone whose patches are looked at, too."""

    def forward(self, both, hidden, mask, *local):
        """Global views (2 B, H, W, C), numbers of patches (2 B, M), a mask (2 B, N) or None; local views.

        -> class tokens (2 B, D), logits of all class tokens ((2 + V) B, K), logits of the patches (2 B M, K)
        """
        tokens = self.backbone.encode(self.backbone.embed(Tensor.without_copy(both), mask))    # (2 B, prefix + N, D)
        whole, patches = tokens[:, 0], pick(tokens[:, self.backbone.prefix:], hidden)          # (2 B, D), (2 B, M, D)
        vectors = [whole, *(self.backbone(Tensor.without_copy(view)) for view in local)]
        count = sum(len(vector) for vector in vectors)
        logits = self.head(concatenate([*vectors, patches.reshape(-1, patches.shape[-1])], axis=0))
        return whole, logits[:count], logits[count:]


class DINOv2Task(DINO):
    """DINO with hidden patches and spread class tokens. The settings are those of `DINO`, and:

    Parameters
    ----------
    model : minivit.models.dinov2.DINOv2
        With a mask token.
    masked : float
        The share of the global views in which patches are hidden.
    mask_ratio : (float, float)
        Range of the share of the patches that are hidden there.
    patches, spread : float
        The weights of the patches' loss and of KoLeo.
    sinkhorn : bool
        Whether answers are kept apart by the Sinkhorn-Knopp algorithm, and not by a centre.
    """

    network, head = TokenNetwork, ScaledHead
    defaults = DINO.defaults | {"model": "dinov2"}

    def __init__(self, model, *, masked=0.5, mask_ratio=(0.1, 0.5), patches=1.0, spread=0.1, sinkhorn=False,
                 momentum=0.992, **settings):
        if not isinstance(model, DINOv2) or model.mask_token is None:
            raise ValueError(f"dinov2: needs a model with a mask token, as dinov2; this is a {type(model).__name__}")
        for name, value in [("masked", masked), ("patches", patches), ("spread", spread)]:
            expect_number(name, value, 0, 1 if name == "masked" else np.inf)
        expect_range("mask_ratio", mask_ratio, 1)
        super().__init__(model, momentum=momentum, **settings)
        self.masked, self.mask_ratio, self.grid = masked, tuple(mask_ratio), model.grid
        self.patches, self.spread, self.sinkhorn = patches, spread, sinkhorn
        self.most = int(np.prod(self.grid) * mask_ratio[1])
        if not self.most:
            raise ValueError(f"mask_ratio: {mask_ratio[1]} of {np.prod(self.grid)} patches hides none")
        self.patch_centre, self.patch_seen = (Buffer((self.outputs,), zeros) for _ in range(2))

    def batch(self, samples, chosen, rng):
        """The views of `DINO`, behind masks (B, 2, N), hidden patches (B, 2, M), their weights, and places (B,).

        Where fewer than M patches are hidden, others stand in with the weight 0.
        """
        views, B = super().batch(samples, chosen, rng), len(chosen)
        mask = draw_masks(rng, 2 * B, self.grid, self.masked, self.mask_ratio)                 # (2 B, N)
        hidden = np.argsort(~mask, axis=1, kind="stable")[:, :self.most]                       # (2 B, M)
        counts = np.maximum(mask.sum(axis=1, keepdims=True), 1)
        weights = (np.take_along_axis(mask, hidden, 1) / counts).astype(np.float32)
        return (*(array.reshape(B, 2, -1) for array in (mask, hidden, weights)), np.arange(B), *views)

    def loss(self, mask, hidden, weights, place, one, two, *local):
        """DINO's loss, that of the patches, and KoLeo."""
        xp, B = array_module(one), len(one)
        both = xp.concatenate([one, two])                                                      # (2 B, H, W, C)
        mask, hidden, weights = map(view_by_view, (mask, hidden, weights))                     # (2 B, N), 2 (2 B, M)
        with no_grad():
            _, t, t_patches = (output.data for output in self.teacher(both, hidden, None))
        whole, s, s_patches = self.student(both, hidden, mask, *map(view_by_view, local))
        q, log_q = (x.reshape(2, B, -1) for x in self.targets(t, xp.ones(2 * B, t.dtype), self.centre, self.seen))
        distilled = self.distilled(s, q)
        counted = (weights > 0).reshape(-1).astype(t.dtype)                                    # (2 B M,)
        q_patches, _ = self.targets(t_patches, counted, self.patch_centre, self.patch_seen)
        targets = q_patches * weights.reshape(-1, 1).astype(t.dtype)
        guessed = cross_entropy(s_patches / self.student_temperature, targets, reduction="sum") / (2 * B)
        spread = koleo(whole[:B], place) + koleo(whole[B:], place)
        loss = distilled + self.patches * guessed + self.spread * spread
        return loss, {"patch_loss": guessed.data, "koleo": spread.data / 2} | self.numbers(distilled, q, log_q)

    def targets(self, logits, counted, centre, seen):
        """What the teacher answers, and its logarithm; of rows that are not counted (0, not 1) it does not matter.

        (n, K), (n,) -> 2 (n, K)
        """
        xp = array_module(logits)
        total, count = all_sum(counted @ logits), all_sum(counted.sum())
        if self.training and first_of_team():
            seen.mutable()[...] = total / xp.maximum(count, 1)
        if not self.sinkhorn:
            return self.sharpened(logits, centre)
        q = sinkhorn_knopp(logits / self.temperature.data, counted)
        return q, xp.log(q + 1e-30)

    def plateaus(self, batch):
        """None: the loss is a sum of three."""
        return {}

    def resting(self, done, steps):
        """The head's last layer rests at first."""
        head = self.student.head
        return [head.directions, head.scale] if done < self.rest * steps else []

    def after_step(self, done, steps):
        """As DINO's, and the patches' centre follows."""
        super().after_step(done, steps)
        if self.centring:
            self.move_centre(self.patch_centre, self.patch_seen)


def draw_masks(rng, count, grid, share, ratio):
    """Blocks of hidden patches, in a share of the pictures, which are chosen by chance.    -> bool (count, N)

    The number of hidden patches goes evenly through the range of the ratio, from one picture to the next.
    """
    N, hiding = int(np.prod(grid)), int(count * share)
    ends = np.linspace(*ratio, hiding + 1)
    masks = np.zeros((count, N), bool)
    for picture, low, high in zip(rng.permutation(count), ends, ends[1:], strict=False):
        masks[picture] = blockwise_mask(rng, grid, int(N * rng.uniform(low, high)), smallest=4).reshape(N)
    return masks


def koleo(x, place):
    """The mean of -log(distance of each vector of length 1 to its nearest neighbour in the whole batch).

    (b, D), and where the b vectors are in the batch (b,) -> ()
    """
    x = l2_normalise(x, eps=1e-8)
    every = gathered(x)                                                                        # (B, D)
    xp = array_module(x.data)
    products = x.data @ every.data.T                                                           # (b, B)
    products[xp.arange(len(x)), place] = -1  # nobody is a neighbour of itself
    distance = norm(x - every[products.argmax(axis=1)] + 1e-8, axis=-1)                        # (b,)
    return -log(distance + 1e-8).mean()


def sinkhorn_knopp(logits, counted, iterations=3):
    """Answers in which, over the whole batch, all outputs are about equally frequent (Caron et al., arXiv:2006.09882).

    (n, K), and 1 for the rows that count, 0 for the others (n,) -> (n, K), each row a distribution
    """
    xp = array_module(logits)
    q = xp.exp(logits) * counted[:, None]                                                      # (n, K)
    for _ in range(iterations):
        q = q / all_sum(q.sum(axis=0))                       # as much for each output ...
        q = q / xp.maximum(q.sum(axis=1, keepdims=True), 1e-30)      # ... and 1 for each picture
    return q


TASK = DINOv2Task
