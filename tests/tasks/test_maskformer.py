"""Masks and classes: costs, losses and matching against transformers' and by hand; measures; what is refused."""

import importlib
from functools import partial

import numpy as np
import pytest

from minivit import Tensor
from minivit.data import Samples, scenes
from minivit.models.maskformer import semantic
from minivit.models.resnet import BasicBlock, ResNetCIFAR
from minivit.tasks.maskformer import (MaskClassification, classes_as_regions, dice_loss, focal_loss,
                                      has_touching_twins, mask_costs, seen)
from tests.counterpart import import_official

SMALL = dict(classes=tuple("abcde"), queries=7, dim=8, heads=2, depth=2, mlp_dim=8, pixel_dim=8, mask_dim=8, groups=4,
             dropout=0.0)


def backbone(**settings):
    """A tiny ResNet."""
    return ResNetCIFAR(BasicBlock, (1, 1), width=4, **settings)


def task(**settings):
    return MaskClassification(backbone, **SMALL | settings)


def drawn(rng, counts=(2, 4, 0), layers=3, queries=7, classes=5, grid=(6, 8), size=(24, 30)):
    """Answers of each layer, regions (B, M) and masks (B, height, width), all drawn."""
    answers = [(rng.standard_normal((len(counts), queries, classes + 1)),
                2 * rng.standard_normal((len(counts), queries, *grid))) for _ in range(layers)]
    kinds = np.full((len(counts), 5), -1)
    masks = np.zeros((len(counts), *size), np.uint8)
    for picture, count in enumerate(counts):
        places = rng.choice(5, count, replace=False)
        kinds[picture, places] = rng.integers(classes, size=count)
        masks[picture] = rng.choice([0, *(places + 1)], size)
    return answers, kinds, masks


def test_dice_known_by_hand():
    """p = 1 1 0 0 and truth 1 0 0 0: 1 - (2 + 1) / (2 + 1 + 1); where both are empty, nothing is wrong."""
    sure = 40 * np.array([[1.0, 1, -1, -1], [-1, -1, -1, -1]])
    losses = dice_loss(Tensor(sure), np.array([[1.0, 0, 0, 0], [0, 0, 0, 0]])).numpy()
    np.testing.assert_allclose(losses, [0.25, 0], atol=1e-12)


def test_no_region_is_left_out_after_the_softmax():
    """Logits 0, 0, ln 2: votes of a quarter each, not of a half."""
    votes = semantic(Tensor(np.array([[[0.0, 0, np.log(2)]]])), Tensor(np.full((1, 1, 2, 2), 50.0)), (2, 2)).numpy()
    np.testing.assert_allclose(votes, 0.25, rtol=1e-12)


def test_costs_of_pairs_are_the_losses_of_each_pair(rng):
    logits, masks = 2 * rng.standard_normal((2, 4, 30)), (rng.random((2, 3, 30)) < 0.4).astype(float)
    focal, dice = mask_costs(logits, masks)
    for b, q, m in np.ndindex(2, 4, 3):
        pair = Tensor(logits[b, q:q + 1]), masks[b, m:m + 1]
        assert focal[b, q, m] == pytest.approx(focal_loss(*pair).item(), rel=1e-12)
        assert dice[b, q, m] == pytest.approx(dice_loss(*pair).item(), rel=1e-12)


@pytest.mark.parametrize("counts", [(2, 4, 0), (5, 1, 3)])
def test_matching_and_loss_are_transformers(counts, rng, monkeypatch):
    """Of three layers, each with a matching of its own; and all gradients."""
    torch = pytest.importorskip("torch")
    import_official("transformers")
    theirs = importlib.import_module("transformers.models.maskformer.modeling_maskformer")
    answers, kinds, masks = drawn(rng, counts)
    ours = task()
    present = [np.flatnonzero(row >= 0) for row in kinds]
    class_labels = [torch.tensor(row[places]) for row, places in zip(kinds, present, strict=True)]
    mask_labels = [torch.tensor((pixels == places[:, None, None] + 1).astype(float))
                   for pixels, places in zip(masks, present, strict=True)]
    matcher = theirs.MaskFormerHungarianMatcher(cost_class=1.0, cost_dice=1.0, cost_mask=20.0)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", partial(torch.ones, dtype=torch.float64))  # else 0.1 has seven digits
        criterion = theirs.MaskFormerLoss(5, matcher, {}, 0.1)
    leaves = [[torch.tensor(part, requires_grad=True) for part in layer] for layer in answers]
    names = ("class_queries_logits", "masks_queries_logits")
    parts = criterion(leaves[-1][1], leaves[-1][0], mask_labels, class_labels,
                      [dict(zip(names, layer, strict=True)) for layer in leaves[:-1]])
    weights = {"loss_cross_entropy": 1.0, "loss_mask": 20.0, "loss_dice": 1.0}
    expected = sum(weights[name.rstrip("_0123456789")] * part for name, part in parts.items())
    expected.backward()

    tensors = [[Tensor(part, requires_grad=True) for part in layer] for layer in answers]
    loss, numbers = ours.loss_of(tensors, kinds, masks)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for name, official in (("class_loss", "loss_cross_entropy"), ("focal", "loss_mask"), ("dice", "loss_dice")):
        assert float(numbers[name]) == pytest.approx(parts[official].item(), rel=1e-6)
    for layer, reference in zip(tensors, leaves, strict=True):
        for part, leaf in zip(layer, reference, strict=True):
            np.testing.assert_allclose(part.grad, leaf.grad.numpy(), rtol=1e-9, atol=1e-15)


