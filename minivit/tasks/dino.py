"""DINO, self-distillation with no labels.  Caron et al., ICCV 2021, arXiv:2104.14294.

A student learns to answer to small parts of a picture what a teacher answers to large parts of the same picture. There
are no labels: the answer is a distribution over K outputs that mean nothing at first, and the teacher is an average of
the student over the last steps. What keeps both from one and the same answer for everything: the teacher's logits are
centred, so that no output wins always, and sharpened by a low temperature, so that not all outputs are equal.

    B batch    V local views    K outputs    D width    t, c, T the teacher's logits, centre and temperature
    2 global views (2 B, H, W, C), V local ones (V B, h, w, C) -> backbone, once for each size -> ((2 + V) B, D)
                                                               -> head, once -> logits ((2 + V) B, K) -> loss ()
    q = softmax((t - c) / T) of a global view, p = softmax(s / 0.1) of any other view: loss = mean of -sum_k q_k log p_k

Two numbers tell how it goes, beside ln K: the entropy of q and the divergence KL(q || p), which make up the loss. An
entropy of 0 says that one output always wins (no centring), ln K that all are equal (no sharpening). `information` is
what an answer tells about the picture: the entropy of the mean answer less the mean entropy, between 0 and ln K. Where
it is 0, every picture gets the same answer, whichever that is; and the divergence is 0 once the student knows it.

Departures from the paper: positions of another grid are stretched without the 0.1 that the authors' code adds to its
sides. All gradients are clipped together, as in DINOv2's code, and not tensor by tensor. The last layer rests for the
first hundredth of the steps, which is an epoch of a hundred; the temperature rises over steps, not epochs.
"""

import math
from functools import partial

import numpy as np

from ..backend import array_module
from ..data.augment import expect_range
from ..data import colour_jitter, random_blur, random_flip, random_grey, random_resized_crop, random_solarize
from ..engine import Tensor, no_grad
from ..nn import (Buffer, Linear, Module, Parameter, Sequential, attention_maps, constant, evaluating, looking,
                  truncated_normal, uniform, zeros)
from ..ops import concatenate, cross_entropy, gelu, l2_normalise, log_softmax, resize
from ..settings import expect_number, expect_whole
from ..team import all_sum, first_of_team
from .moco import momentum_at
from .task import Task, follow, knn_accuracy, slow_copy


class Head(Module):
    """Three linear maps, length 1, and the cosines with K directions: a linear map with weight norm (appendix C).

    (n, D) -> (n, hidden) -> (n, hidden) -> (n, bottleneck) -> (n, K)
    """

    def __init__(self, dim, outputs, hidden, bottleneck):
        sizes = [dim, hidden, hidden, bottleneck]
        first, second, third = (Linear(*pair, initialiser=truncated_normal(0.02)) for pair in
                                zip(sizes, sizes[1:], strict=False))
        self.mlp = Sequential(first, gelu, second, gelu, third)
        self.directions = Parameter((bottleneck, outputs), uniform(bottleneck ** -0.5))

    def forward(self, x):
        """(n, D) -> (n, K)"""
        return l2_normalise(self.mlp(x)) @ l2_normalise(self.directions, axis=0)


class Network(Module):
    """A backbone with a head: student and teacher."""

    def __init__(self, backbone, head):
        self.backbone, self.head = backbone, head

    def forward(self, *views):
        """Views of one size each, (n, H, W, C) ... -> (sum of n, K)"""
        return self.head(concatenate([self.backbone(Tensor.without_copy(view)) for view in views], axis=0))


