"""Detection: matching, costs and losses against transformers' and against slow computations; AP; what is refused."""

import importlib
import itertools
import threading
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

import minivit
from minivit import Tensor, gradcheck, ops
from minivit.data.precision import average_precision, by_count
from minivit.models.detr import DETR
from minivit.models.resnet import BasicBlock, ResNetCIFAR
from minivit.tasks.detect import Detect, Shares, centred, match, refuse_too_many
from minivit.team import Team
from tests.counterpart import import_official

SMALL = dict(queries=7, dim=8, heads=2, encoder_depth=1, decoder_depth=2, mlp_dim=8, dropout=0.0)


def backbone(**settings):
    """A tiny ResNet."""
    return ResNetCIFAR(BasicBlock, (1, 1, 1), width=4, **settings)


def task(**settings):
    return Detect(backbone, classes=tuple("abcdef"), **SMALL | settings)


def drawn_answers(rng, pictures=3, queries=7, classes=6, layers=3):
    """Logits and boxes of each layer, float64."""
    return [(rng.standard_normal((pictures, queries, classes + 1)), rng.uniform(0.1, 0.9, (pictures, queries, 4)))
            for _ in range(layers)]


def drawn_objects(rng, counts=(2, 4, 0), most=5, classes=6):
    """Classes (B, M), -1 where there is none, and boxes (B, M, 4), which the padding fills with 0; in any places."""
    kinds, boxes = np.full((len(counts), most), -1), np.zeros((len(counts), most, 4))
    for picture, count in enumerate(counts):
        places = rng.choice(most, count, replace=False)
        kinds[picture, places] = rng.integers(classes, size=count)
        boxes[picture, places] = rng.uniform(0.2, 0.8, (count, 4))
    return kinds, boxes


def test_generalised_overlap_of_boxes_known_by_hand():
    """Apart by one: nothing in common, a third of the box around both is in neither."""
    one, apart, inside = np.array([0.0, 0, 1, 1]), np.array([2.0, 0, 3, 1]), np.array([0.0, 0, 0.5, 1])
    assert ops.generalised_iou(one, apart).item() == pytest.approx(-1 / 3)
    assert ops.generalised_iou(one, inside).item() == pytest.approx(0.5)
    assert ops.generalised_iou(one, one).item() == 1


def test_generalised_overlap_against_counted_pixels(rng):
    """Boxes with whole corners: intersection, union and hull are counted cell by cell."""
    low = rng.integers(0, 12, (40, 2))
    boxes = np.concatenate([low, low + rng.integers(1, 9, (40, 2))], axis=1)
    y, x = np.mgrid[:24, :24]
    cells = [(x0 <= x) & (x < x1) & (y0 <= y) & (y < y1) for x0, y0, x1, y1 in boxes]
    found = ops.generalised_iou(boxes[:, None].astype(float), boxes[None].astype(float)).numpy()
    for (i, one), (j, other) in itertools.product(enumerate(cells), repeat=2):
        both, union = (one & other).sum(), (one | other).sum()
        rows, columns = np.flatnonzero((one | other).any(1)), np.flatnonzero((one | other).any(0))
        hull = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert found[i, j] == pytest.approx(both / union - (hull - union) / hull, rel=1e-12)


def test_gradients_of_the_overlap(rng):
    one, other = (rng.uniform(0.2, 0.8, (6, 4)) for _ in range(2))
    gradcheck(lambda one, other: ops.generalised_iou(ops.corners(one), ops.corners(other)), one, other, rng=rng)


def test_corners_and_centres_are_each_others_inverse(rng):
    boxes = np.concatenate([rng.uniform(0, 20, (5, 3, 2)), rng.uniform(21, 40, (5, 3, 2))], axis=-1)
    there = centred(boxes, (48, 64)).astype(np.float64)
    np.testing.assert_allclose(ops.corners(there).numpy() * [64, 48, 64, 48], boxes, rtol=1e-5)


@pytest.mark.parametrize("objects", [1, 2, 3, 4])
def test_the_matching_is_the_cheapest_of_all(objects, rng):
    """Against all ways to give four objects to six queries."""
    costs, there = rng.standard_normal((20, 6, 5)), np.zeros((20, 5), bool)
    for row in there:
        row[rng.choice(5, objects, replace=False)] = True
    picture, query, thing = match(costs, there)
    assert len(picture) == 20 * objects
    for b in range(20):
        own, columns = picture == b, np.flatnonzero(there[b])
        assert sorted(thing[own]) == list(columns)
        assert len(set(query[own])) == objects
        best = min(sum(costs[b, q, c] for q, c in zip(queries, columns, strict=True))
                   for queries in itertools.permutations(range(6), objects))
        assert costs[b, query[own], thing[own]].sum() == pytest.approx(best, rel=1e-12)


