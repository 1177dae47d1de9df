"""Masks and classes of regions: the loss of MaskFormer.  Cheng et al., NeurIPS 2021, arXiv:2107.06278, section 3.2.

The model (`minivit.models.maskformer`) answers every picture with Q pairs of a class and a mask. As in DETR, the
answers are matched to the regions that are there, one to one, and each learns its region's class and mask, or "no
region". A region is an object by itself (regions="objects"), or all pixels of a class, the background too
(regions="classes"): so one model and one loss learn to tell objects apart, or to name every pixel.

    B batch    Q queries    K classes    M regions at most    H x W grid of the masks
    (B, Q, K + 1), (B, Q, H, W), regions (B, M), masks (B, M, height, width) -> (picture, query, region) -> loss ()

    cost = -p(class) + 20 focal(m, m') + dice(m, m'), on the grid of the masks
    loss = weighted cross-entropy of all answers + (20 focal + dice) / regions, of those matched, at full resolution
    focal = mean over the pixels of -a (1 - p)^2 log p, p the probability of what is true there, a = 1/4 inside and 3/4
            outside of the region (Lin et al., arXiv:1708.02002)
    dice  = 1 - (2 sum p p' + 1) / (sum p + sum p' + 1)  (Milletari et al., arXiv:1606.04797), so that small regions
            count as much as large ones

Every layer of the decoder has the same loss, with a matching of its own. Pixels of which the data say nothing (255)
belong to no region, and are left out of every measure.

Departures from the paper: single objects are scored by their class and by how sure the mask is where it is, as in
Mask2Former (Cheng et al., arXiv:2112.01527, appendix); MaskFormer itself measures panoptic quality.
"""

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..data.drawing import Drawing
from ..data.objects import UNKNOWN
from ..data.precision import average_precision, by_count
from ..engine import Tensor, no_grad
from ..models.maskformer import MaskFormer, semantic
from ..names import expect
from ..ops import binary_cross_entropy, resize, sigmoid, softmax
from .detect import (SetPrediction, Shares, class_costs, match, refuse_too_many, refuse_weights, refuse_zero,
                     set_cross_entropy)
from .segment import confusion, intersection_over_union, labels_of

INSIDE = 0.25  # the weight of a region's own pixels in the focal loss; that of the others is 1 - INSIDE


def focal_loss(logits, masks):
    """Cross-entropy in which pixels that are right already hardly count.    (n, P), (n, P) of 0 and 1 -> (n,)"""
    p = sigmoid(logits)
    wrong = p + masks - 2 * p * masks                                   # 1 - probability of what is true
    balance = (1 - INSIDE) + (2 * INSIDE - 1) * masks
    return (balance * wrong ** 2 * binary_cross_entropy(logits, masks, reduction="none")).mean(axis=1)


def dice_loss(logits, masks):
    """How little a mask and a region have in common, whatever their size.    (n, P), (n, P) of 0 and 1 -> (n,)"""
    p = sigmoid(logits)
    return 1 - (2 * (p * masks).sum(axis=1) + 1) / (p.sum(axis=1) + masks.sum(axis=1) + 1)


def mask_costs(logits, masks):
    """Focal and dice loss of all pairs, by matrix products.    (B, Q, P), (B, M, P) -> two of (B, Q, M)"""
    p, inside, outside = sigmoid(logits).data, masks.swapaxes(1, 2), (1 - masks).swapaxes(1, 2)  # (B, P, M)
    right = INSIDE * (1 - p) ** 2 * np.logaddexp(0, -logits)            # -log p = log(1 + e^-x)
    wrong = (1 - INSIDE) * p ** 2 * np.logaddexp(0, logits)
    focal = (right @ inside + wrong @ outside) / logits.shape[-1]
    sums = p.sum(axis=-1)[:, :, None] + masks.sum(axis=-1)[:, None]     # (B, Q, M)
    return focal, 1 - (2 * (p @ inside) + 1) / (sums + 1)


def classes_as_regions(classes, masks, count):
    """The classes that a picture shows, in place of its objects; class 0 is the background.

    int (B, M), uint8 (B, H, W) -> int (B, count), -1 for a class that is not there, and uint8 (B, H, W): class + 1
    """
    xp, labels = array_module(masks), labels_of(masks, classes)                  # (B, H, W)
    kinds = xp.broadcast_to(xp.arange(count), (len(masks), count))
    masks = xp.where(labels == UNKNOWN, UNKNOWN, labels + 1).astype(np.uint8)
    return seen(kinds, masks), masks


def seen(classes, masks):
    """The classes of regions, -1 for those of which no pixel is known.    (B, M), (B, H, W) -> (B, M)"""
    xp, numbers = array_module(masks), range(1, classes.shape[1] + 1)
    shown = xp.stack([(masks == number).any(axis=(1, 2)) for number in numbers], axis=1)
    return xp.where(shown, classes, -1)


