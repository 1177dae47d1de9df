"""Average precision (AP), as COCO defines it and its authors' package measures it (Lin et al., arXiv:1405.0312).

An answer is right if it names the class of an object, and overlaps it enough: an intersection over union of 0.5 for
AP50, and for AP the mean over 0.5, 0.55 ... 0.95. Only the surest of several answers to one object is right. AP is the
mean precision over all recalls, and over all classes.
"""

import contextlib
import os

import numpy as np

ANSWERS = 100  # to a picture that count, the surest


def average_precision(truth, answers, classes, *, kind="boxes", groups=None):
    """AP and AP50 of the answers to some pictures.

    Parameters
    ----------
    truth : list of (classes int (n,), places)
        Of each picture what is there. Places are boxes (n, 4), the corners (x0, y0, x1, y1), or masks bool (n, H, W).
    answers : list of (classes int (n,), scores (n,), places)
        Of each picture what was found, and how sure.
    classes : int
        How many there are.
    kind : "boxes" or "masks"
    groups : {name: bool (N,)}, optional
        Some of the pictures, of which AP50 is measured by themselves, too.

    Returns
    -------
    dict
        {"AP": float, "AP50": float, "AP50_name": float ...}, from 0 to 1; NaN where there is nothing to find.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    if kind not in ("boxes", "masks") or len(truth) != len(answers):
        raise ValueError("average_precision: expected boxes or masks, of as many pictures as there are answers to; got "
                         f"{kind!r}, {len(truth)} pictures and answers to {len(answers)}")
    place = _box if kind == "boxes" else _mask
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # it tells of every step
        known, found = (_dataset(COCO(), rows, classes, place) for rows in (
            [(kinds, np.ones(len(kinds)), places) for kinds, places in truth], answers))
        evaluation = COCOeval(known, found, "bbox" if kind == "boxes" else "segm")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]  # objects of any size
        evaluation.params.maxDets = [ANSWERS]

        def measured(pictures):
            evaluation.params.imgIds = [int(picture) + 1 for picture in pictures]
            evaluation.evaluate()
            evaluation.accumulate()
            table = evaluation.eval["precision"][..., 0, 0]  # (10 overlaps, 101 recalls, classes)
            table = np.where(table < 0, np.nan, table)       # classes of which there is no object
            return [float(np.nanmean(part)) if np.isfinite(part).any() else float("nan") for part in (table, table[0])]
        precisions = dict(zip(("AP", "AP50"), measured(range(len(truth))), strict=True))
        for name, chosen in (groups or {}).items():
            precisions[f"AP50_{name}"] = measured(np.flatnonzero(chosen))[1]
    return precisions


def by_count(truth):
    """Groups of the pictures with one object, with two, and so on.    -> {"1": bool (N,), "2": ...}"""
    counts = np.array([len(classes) for classes, _ in truth])
    return {str(count): counts == count for count in sorted(set(counts.tolist()) - {0})}


def _dataset(coco, rows, classes, place):
    """A data set of pycocotools. It counts from 1: an object with the number 0 is one that nobody can find."""
    annotations = []
    for picture, (kinds, scores, places) in enumerate(rows, 1):
        for kind, score, where in zip(kinds, scores, places, strict=True):
            annotations.append({"id": len(annotations) + 1, "image_id": picture, "category_id": int(kind) + 1,
                                "score": float(score), "iscrowd": 0, **place(where)})
    sizes = [each["segmentation"]["size"] for each in annotations if "segmentation" in each]
    height, width = sizes[0] if sizes else (0, 0)  # asked for, and not used: each mask has its own
    coco.dataset = {"images": [{"id": picture, "height": height, "width": width}
                               for picture in range(1, len(rows) + 1)],
                    "annotations": annotations, "categories": [{"id": number} for number in range(1, classes + 1)]}
    coco.createIndex()
    return coco


def _box(corners):
    x0, y0, x1, y1 = map(float, corners)
    return {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}


def _mask(pixels):
    from pycocotools.mask import encode
    return {"segmentation": encode(np.asfortranarray(pixels, np.uint8)), "area": float(np.count_nonzero(pixels))}
