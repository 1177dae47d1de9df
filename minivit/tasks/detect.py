"""Detection as set prediction: the loss of DETR.  Carion et al., ECCV 2020, arXiv:2005.12872, section 3.1.

The model (`minivit.models.detr`) answers every picture with Q classes and boxes in no order. First the answers are
matched to the objects, one to one, so that the matching is as cheap as can be; then every answer learns what it was
matched to: a class and a box, or "no object". Whoever is second at an object learns to be silent.

    B batch    Q queries    K classes    M objects at most
    (B, Q, K + 1), (B, Q, 4), objects (B, M), (B, M, 4) -> cost (B, Q, M) -> (picture, query, object) -> loss ()

    cost = -p(class) + 5 |b - b'|_1 - 2 GIoU(b, b')                                    (eq. 1, appendix A.2)
    loss = weighted cross-entropy of all answers + (5 |b - b'|_1 + 2 (1 - GIoU(b, b'))) / objects, of those matched

The cost has the probability itself, not its logarithm, which would outweigh the boxes. In the cross-entropy, "no
object" has the weight 0.1, since most answers are that; it is divided by the sum of the weights. Every layer of the
decoder has the same loss, with a matching of its own (section 3.2, "Auxiliary decoding losses").

Departures from the paper: the defaults are for the built-in scenes, trained from the start: without a smaller learning
rate for the backbone, which is for one that was trained before.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..backend import array_module, asnumpy, to_device
from ..data.drawing import Drawing
from ..data.precision import average_precision, by_count
from ..engine import Tensor, no_grad
from ..models.detr import DETR
from ..ops import corners, cross_entropy, generalised_iou, l1, softmax
from ..team import all_sum
from .task import Task

EVERYWHERE = np.array([0.5, 0.5, 1.0, 1.0])  # stands where there is no object, so that no area is 0


def match(costs, there):
    """The cheapest one-to-one matching of queries and objects in each picture, by the Hungarian method (Kuhn, 1955).

    Parameters
    ----------
    costs : (B, Q, M)
    there : bool (B, M)
        Which objects there are, at most Q in a picture.

    Returns
    -------
    (picture, query, object), each int (n,)
        A line for each object.
    """
    triples = []
    largest = np.finfo(costs.dtype).max
    costs = np.nan_to_num(costs, nan=largest, posinf=largest, neginf=largest)  # a loss that is NaN stops the training
    for picture, (cost, real) in enumerate(zip(costs, there, strict=True)):
        objects = np.flatnonzero(real)
        triples += [(picture, query, objects[column])
                    for query, column in zip(*linear_sum_assignment(cost[:, objects]), strict=True)]
    return tuple(np.array(triples, int).reshape(-1, 3).T)


def class_costs(logits, classes):
    """Minus the probability of each object's class; of any number where there is none.    -> (B, Q, M)"""
    probabilities = softmax(logits).data
    return -np.take_along_axis(probabilities, np.maximum(classes, 0)[:, None], axis=2)


def set_cross_entropy(logits, classes, matched, no_object):
    """The sum of all answers' weighted cross-entropy, and the sum of the weights.

    An answer that is matched learns the object's class, every other one the last class, "no object".

    (B, Q, K + 1), int (B, M), three of (n,) -> (), float
    """
    (B, Q, outputs), (picture, query, thing) = logits.shape, matched
    wanted, weights = np.full((B, Q), outputs - 1), np.ones(outputs, logits.dtype)
    wanted[picture, query] = classes[picture, thing]
    weights[-1] = no_object
    loss = cross_entropy(logits, to_device(wanted, logits.device), class_weights=to_device(weights, logits.device),
                         reduction="sum")
    return loss, len(picture) + no_object * (B * Q - len(picture))


class Shares:
    """What a share of a batch must know of the others: how many pictures and objects there are in all.

    The loss of a batch is the mean of its shares' losses, each as heavy as it has pictures. A sum over this share that
    is to be divided by a number of the whole batch is therefore multiplied by `scale`, pictures of all over pictures of
    this one.
    """

    def __init__(self, there, queries, no_object):
        pictures, objects = all_sum(np.array([len(there), there.sum()], np.float64))
        self.scale = float(pictures) / max(len(there), 1)
        self.per_object = self.scale / max(float(objects), 1.0)
        self.per_weight = self.scale / (objects + no_object * (pictures * queries - objects))


def refuse_too_many(classes, chosen, queries, samples):
    """Raise a ValueError that names the first picture with more objects than queries."""
    counts = (classes >= 0).sum(axis=1)
    if (counts > queries).any():
        first = int(np.argmax(counts > queries))
        raise ValueError(f"queries: picture {int(chosen[first])} of {samples.name} has {counts[first]} objects, but "
                         f"only {queries} queries can answer; raise task_settings['queries']")