def test_classes_as_regions_by_hand():
    """Two objects of one class are one region; the background is the first; what is not said is none."""
    masks = np.array([[[0, 1, 2], [3, 255, 1]]], np.uint8)
    kinds, regions = classes_as_regions(np.array([[4, 0, 4]]), masks, 6)
    np.testing.assert_array_equal(kinds, [[0, 1, -1, -1, -1, 5]])
    np.testing.assert_array_equal(regions, [[[1, 6, 2], [6, 255, 6]]])


def test_a_region_without_a_pixel_is_none():
    """As an object of which only the box is known."""
    masks = np.array([[[0, 1], [1, 3]]], np.uint8)
    np.testing.assert_array_equal(seen(np.array([[4, 2, 0]]), masks), [[4, -1, 0]])


def test_touching_twins():
    masks = np.zeros((3, 6, 6), bool)
    masks[0, :3, :3], masks[1, 3:, :3], masks[2, :, 4:] = True, True, True
    assert has_touching_twins(np.array([1, 1, 1]), masks)
    assert not has_touching_twins(np.array([1, 2, 1]), masks)
    assert not has_touching_twins(np.array([2, 1, 1]), masks)


@pytest.fixture(scope="module")
def samples():
    """Twelve scenes."""
    return Samples(scenes.draw(12, np.random.default_rng(4)), mean=[0.5] * 3, std=[0.25] * 3)


@pytest.mark.parametrize("regions", ["objects", "classes"])
def test_right_answers_have_the_best_measures(regions, samples):
    """A model that answers with the truth itself: AP, mIoU and accuracy of 1, and masks that are drawn as they are."""
    ours = MaskClassification(backbone, **SMALL | dict(classes=samples.classes, queries=8, regions=regions))
    images, kinds, masks = ours.truth(samples, np.arange(12))

    def answers(chosen_images):
        chosen = [int(np.flatnonzero((images == image).all(axis=(1, 2, 3)))[0]) for image in chosen_images.numpy()]
        logits = np.full((len(chosen), 8, len(ours.classes) + 1), -20.0)
        found = np.full((len(chosen), 8, *masks.shape[1:]), -20.0)
        logits[..., -1] = 0
        for row, picture in enumerate(chosen):
            for number, place in enumerate(np.flatnonzero(kinds[picture] >= 0)):
                logits[row, number, kinds[picture, place]], logits[row, number, -1] = 0, -20
                found[row, number][masks[picture] == place + 1] = 20
        return [(Tensor(logits), Tensor(found))]
    ours.model.answers, ours.model.forward = answers, lambda pictures: answers(pictures)[-1]
    measured = ours.test(samples, lambda function: [function(np.arange(5)), function(np.arange(5, 12))])
    assert measured["loss"] < 0.01
    best = ("miou", "pixel_accuracy") if regions == "classes" else ("AP", "AP50")
    assert [measured[name] for name in best] == pytest.approx([1.0, 1.0])
    rows = ours.pictures(samples, slice(4))
    there, seen = rows["what is there"].masks, rows["what the model sees"].masks
    np.testing.assert_array_equal(seen > 0, there > 0)


def test_the_batch_has_all_regions_and_too_many_are_refused(samples, rng):
    ours = MaskClassification(backbone, **SMALL | dict(classes=samples.classes, regions="classes"))
    _, kinds, masks = ours.batch(samples, np.arange(6), rng)
    for row, pixels in zip(kinds, masks, strict=True):
        assert set(np.unique(pixels)) == {kind + 1 for kind in row if kind >= 0}
        assert row[0] == 0  # every scene has a background
    few = MaskClassification(backbone, **SMALL | dict(classes=samples.classes, queries=1))
    with pytest.raises(ValueError, match=r"queries: picture \d+ of scenes has \d objects, but only 1 queries"):
        few.batch(samples, np.arange(12), rng)


@pytest.mark.parametrize("settings, answer", [
    ({"regions": "object"}, "regions: 'object' does not exist; did you mean 'objects'"),
    ({"mask_weight": -2}, "maskformer: mask_weight: expected a number of at least 0, got -2"),
    ({"groups": 3}, "8 channels are not divisible into 3 groups"),
    ({"dim": 10}, "MaskFormer: dim: 10 is not divisible by 4"),
])
def test_wrong_settings_are_refused_with_numbers(settings, answer):
    with pytest.raises(ValueError, match=answer):
        task(**settings)
