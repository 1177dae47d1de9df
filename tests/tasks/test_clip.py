"""CLIP's loss by its formula, zero-shot accuracy counted, and what every task promises."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, data
from minivit.data import scenes
from minivit.models.clip import CLIP, HIGHEST, CLIPViT
from minivit.tasks.clip import Contrast
from minivit.train import Threads, evaluate
from tests.tasks.contract import check_resume, check_threads

MOVES = [("random_flip", {})]


def make():
    model = CLIP(CLIPViT, image_size=48, patch_size=16, dim=16, depth=1, heads=2, common_dim=12, words=23, longest=40,
                 end=2, text_dim=16, text_depth=1, text_heads=2)
    return Contrast(model, scenes.WORDS).initialise(0)


@pytest.fixture(scope="module")
def sets():
    return tuple(scenes.draw(count, np.random.default_rng(count)) for count in (60, 30))


@pytest.fixture(scope="module")
def samples(sets):
    return data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)


def test_the_loss_of_two_pairs_by_hand(monkeypatch):
    """Logits 2 0; 1 1: the rows cost .127 and .693, the columns .313 and .313."""
    task = make()
    monkeypatch.setattr(task.model, "see", lambda images: Tensor(np.eye(2)))
    monkeypatch.setattr(task.model, "read", lambda sentences: Tensor(np.array([[2.0, 1.0], [0.0, 1.0]])))
    monkeypatch.setattr(task.model, "compare", lambda one, other: one @ other.T)
    loss, numbers = task.loss(np.zeros((2, 1)), None, np.arange(2))
    rows, columns = np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(-1.0))
    assert loss.item() == pytest.approx(((rows + np.log(2)) / 2 + columns) / 2)
    assert loss.item() == pytest.approx(0.362, abs=5e-4)
    assert numbers["of_sentences"] == 1


def test_the_loss_is_symmetric_cross_entropy(samples):
    torch = pytest.importorskip("torch")
    task = make().astype(np.float64).eval()
    images, sentences, place = task.batch(samples, np.arange(8), None)
    loss, numbers = task.loss(images.astype(np.float64), sentences, place)
    logits = torch.tensor(task.model(images.astype(np.float64), sentences).numpy())
    costs = [torch.nn.functional.cross_entropy(each, torch.arange(8)) for each in (logits, logits.T)]
    assert loss.item() == pytest.approx(float(sum(costs)) / 2, rel=1e-12)
    assert float(numbers["accuracy"]) == pytest.approx(float((logits.argmax(1) == torch.arange(8)).double().mean()))


def test_the_factor_stays_below_100():
    task = make()
    task.model.temperature.data = np.float32(5)
    task.after_step(1, 10)
    assert task.model.temperature.numpy() == np.float32(HIGHEST)
    task.model.temperature.data = np.float32(3)
    task.after_step(2, 10)
    assert task.model.temperature.numpy() == 3


def test_zero_shot_counts_the_pictures_with_one_object(sets, samples, monkeypatch):
    task, dataset = make().eval(), sets[1]
    single = np.flatnonzero((dataset.object_classes >= 0).sum(axis=1) == 1)
    texts = [data.in_words(sentence, scenes.WORDS) for sentence in dataset.sentences]
    answers = np.zeros((len(dataset), 108))
    for picture in single:
        answers[picture, task.prompts.index(texts[picture])] = 1
    wrong = single[0]
    other_place = [number for number, meant in enumerate(task.meant)
                   if (meant[:2] == task.meant[answers[wrong].argmax()][:2]).all()
                   and meant[2] != task.meant[answers[wrong].argmax()][2]][0]
    answers[wrong] = np.eye(108)[other_place]
    monkeypatch.setattr(task, "zero_shot", lambda images: answers)
    with Threads(1) as threads:
        found = evaluate(task, samples, threads, progress=False)
    assert found["zero_shot_accuracy"] == pytest.approx(1 - 1 / len(single))
    assert found["zero_shot_accuracy_of_pairs"] == 1


def test_all_single_objects():
    texts, meant = scenes.single_objects()
    assert len(set(texts)) == len(texts) == len(meant) == 108
    assert texts[0] == "a red circle on the left"
    assert texts[-1] == "a white ring on the right"
    assert meant[-1].tolist() == [5, 5, 2]


def test_it_learns_which_sentence_belongs_to_which_picture(sets):
    from minivit.train.optim import AdamW
    task, samples = make(), data.Samples(sets[0], mean=[0.3] * 3, std=[0.25] * 3)
    batch = task.batch(samples, np.arange(6), None)
    optimiser = AdamW(task.parameters(), lr=3e-3)
    for step in range(60):
        loss, numbers = task.train().loss(*batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        task.after_step(step, 60)
    assert numbers["accuracy"] == numbers["of_sentences"] == 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_resumed(sets, threads, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run", augmentation=MOVES)


def test_threads(sets):
    check_threads(make, sets, augmentation=MOVES)


def test_it_is_built_from_a_recipe_and_shows_the_nearest_sentence(samples):
    task = Contrast.build(lambda **changes: minivit.create("resnet", "cifar20", **changes), (), words=scenes.WORDS,
                          text_depth=1).initialise(0).eval()
    drawing = task.pictures(samples, slice(3))["the nearest sentence"]
    assert all(text.rpartition(" (")[0] in task.prompts for text in drawing.texts)
    with pytest.raises(ValueError, match="clip: the data have no sentences"):
        Contrast.build(None, ())
    others = Contrast(task.model, ("<pad>", "<start>", "<end>", "dog"))
    assert others.pictures(samples, slice(3)) == {}
    with Threads(1) as threads:
        assert "zero_shot_accuracy" not in evaluate(others, samples, threads, progress=False)