class DINO(Task):
    """A student and its average, the teacher, which is kept.

    Parameters
    ----------
    model : Module
        (B, H, W, C) -> (B, D), also for pictures of the local views' size.
    outputs, hidden, bottleneck : int
        K and the widths of the head.
    local_views, local_size : int
        V, and the pixels of their sides. Global views have the size of the pictures.
    global_scale, local_scale : (float, float)
        The share of a picture that a view shows.
    blur : float
        The largest standard deviation of the blur in pixels, 0 for none: small pictures lose what they have.
    temperatures : (float, float)
        Of the teacher, at first and from `warmup` on, a fraction of the steps; it rises on a line.
    momentum : float
        Of the teacher, at first; it rises to 1 by half a cosine.
    centring, sharpening : bool
        What keeps the answers apart. Without sharpening the teacher has the student's temperature.
    resting : float
        The fraction of the steps in which the head's last layer rests.
    """

    shown = "teacher_entropy"
    network, head = Network, Head
    student_temperature, centre_momentum = 0.1, 0.9
    # of small pictures: views of 32 and of 16 pixels, a small head, a backbone of 29 M multiply-adds
    defaults = {"settings": {"dim": 96, "depth": 4, "heads": 3}, "minutes": 15.0, "batch_size": 64,
                "optimiser": "adamw", "lr": 1e-3, "weight_decay": 0.04, "final_weight_decay": 0.4, "clip": 3.0,
                "average": None, "augmentation": [], "task_settings": {
                    "outputs": 256, "hidden": 256, "bottleneck": 64, "local_views": 4, "local_size": 16,
                    "local_scale": (0.15, 0.4), "blur": 0.0, "temperatures": (0.04, 0.04), "momentum": 0.98}}

    def __init__(self, model, *, outputs=65536, hidden=2048, bottleneck=256, local_views=8, local_size=96,
                 global_scale=(0.4, 1.0), local_scale=(0.05, 0.4), blur=2.0, temperatures=(0.04, 0.07), warmup=0.3,
                 momentum=0.996, centring=True, sharpening=True, resting=0.01):
        for name, value, least in [("outputs", outputs, 2), ("hidden", hidden, 1), ("bottleneck", bottleneck, 1),
                                   ("local_views", local_views, 0), ("local_size", local_size, 1)]:
            expect_whole(name, value, least)
        for name, value in [("warmup", warmup), ("momentum", momentum), ("resting", resting)]:
            expect_number(name, value, 0, 1)
        for name, scale in [("global_scale", global_scale), ("local_scale", local_scale)]:
            expect_range(name, scale, 1)
        if len(temperatures) != 2:
            raise ValueError(f"temperatures: expected two, the first and the last, got {temperatures}")
        for temperature in temperatures:
            expect_number("temperatures", temperature, 0, above=True)
        self.student = self.network(model, self.head(width_of(model), outputs, hidden, bottleneck))
        self.teacher = slow_copy(self.student)
        self.outputs, self.local_views, self.momentum, self.rest = outputs, local_views, momentum, resting
        self.temperatures = tuple(temperatures) if sharpening else (self.student_temperature,) * 2
        self.warmup, self.centring = warmup, centring
        self.temperature = Buffer((), constant(self.temperatures[0]))
        self.centre, self.seen = Buffer((outputs,), zeros), Buffer((outputs,), zeros)
        self.views = [view_steps(global_scale, None, 1.0, blur, 0.0),
                      view_steps(global_scale, None, 0.1, blur, 0.2)]
        self.local_steps = view_steps(local_scale, local_size, 0.5, blur, 0.0)

    @property
    def backbone(self):
        """The teacher's."""
        return self.teacher.backbone

    def train(self, mode=True):
        """The teacher stays in evaluation mode: nothing of it is dropped."""
        super().train(mode)
        self.teacher.eval()
        return self

    def batch(self, samples, chosen, rng):
        """Two global views (B, H, W, C), and, if there are any, the local ones (B, V, h, w, C)."""
        views = [samples.view(chosen, rng, steps) for steps in self.views]
        if self.local_views:
            local = samples.view(chosen.repeat(self.local_views), rng, self.local_steps)      # (B V, h, w, C)
            views.append(local.reshape(len(chosen), self.local_views, *local.shape[1:]))      # (B, V, h, w, C)
        return tuple(views)

    def loss(self, one, two, *local):
        """The cross-entropy between the teacher's answers and the student's to other views (equation 3)."""
        xp, B = array_module(one), len(one)
        both = xp.concatenate([one, two])                                                     # (2 B, H, W, C)
        with no_grad():
            logits = self.teacher(both).data                                                  # (2 B, K)
        q, log_q = (x.reshape(2, B, -1) for x in self.answers(logits))                        # (2, B, K)
        loss = self.distilled(self.student(both, *map(view_by_view, local)), q)
        return loss, self.numbers(loss, q, log_q)

    def answers(self, logits):
        """What the teacher answers, and its logarithm; the mean of the logits is noted.    (n, K) -> 2 (n, K)"""
        total, count = all_sum(logits.sum(axis=0)), int(all_sum(np.array(len(logits))))
        if self.training and first_of_team():
            self.seen.mutable()[...] = total / count
        return self.sharpened(logits, self.centre)

    def sharpened(self, logits, centre):
        """q = softmax((t - c) / T), and log q.    (n, K), (K,) -> 2 (n, K)"""
        log_q = log_softmax((logits - centre.data) / self.temperature.data).data
        return array_module(logits).exp(log_q), log_q

    def distilled(self, logits, q):
        """The mean of -sum_k q_k log p_k over all pairs of a global and another view.

        logits ((2 + V) B, K) of the student, view by view; q (2, B, K) -> ()
        """
        xp, (_, B, K) = array_module(q), q.shape
        views = len(logits) // B
        targets = xp.concatenate([q[::-1], xp.repeat(q.sum(axis=0)[None], views - 2, axis=0)])  # (2 + V, B, K)
        logits = logits.reshape(views, B, K) / self.student_temperature
        return cross_entropy(logits, targets, reduction="sum") / (2 * (views - 1) * B)

    def numbers(self, loss, q, log_q):
        """How far the teacher's answers are from all alike, and the student's from the teacher's."""
        answers = 2 * int(all_sum(np.array(q.shape[1])))
        mean, entropy = all_sum(q.sum(axis=(0, 1))) / answers, all_sum(-(q * log_q).sum()) / answers   # (K,), ()
        of_mean = -(mean * array_module(q).log(mean + 1e-30)).sum()
        return {"teacher_entropy": entropy, "kl": loss.data - entropy, "information": of_mean - entropy}

    def plateaus(self, batch):
        """Where the answers are all alike."""
        return {f"ln {self.outputs}, all outputs equal: collapse for want of sharpening": math.log(self.outputs),
                "0, one output always wins: collapse for want of centring": 0.0}

    def resting(self, done, steps):
        """The head's last layer rests at first (appendix B)."""
        return [self.student.head.directions] if done < self.rest * steps else []

    def after_step(self, done, steps):
        """The teacher follows the student, the centre what was seen, the temperature its schedule."""
        follow(self.teacher, self.student, momentum_at(done - 1, steps, self.momentum))
        if self.centring:
            self.move_centre(self.centre, self.seen)
        first, last = self.temperatures
        risen = min(1.0, done / (self.warmup * steps)) if self.warmup else 1.0
        self.temperature.mutable()[...] = first + (last - first) * risen

    def move_centre(self, centre, seen):
        """c <- m c + (1 - m) mean of the logits (equation 4)."""
        value = centre.mutable()
        value += (1 - self.centre_momentum) * (seen.data - value)

    def test(self, samples, over):
        """The same numbers for other pictures, beside ln K; and their classes by their neighbours, if there are any."""
        return (super().test(samples, over) | {"ln_outputs": math.log(self.outputs)}
                | knn_accuracy(self.backbone, samples, over))

    def pictures(self, samples, chosen):
        """Where the heads of the teacher's last layer look: of each picture, what a head sees is lit."""
        images = samples.view(chosen)
        maps, grid = attention_maps(self.backbone, images), getattr(self.backbone, "grid", None)
        if not maps or grid is None:
            return {}
        pictures = samples.as_bytes(images)
        return {"picture": pictures} | {f"head {number}": lit(pictures, head) for number, head in enumerate(
            looking(maps[-1], grid).swapaxes(0, 1), 1)}