def has_touching_twins(classes, masks):
    """Whether two objects of one class touch: one, a pixel wider, meets the other.    (n,), bool (n, H, W) -> bool"""
    for first in range(len(classes)):
        y, x = np.pad(masks[first], 1), masks[first]
        wider = y[:-2, 1:-1] | y[2:, 1:-1] | y[1:-1, :-2] | y[1:-1, 2:] | x
        for second in range(first + 1, len(classes)):
            if classes[first] == classes[second] and (wider & masks[second]).any():
                return True
    return False


class MaskClassification(SetPrediction):
    """A MaskFormer on any backbone, and its loss.

    Parameters
    ----------
    backbone : callable
        As for `MaskFormer`.
    classes : tuple of str
        Their names.
    regions : "objects" or "classes"
        What a mask is to cover: one object (instance segmentation), or all pixels of a class (semantic segmentation).
    class_weight, mask_weight, dice_weight : float
        Of the three parts of the cost and of the loss: 1, 20 and 1.
    no_object : float
        The weight of "no region" in the cross-entropy.
    backbone_rate : float
        The learning rate of the backbone as a factor of the recipe's: 0.1 for one trained before.
    **settings
        Of the MaskFormer: queries, dim, heads, depth ...
    """

    shown, needs = "dice", ("boxes", "masks")
    defaults = {
        "model": "resnet", "variant": "scenes", "data": "scenes", "batch_size": 32, "optimiser": "adamw", "lr": 1e-3,
        "clip": 1.0, "weight_decay": 1e-4, "minutes": 15.0, "evaluations": 3, "evaluation_size": 500,
        "augmentation": [("random_flip", {})],
        "task_settings": {"queries": 10, "dim": 64, "heads": 4, "depth": 3, "mlp_dim": 128, "pixel_dim": 32,
                          "mask_dim": 32, "groups": 8, "dropout": 0.0}}

    def __init__(self, backbone, *, classes, regions="objects", class_weight=1.0, mask_weight=20.0, dice_weight=1.0,
                 no_object=0.1, backbone_rate=1.0, **settings):
        expect("regions", regions, ("objects", "classes"))
        refuse_weights("maskformer", class_weight=class_weight, mask_weight=mask_weight, dice_weight=dice_weight)
        refuse_zero("maskformer", no_object=no_object, backbone_rate=backbone_rate)
        self.regions, self.classes = regions, tuple(classes) if regions == "objects" else ("background", *classes)
        self.model = MaskFormer(backbone, num_classes=len(self.classes), **settings)
        self.weights, self.no_object = (class_weight, mask_weight, dice_weight), no_object
        self.backbone_rate = backbone_rate

    def truth(self, samples, chosen, rng=None):
        """Pictures, their regions int (B, M), -1 where there is none, and uint8 (B, H, W): m + 1 in region m."""
        images, classes, _, masks = samples.objects(chosen, rng)
        masks = masks.astype(np.uint8)
        if self.regions == "classes":
            return images, *classes_as_regions(classes, masks, len(self.classes))
        return images, seen(classes, masks), masks

    def batch(self, samples, chosen, rng):
        """Pictures (B, H, W, C), regions int (B, M), and masks uint8 (B, H, W)."""
        images, classes, masks = self.truth(samples, chosen, rng)
        refuse_too_many(classes, chosen, self.queries, samples)
        return images, classes, masks

    def loss(self, images, classes, masks):
        """The loss of all layers; of the last one its parts."""
        return self.loss_of(self.model.answers(Tensor.without_copy(images)), classes, masks)

    def loss_of(self, answers, classes, masks):
        """The same of answers that are given: a list of (logits (B, Q, K + 1), masks (B, Q, H, W)), a pair a layer."""
        classes, masks = asnumpy(classes), asnumpy(masks)
        shares, total = Shares(classes >= 0, self.queries, self.no_object), 0
        B, _, H, W = answers[0][1].shape
        small = resize(masks[..., None], (H, W), mode="nearest").data.reshape(B, 1, H * W)      # (B, H, W, 1)
        small = small == np.arange(1, classes.shape[1] + 1)[:, None]                            # (B, M, H W)
        for logits, found in answers:
            parts = self.parts(logits, found, classes, masks, small, shares)
            total = total + sum(weight * part for weight, part in zip(self.weights, parts, strict=True))
        return total, dict(zip(("class_loss", "focal", "dice"), (part.data for part in parts), strict=True))

    def parts(self, logits, found, classes, masks, small, shares):
        """Cross-entropy, focal loss and dice loss of the answers of one layer: three of ()."""
        picture, query, region = matched = match(self.costs(logits, found, classes, small), classes >= 0)
        entropy, _ = set_cross_entropy(logits, classes, matched, self.no_object)
        wanted = (masks[picture] == region[:, None, None] + 1).reshape(len(picture), -1)       # (n, height width)
        wanted = to_device(wanted.astype(found.dtype), found.device)
        found = found[to_device(picture, found.device), to_device(query, found.device)]        # (n, H, W)
        found = resize(found[..., None], masks.shape[1:]).reshape(wanted.shape)                # (n, height width)
        return (entropy * float(shares.per_weight), focal_loss(found, wanted).sum() * shares.per_object,
                dice_loss(found, wanted).sum() * shares.per_object)

    def costs(self, logits, found, classes, small):
        """What it costs to match each answer to each region, on the host; masks (B, M, H W).    -> (B, Q, M)"""
        logits, found = Tensor(logits.numpy()), found.numpy()
        by_class, by_mask, by_dice = self.weights
        with no_grad():
            focal, dice = mask_costs(found.reshape(*found.shape[:2], -1), small.astype(found.dtype))
            return by_class * class_costs(logits, classes) + by_mask * focal + by_dice * dice

    def objects_of(self, logits, masks, size):
        """The surest class of each answer but "no region", how sure class and mask are together, and the mask.

        -> int (B, Q), (B, Q), bool (B, Q, height, width), in host memory
        """
        probabilities = softmax(logits).numpy()[..., :-1]
        pixels = sigmoid(resize(masks.transpose(0, 2, 3, 1), size)).numpy().transpose(0, 3, 1, 2)  # (B, Q, height, w.)
        covered = pixels > 0.5
        quality = (pixels * covered).sum(axis=(2, 3)) / np.maximum(covered.sum(axis=(2, 3)), 1)    # (B, Q)
        return probabilities.argmax(axis=-1), probabilities.max(axis=-1) * quality, covered

    def test(self, samples, over):
        """The loss, and what belongs to the regions.

        Of objects AP and AP50 of their masks, AP50_1, AP50_2 ... of the pictures with so many objects, and
        AP50_touching of those in which two objects of one class touch. Of classes the mean intersection over union
        and the accuracy of pixels, and as a table the IoU of each class: see `minivit.tasks.segment`.
        """
        def measure(chosen):
            images, classes, masks = self.truth(samples, chosen)
            answers = self.model.answers(Tensor.without_copy(images))
            loss = self.loss_of(answers, classes, masks)[0].item() * len(classes)
            classes, masks = asnumpy(classes), asnumpy(masks)
            if self.regions == "classes":
                known = np.where(masks == UNKNOWN, UNKNOWN, masks - 1)
                named = semantic(*answers[-1], masks.shape[1:]).numpy().argmax(axis=-1)
                return loss, len(classes), confusion(known.astype(np.int64), named, len(self.classes))
            truth = [(row[row >= 0], pixels == np.flatnonzero(row >= 0)[:, None, None] + 1)
                     for row, pixels in zip(classes, masks, strict=True)]
            return loss, truth, list(zip(*self.objects_of(*answers[-1], masks.shape[1:]), strict=True))
        losses, truths, answers = zip(*over(measure), strict=True)
        if self.regions == "classes":
            pairs = sum(answers)
            ious = intersection_over_union(pairs)
            return {"loss": sum(losses) / sum(truths), "miou": float(np.nanmean(ious)),
                    "pixel_accuracy": float(pairs.trace() / max(pairs.sum(), 1)),
                    "iou": [[name, float(iou)] for name, iou in zip(self.classes, ious, strict=True) if iou == iou]}
        truth = [picture for part in truths for picture in part]
        groups = by_count(truth) | {"touching": np.array([has_touching_twins(*each) for each in truth])}
        precisions = average_precision(truth, [picture for part in answers for picture in part], len(self.classes),
                                       kind="masks", groups=groups)
        return {"loss": sum(losses) / len(truth), **precisions}

    def pictures(self, samples, chosen):
        """The regions that are known, and those that are found."""
        images, rows = samples.view(chosen), {}
        shown = samples.as_bytes(images)
        if hasattr(samples, "boxes"):
            _, _, masks = self.truth(samples, chosen)
            rows["what is there"] = Drawing(shown, masks=self.numbered(asnumpy(masks)))
        with no_grad():
            logits, masks = self.model(Tensor.without_copy(images))
            if self.regions == "classes":
                named = semantic(logits, masks, images.shape[1:3]).numpy().argmax(axis=-1)
                texts = [", ".join(self.classes[k] for k in np.unique(row) if k) or "nothing" for row in named]
                return rows | {"what the model sees": Drawing(shown, masks=named, texts=texts)}
            found = list(zip(*self.objects_of(logits, masks, images.shape[1:3]), strict=True))
        painted, texts = np.zeros(shown.shape[:3], np.int64), []
        for canvas, (kinds, scores, pixels) in zip(painted, found, strict=True):
            order = [index for index in np.argsort(scores) if scores[index] > 0.5]  # the surest is painted last
            for number, index in enumerate(order, 1):
                canvas[pixels[index]] = number
            texts.append(", ".join(f"{self.classes[kinds[index]]} {scores[index]:.0%}" for index in order) or "nothing")
        return rows | {"what the model sees": Drawing(shown, masks=painted, texts=texts)}

    def numbered(self, masks):
        """Regions as a Drawing numbers them: of classes, the background is 0."""
        return np.where(masks == UNKNOWN, UNKNOWN, masks - 1) if self.regions == "classes" else masks


TASK = MaskClassification
