"""Tasks that need what classification does not: a teacher, the other pictures of the batch, a matching on the host."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from minivit import Tensor, create, no_grad, ops
from minivit.nn import Buffer, Linear, Module, zeros
from minivit.tasks import Task, follow, slow_copy
from minivit.team import all_sum, first_of_team


def tiny_vit(num_classes=0):
    """A ViT of one block."""
    return create("vit", "cifar", dim=16, depth=1, heads=2, patch_size=8, num_classes=num_classes)


class SelfDistillation(Task):
    """A student learns the centred answers of a teacher, which follows it; the centre is a mean over the batch."""

    def __init__(self, model=None, momentum=0.9):
        self.student = model or tiny_vit()
        self.teacher, self.momentum = slow_copy(self.student), momentum
        self.centre, self.seen = Buffer((16,), zeros), Buffer((16,), zeros)

    @property
    def backbone(self):
        return self.teacher

    def batch(self, samples, chosen, rng):
        return samples.view(chosen, rng), samples.view(chosen, rng)

    def loss(self, one, two):
        with no_grad():
            codes = [self.teacher(Tensor.without_copy(view)).data for view in (one, two)]
        total = all_sum((codes[0] + codes[1]).sum(axis=0)) / (2 * all_sum(np.array(len(one))))
        if self.training and first_of_team():
            self.seen.mutable()[...] = total
        targets = [ops.softmax((code - self.centre.data) / 0.04).data for code in codes]
        answers = [self.student(Tensor.without_copy(view)) / 0.1 for view in (one, two)]
        loss = (ops.cross_entropy(answers[0], targets[1]) + ops.cross_entropy(answers[1], targets[0])) / 2
        return loss, {"target": targets[0].max(axis=-1).mean()}

    def after_step(self, done, steps):
        follow(self.teacher, self.student, self.momentum)
        centre = self.centre.mutable()
        centre += 0.1 * (self.seen.data - centre)


class Contrast(Task):
    """Which of the pictures of the batch is the other view of this one?"""

    shown = "accuracy"

    def __init__(self, model=None):
        self.model = model or tiny_vit()

    @property
    def backbone(self):
        return self.model

    def batch(self, samples, chosen, rng):
        return samples.view(chosen, rng), samples.view(chosen, rng), np.arange(len(chosen))

    def loss(self, one, two, place):
        queries, keys = (unit(self.model(Tensor.without_copy(view))) for view in (one, two))
        logits = queries @ ops.gathered(keys).T * 10
        return ops.cross_entropy(logits, place), {"accuracy": (logits.data.argmax(-1) == place).mean()}


class Detect(Task):
    """A set of boxes: queries are matched to objects on the host, and distances are averaged over all boxes."""

    shown, capturable = "distance", False

    def __init__(self, model=None, queries=4, classes=10):
        self.model, self.queries, self.classes = model or tiny_vit(), queries, classes
        self.head = Linear(16, queries * (classes + 1 + 4))

    @property
    def backbone(self):
        return self.model

    def batch(self, samples, chosen, rng):
        kinds = np.where(rng.random((len(chosen), 3)) < 0.7, samples.host_labels[np.asarray(chosen)][:, None], -1)
        return samples.view(chosen, rng), kinds, rng.uniform(0.2, 0.8, (len(chosen), 3, 4)).astype(np.float32)

    def loss(self, images, kinds, boxes):
        x = self.head(self.model(Tensor.without_copy(images))).reshape(len(images), self.queries, -1)
        logits, found = x[..., :self.classes + 1], ops.sigmoid(x[..., self.classes + 1:])
        wanted = np.full(logits.shape[:2], self.classes)
        picture, query, box = matched(ops.softmax(logits).numpy(), found.numpy(), kinds, boxes)
        wanted[picture, query] = kinds[picture, box]
        per_box = all_sum(np.array(len(images))) / len(images) / max(all_sum(np.array(len(box))), 1)
        distance = ops.abs(found[picture, query] - boxes[picture, box]).sum() * float(per_box)
        return ops.cross_entropy(logits, wanted) + 5 * distance, {"distance": distance.data}


def matched(probabilities, found, kinds, boxes):
    """(picture, query, box) of the cheapest assignment of each picture."""
    triples = []
    for b in range(len(kinds)):
        real = np.flatnonzero(kinds[b] >= 0)
        cost = 5 * np.abs(found[b][:, None] - boxes[b][real]).sum(-1) - probabilities[b][:, kinds[b][real]]
        triples += [(b, q, real[m]) for q, m in zip(*linear_sum_assignment(cost), strict=True)]
    return tuple(np.array(triples, int).reshape(-1, 3).T)


def unit(x):
    """Rows of length 1."""
    return x / ops.sqrt((x * x).sum(axis=-1, keepdims=True) + 1e-12)


class Frozen(Module):
    """A module with a parameter in a list, for `slow_copy`."""

    def __init__(self):
        self.layers = [Linear(3, 2), Linear(2, 2)]
        self.scales = [self.layers[0].bias]

    def forward(self, x):
        return self.layers[1](self.layers[0](x))