def test_greedy_would_cost_more():
    """The cheapest pair first costs 1 + 10."""
    picture, query, thing = match(np.array([[[1.0, 2.0], [2.0, 10.0]]]), np.ones((1, 2), bool))
    assert list(zip(picture, query, thing, strict=True)) == [(0, 0, 1), (0, 1, 0)]


def test_numbers_that_are_none_are_matched_last():
    costs = np.array([[[np.nan, np.inf], [1.0, 2.0], [0.0, 5.0]]])
    picture, query, thing = match(costs, np.ones((1, 2), bool))
    assert sorted(zip(query, thing, strict=True)) == [(1, 1), (2, 0)]


def in_torch(torch, kinds, boxes):
    """What transformers calls labels."""
    return [{"class_labels": torch.tensor(row[row >= 0]), "boxes": torch.tensor(places[row >= 0])}
            for row, places in zip(kinds, boxes, strict=True)]


@pytest.mark.parametrize("counts", [(2, 4, 0), (7, 1, 3), (0, 0, 0)])
def test_matching_and_loss_are_transformers(counts, rng, monkeypatch):
    """Class, distance and overlap of three layers, each with a matching of its own; and all gradients."""
    torch = pytest.importorskip("torch")
    import_official("transformers")
    theirs = importlib.import_module("transformers.loss.loss_for_object_detection")
    answers, (kinds, boxes) = drawn_answers(rng), drawn_objects(rng, counts, most=7)
    labels, detect = in_torch(torch, kinds, boxes), task()
    matcher = theirs.HungarianMatcher(class_cost=1, bbox_cost=5, giou_cost=2)
    for logits, found in answers:
        expected = matcher({"logits": torch.tensor(logits), "pred_boxes": torch.tensor(found)}, labels)
        picture, query, thing = match(detect.costs(Tensor(logits), Tensor(found), kinds, boxes), kinds >= 0)
        for b, (queries, objects) in enumerate(expected):
            assert queries.tolist() == query[picture == b].tolist()
            assert np.flatnonzero(kinds[b] >= 0)[objects.numpy()].tolist() == thing[picture == b].tolist()

    config = SimpleNamespace(class_cost=1, bbox_cost=5, giou_cost=2, num_labels=6, eos_coefficient=0.1,
                             auxiliary_loss=True, decoder_layers=3, bbox_loss_coefficient=5, giou_loss_coefficient=2)
    leaves = [[torch.tensor(part, requires_grad=True) for part in layer] for layer in answers]
    with monkeypatch.context() as patch:
        patch.setattr(torch, "ones", partial(torch.ones, dtype=torch.float64))  # else 0.1 has seven digits
        expected, parts, _ = theirs.ForObjectDetectionLoss(
            leaves[-1][0], labels, "cpu", leaves[-1][1], config, *map(torch.stack, zip(*leaves, strict=True)))
    expected.backward()
    ours = [[Tensor(part, requires_grad=True) for part in layer] for layer in answers]
    loss, numbers = detect.loss_of(ours, kinds, boxes)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    assert float(numbers["class_loss"]) == pytest.approx(parts["loss_ce"].item(), rel=1e-9)
    assert float(numbers["distance"]) == pytest.approx(parts["loss_bbox"].item(), rel=1e-9)
    assert 1 - float(numbers["overlap"]) == pytest.approx(parts["loss_giou"].item(), rel=1e-9)
    for layer, reference in zip(ours, leaves, strict=True):
        for part, leaf in zip(layer, reference, strict=True):
            expected = np.zeros(part.shape) if leaf.grad is None else leaf.grad.numpy()
            np.testing.assert_allclose(0 if part.grad is None else part.grad, expected, rtol=1e-9, atol=1e-15)


def test_the_cross_entropy_is_divided_by_the_weights(rng):
    """Three objects and 97 answers that are to be silent: 3 + 97 x 0.1 = 12.7, not 100."""
    kinds, boxes = drawn_objects(rng, (3,))
    shares = Shares(kinds >= 0, 100, 0.1)
    assert 1 / shares.per_weight == pytest.approx(12.7)
    silent = np.zeros((1, 100, 7))
    detect = task(queries=100)
    _, numbers = detect.loss_of([(Tensor(silent), Tensor(rng.uniform(0.2, 0.8, (1, 100, 4))))], kinds, boxes)
    assert float(numbers["class_loss"]) == pytest.approx(np.log(7))  # the mean of one number, whatever the weights