def view_by_view(array):
    """(B, V, ...) -> (V B, ...)"""
    return array.swapaxes(0, 1).reshape(-1, *array.shape[2:])


def lit(pictures, maps):
    """Pictures, dark where the maps are small.    uint8 (n, H, W, 3), (n, rows, columns) -> uint8 (n, H, W, 3)"""
    light = resize(maps[..., None].astype(np.float32), pictures.shape[1:3], mode="bilinear").numpy()
    dark, bright = (end(light, axis=(1, 2, 3), keepdims=True) for end in (np.min, np.max))
    light = (light - dark) / np.maximum(bright - dark, 1e-12)                                 # (n, H, W, 1)
    return (pictures * (0.1 + 0.9 * light)).astype(np.uint8)


def view_steps(scale, size, blurred, blur, inverted):
    """The augmentation of one kind of view (BYOL's, with crops of DINO's sizes)."""
    return [partial(random_resized_crop, size=size, scale=tuple(scale), mode="bicubic"), random_flip,
            partial(colour_jitter, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, probability=0.8), random_grey,
            *([partial(random_blur, probability=blurred, sigma=(0.1, blur))] if blur else []),
            partial(random_solarize, probability=inverted)]


def width_of(model):
    """D, the length of the vector that a model gives for a picture."""
    with no_grad(), evaluating(model):
        return model(Tensor.without_copy(np.zeros((1, *model.image_size, 3), np.float32))).shape[-1]


TASK = DINO