def refuse_weights(task, **weights):
    """Raise a ValueError for a weight of a part of the loss that is no number of at least 0."""
    for name, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise ValueError(f"{task}: {name}: expected a number of at least 0, got {weight}")


def refuse_zero(task, **settings):
    """Raise a ValueError for a setting that is no number above 0."""
    for name, number in settings.items():
        if not 0 < number < float("inf"):
            raise ValueError(f"{task}: {name}: expected a number above 0, got {number}")


class SetPrediction(Task):
    """What a task shares whose model answers with a set: `model`, which has a `decoder` of queries, on a backbone."""

    capturable = False  # answers and objects are matched on the host

    @classmethod
    def build(cls, make_model, classes, **settings):
        """A model for these classes, on the one that the recipe names; see `Task.build`."""
        if not classes:
            raise ValueError(f"{cls.__name__}: the data have no classes to be told apart")
        return cls(make_model, classes=classes, **settings)

    @property
    def backbone(self):
        """What makes the features."""
        return self.model.backbone

    @property
    def queries(self):
        """Q."""
        return len(self.model.decoder.query_positions)

    def learning_rates(self):
        """The backbone's, where it is another."""
        return [(self.model.backbone, self.backbone_rate)]


class Detect(SetPrediction):
    """A DETR on any backbone, and its loss.

    Parameters
    ----------
    backbone : callable
        As for `DETR`.
    classes : tuple of str
        Their names.
    class_weight, box_weight, overlap_weight : float
        Of the three parts of the cost and of the loss: 1, 5 and 2.
    no_object : float
        The weight of that class in the cross-entropy.
    backbone_rate : float
        The learning rate of the backbone as a factor of the recipe's: 0.1 in the paper, for one trained before.
    **settings
        Of the DETR: queries, dim, heads, encoder_depth ...
    """

    shown, needs = "overlap", ("boxes",)
    # 36 tokens of scenes, 0.5 million parameters
    defaults = {
        "model": "resnet", "variant": "scenes", "data": "scenes", "batch_size": 32, "optimiser": "adamw", "lr": 1e-3,
        "clip": 0.1, "weight_decay": 1e-4, "minutes": 15.0, "evaluations": 3, "evaluation_size": 500,
        "augmentation": [("random_flip", {})],
        "task_settings": {"queries": 10, "dim": 64, "heads": 4, "encoder_depth": 2, "decoder_depth": 3, "mlp_dim": 128,
                          "dropout": 0.0}}

    def __init__(self, backbone, *, classes, class_weight=1.0, box_weight=5.0, overlap_weight=2.0, no_object=0.1,
                 backbone_rate=1.0, **settings):
        refuse_weights("detect", class_weight=class_weight, box_weight=box_weight, overlap_weight=overlap_weight)
        refuse_zero("detect", no_object=no_object, backbone_rate=backbone_rate)
        self.model, self.classes = DETR(backbone, num_classes=len(classes), **settings), tuple(classes)
        self.weights, self.no_object = (class_weight, box_weight, overlap_weight), no_object
        self.backbone_rate = backbone_rate

    def batch(self, samples, chosen, rng):
        """Pictures (B, H, W, C), classes int (B, M), -1 where there is no object, and boxes float32 (B, M, 4)."""
        images, classes, boxes, _ = samples.objects(chosen, rng)
        refuse_too_many(classes, chosen, self.queries, samples)
        return images, classes, centred(boxes, images.shape[1:3])

    def loss(self, images, classes, boxes):
        """The loss of all layers; of the last one its parts, and the mean generalised overlap of those matched."""
        return self.loss_of(self.model.answers(Tensor.without_copy(images)), classes, boxes)

    def loss_of(self, answers, classes, boxes):
        """The same of answers that are given: a list of (logits (B, Q, K + 1), boxes (B, Q, 4)), a pair a layer."""
        classes, boxes = asnumpy(classes), asnumpy(boxes)
        shares, total = Shares(classes >= 0, self.queries, self.no_object), 0
        for logits, found in answers:
            parts = self.parts(logits, found, classes, boxes, shares)
            total = total + sum(weight * part for weight, part in zip(self.weights, parts, strict=True))
        named = dict(zip(("class_loss", "distance", "overlap"), (part.data for part in parts), strict=True))
        return total, named | {"overlap": 1 - named["overlap"]}

    def parts(self, logits, found, classes, boxes, shares):
        """Cross-entropy, distance, and what is lacking of the overlap, of the answers of one layer: three of ()."""
        with no_grad():
            picture, query, thing = matched = match(self.costs(logits, found, classes, boxes), classes >= 0)
        entropy, _ = set_cross_entropy(logits, classes, matched, self.no_object)
        target = to_device(boxes[picture, thing], logits.device)                          # (n, 4)
        found = found[to_device(picture, logits.device), to_device(query, logits.device)]  # (n, 4)
        lacking = (1 - generalised_iou(corners(found), corners(target))).sum()
        return (entropy * float(shares.per_weight), l1(found, target, reduction="sum") * shares.per_object,
                lacking * shares.per_object)

    def costs(self, logits, found, classes, boxes):
        """What it costs to match each answer to each object, on the host.    -> (B, Q, M)"""
        logits, found = Tensor(logits.numpy()), Tensor(found.numpy())
        boxes = np.where(classes[..., None] >= 0, boxes, EVERYWHERE.astype(boxes.dtype))[:, None]   # (B, 1, M, 4)
        found = found[:, :, None]                                                                    # (B, Q, 1, 4)
        distances = np.abs(found.data - boxes).sum(axis=-1)                                          # (B, Q, M)
        overlaps = generalised_iou(corners(found), corners(Tensor(boxes))).data
        by_class, by_box, by_overlap = self.weights
        return by_class * class_costs(logits, classes) + by_box * distances - by_overlap * overlaps

    def found(self, logits, boxes, size):
        """The surest class of each answer but "no object", how sure, and the corners of its box in pixels.

        -> int (B, Q), (B, Q), (B, Q, 4), in host memory
        """
        probabilities = softmax(logits).numpy()[..., :-1]
        height, width = size
        return (probabilities.argmax(axis=-1), probabilities.max(axis=-1),
                corners(boxes).numpy() * np.array([width, height, width, height], boxes.dtype))

    def test(self, samples, over):
        """The loss, AP, AP50, and AP50 of the pictures with one object, with two, and so on: AP50_1, AP50_2 ..."""
        def measure(chosen):
            images, classes, boxes, _ = samples.objects(chosen)
            answers = self.model.answers(Tensor.without_copy(images))
            loss, _ = self.loss_of(answers, classes, centred(boxes, images.shape[1:3]))
            classes, boxes = asnumpy(classes), asnumpy(boxes)
            truth = [(kinds[kinds >= 0], places[kinds >= 0]) for kinds, places in zip(classes, boxes, strict=True)]
            return loss.item() * len(classes), truth, list(zip(*self.found(*answers[-1], images.shape[1:3]),
                                                               strict=True))
        losses, truths, answers = zip(*over(measure), strict=True)
        truth = [picture for part in truths for picture in part]
        precisions = average_precision(truth, [picture for part in answers for picture in part], len(self.classes),
                                       groups=by_count(truth))
        return {"loss": sum(losses) / len(truth), **precisions}

    def pictures(self, samples, chosen):
        """The boxes that are known, and those that are found, where the model is surer of an object than of none."""
        images, rows = samples.view(chosen), {}
        shown = samples.as_bytes(images)
        if hasattr(samples, "boxes"):
            _, classes, boxes, _ = (x if x is None else asnumpy(x) for x in samples.objects(chosen))
            rows["what is there"] = Drawing(shown, boxes=[b[c >= 0] for b, c in zip(boxes, classes, strict=True)],
                                            names=[[self.classes[k] for k in c[c >= 0]] for c in classes])
        with no_grad():
            found = list(zip(*self.found(*self.model(Tensor.without_copy(images)), images.shape[1:3]), strict=True))
        sure = [scores > 0.5 for _, scores, _ in found]
        names = [[f"{self.classes[kind]} {score:.0%}" for kind, score in zip(kinds[s], scores[s], strict=True)]
                 for (kinds, scores, _), s in zip(found, sure, strict=True)]
        rows["what the model finds"] = Drawing(shown, boxes=[b[s] for (*_, b), s in zip(found, sure, strict=True)],
                                               names=names, texts=[", ".join(each) or "nothing" for each in names])
        return rows


def centred(boxes, size):
    """Corners in pixels as centre and sides, in fractions of a picture of that size.    (..., 4) -> float32 (..., 4)"""
    xp, (height, width) = array_module(boxes), size
    x0, y0, x1, y1 = (boxes[..., index] for index in range(4))
    return xp.stack([(x0 + x1) / (2 * width), (y0 + y1) / (2 * height), (x1 - x0) / width, (y1 - y0) / height],
                    axis=-1).astype(np.float32)


TASK = Detect