def test_shares_know_how_many_objects_there_are_in_all():
    """One share has a picture with four objects, the other two with one: six objects over three pictures."""
    team, counts, found = Team(2), [(4,), (1, 1)], [None, None]

    def compute(rank):
        there = np.arange(5) < np.array(counts[rank])[:, None]
        with team.member(rank):
            found[rank] = Shares(there, 7, 0.1)
    threads = [threading.Thread(target=compute, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # the mean over the shares weighs the first 1/3 and the second 2/3
    assert [share.per_object for share in found] == pytest.approx([3 / 6, 3 / 2 / 6])
    assert [share.per_weight * len(counts[rank]) / 3 for rank, share in enumerate(found)] == pytest.approx(
        [1 / (6 + 0.1 * 15)] * 2)


def test_more_objects_than_queries_are_told_with_the_picture():
    classes = np.array([[1, 2, -1], [0, 1, 2]])
    with pytest.raises(ValueError, match="queries: picture 41 of scenes has 3 objects, but only 2 queries can answer"):
        refuse_too_many(classes, np.array([7, 41]), 2, SimpleNamespace(name="scenes"))
    refuse_too_many(classes, np.array([7, 41]), 3, SimpleNamespace(name="scenes"))


@pytest.mark.parametrize("settings, answer", [
    ({"box_weight": -1}, "detect: box_weight: expected a number of at least 0, got -1"),
    ({"no_object": 0}, "detect: no_object: expected a number above 0, got 0"),
    ({"backbone_rate": -0.1}, "detect: backbone_rate: expected a number above 0, got -0.1"),
    ({"queries": 0}, "DETR: queries must be at least 1, got 0"),
    ({"heads": 3}, "width 8 is not divisible by 3 heads"),
    ({"dim": 6}, "DETR: dim: 6 is not divisible by 4"),
])
def test_wrong_settings_are_refused_with_numbers(settings, answer):
    with pytest.raises(ValueError, match=answer):
        task(**settings)


def slow_precision(truth, answers, kind, threshold):
    """AP of one class as COCO defines it: sort by score, match greedily, then the mean over 101 recalls."""
    scored = sorted(((-score, picture, index) for picture, (kinds, scores, _) in enumerate(answers)
                     for index, score in enumerate(scores) if kinds[index] == kind))
    objects = {(picture, index) for picture, (kinds, _) in enumerate(truth) for index in np.flatnonzero(kinds == kind)}
    taken, hits = set(), []
    for _, picture, index in scored:
        box, best, chosen = answers[picture][2][index], threshold, None
        for key in sorted(objects - taken):
            if key[0] == picture:
                x0, y0, x1, y1 = truth[picture][1][key[1]]
                width, height = min(x1, box[2]) - max(x0, box[0]), min(y1, box[3]) - max(y0, box[1])
                both = max(width, 0) * max(height, 0)
                overlap = both / ((x1 - x0) * (y1 - y0) + (box[2] - box[0]) * (box[3] - box[1]) - both)
                if overlap >= best:
                    best, chosen = overlap, key
        taken |= {chosen} if chosen else set()
        hits.append(chosen is not None)
    if not objects:
        return None
    right = np.cumsum(hits)
    precision, recall = right / np.arange(1, len(hits) + 1), right / len(objects)
    return np.mean([max(precision[recall >= r], default=0) for r in np.linspace(0, 1, 101)])


def test_average_precision_against_a_slow_computation(rng):
    truth, answers = [], []
    for _ in range(12):
        count, low = rng.integers(1, 5), rng.uniform(0, 30, (4, 2))
        boxes = np.concatenate([low, low + rng.uniform(5, 15, (4, 2))], axis=1)[:count]
        truth.append((rng.integers(3, size=count), boxes))
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 1.5, (2 * count, 4))
        kinds = np.where(rng.random(2 * count) < 0.7, np.repeat(truth[-1][0], 2), rng.integers(3, size=2 * count))
        answers.append((kinds, rng.random(2 * count), near))
    found = average_precision(truth, answers, 3, groups=by_count(truth))

    def mean_over_classes(chosen, threshold):
        each = [slow_precision([truth[i] for i in chosen], [answers[i] for i in chosen], kind, threshold)
                for kind in range(3)]
        return np.mean([value for value in each if value is not None])
    everything = range(len(truth))
    assert found["AP50"] == pytest.approx(mean_over_classes(everything, 0.5), rel=1e-9)
    assert found["AP"] == pytest.approx(
        np.mean([mean_over_classes(everything, t) for t in np.linspace(0.5, 0.95, 10)]), rel=1e-9)
    for count in {len(kinds) for kinds, _ in truth}:
        chosen = [i for i in everything if len(truth[i][0]) == count]
        assert found[f"AP50_{count}"] == pytest.approx(mean_over_classes(chosen, 0.5), rel=1e-9)
    assert 0.1 < found["AP"] < found["AP50"] < 0.9


def test_average_precision_of_a_published_example():
    """The example in the documentation of torchmetrics' MeanAveragePrecision: 0.6, and 1 at half an overlap."""
    truth = [(np.array([0]), np.array([[214.0, 41, 562, 285]]))]
    answers = [(np.array([0]), np.array([0.536]), np.array([[258.0, 41, 606, 285]]))]
    assert average_precision(truth, answers, 1) == pytest.approx({"AP": 0.6, "AP50": 1.0})


def test_a_second_answer_to_an_object_is_wrong_and_no_answer_is_no_error():
    truth = [(np.array([1]), np.array([[2.0, 2, 12, 12]]))]
    twice = [(np.array([1, 1]), np.array([0.9, 0.8]), np.array([[2.0, 2, 12, 12]] * 2))]
    other = [(np.array([1, 1]), np.array([0.8, 0.9]), np.array([[2.0, 2, 12, 12], [20, 20, 30, 30]]))]
    nothing = [(np.zeros(0, int), np.zeros(0), np.zeros((0, 4)))]
    assert average_precision(truth, twice, 3)["AP50"] == pytest.approx(1)
    assert average_precision(truth, other, 3)["AP50"] == pytest.approx(0.5)
    assert average_precision(truth, nothing, 3)["AP50"] == 0
    assert np.isnan(average_precision(nothing and [(np.zeros(0, int), np.zeros((0, 4)))], nothing, 3)["AP"])
    mask = np.zeros((1, 16, 16), bool)
    mask[:, 2:9, 3:12] = True
    assert average_precision([(np.array([0]), mask)], [(np.array([0]), np.array([0.5]), mask)], 1,
                             kind="masks")["AP"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["vit", "swin", "resnet"])
def test_any_family_is_a_backbone(name, rng):
    model = DETR(partial(minivit.create, name, "cifar"), num_classes=6, **SMALL).initialise(0)
    logits, boxes = model(rng.standard_normal((2, 32, 32, 3), np.float32))
    assert (logits.shape, boxes.shape) == ((2, 7, 7), (2, 7, 4))
    assert 0 < boxes.numpy().min() < boxes.numpy().max() < 1


def test_padding_changes_nothing(rng):
    """A picture alone, and in the corner of a larger one with a mask: the same answers, but for what lies at the seam.

    The backbone's convolutions see the padding, so the last grid is given to the transformer itself.
    """
    model = DETR(backbone, num_classes=6, **SMALL).initialise(0).astype(np.float64)
    grid, padded = rng.standard_normal((1, 3, 4, 16)), rng.standard_normal((1, 5, 7, 16))
    padded[:, :3, :4] = grid
    mask = np.zeros((1, 5, 7), bool)
    mask[:, :3, :4] = True
    answers = []
    for features, where in ((grid, None), (padded, mask)):
        x, positions, real = model.place(Tensor(features), where)
        for layer in model.encoder:
            x = layer(x, positions, real)
        answers.append(model.answer(model.decoder(x, positions, real)[-1]))
    for alone, together in zip(*answers, strict=True):
        np.testing.assert_allclose(together.numpy(), alone.numpy(), rtol=1e-12)


def test_equal_queries_give_equal_answers(rng):
    """Only the learned query tells one answer from another."""
    model = DETR(backbone, num_classes=6, **SMALL).initialise(0)
    queries = model.decoder.query_positions.mutable()
    queries[1] = queries[0]
    logits, boxes = model(rng.standard_normal((1, 32, 32, 3), np.float32))
    np.testing.assert_allclose(logits.numpy()[0, 1], logits.numpy()[0, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(boxes.numpy()[0, 1], boxes.numpy()[0, 0], rtol=1e-5)
    assert np.abs(boxes.numpy()[0, 2] - boxes.numpy()[0, 0]).max() > 1e-4


def test_the_backbone_may_learn_slower():
    """Its first step of AdamW is a tenth of the others'."""
    from minivit.train.recipe import Recipe
    from minivit.train.trainer import make_optimiser
    recipe = Recipe(task="detect", optimiser="adamw", lr=1e-2, weight_decay=0.0)
    slow, steps = task(backbone_rate=0.1).initialise(0), {}
    before = slow.state_dict()
    optimiser = make_optimiser(slow, recipe)
    for parameter in slow.parameters():
        parameter.grad = np.ones(parameter.shape, np.float32)
    optimiser.step()
    for name, value in slow.state_dict().items():
        if "running" not in name:
            steps.setdefault("backbone" in name, set()).add(round(float(np.abs(before[name] - value).mean()), 5))
    assert steps == {True: {0.001}, False: {0.01}}
    assert sum(p.size for p in optimiser.parameters) == sum(p.size for p in slow.parameters())
