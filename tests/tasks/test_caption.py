"""Captioning: the loss ignores padding, exact sentences are counted, and what every task promises."""

import numpy as np
import pytest

import minivit
from minivit import data
from minivit.data import scenes
from minivit.words import END, PAD, START, in_words
from minivit.models.captioner import Captioner
from minivit.models.vit import VARIANTS as VIT
from minivit.tasks.caption import Caption, same_sentences
from minivit.train import Threads, evaluate
from tests.tasks.contract import check_resume, check_threads

MOVES = [("random_flip", {})]


def make(**settings):
    model = Captioner(lambda **changes: VIT["cifar"](dim=16, depth=1, heads=2, patch_size=16, image_size=48, **changes),
                      words=len(scenes.WORDS), dim=16, depth=1, heads=2)
    return Caption(model, scenes.WORDS, **settings).initialise(0)


@pytest.fixture(scope="module")
def sets():
    return tuple(scenes.draw(count, np.random.default_rng(count)) for count in (60, 16))


@pytest.fixture(scope="module")
def samples(sets):
    return data.Samples(sets[1], mean=[0.5] * 3, std=[0.25] * 3)


def test_the_loss_is_the_mean_over_words_without_padding(samples):
    task = make().astype(np.float64).eval()
    images, sentences = task.batch(samples, np.arange(6), None)
    loss, numbers = task.loss(images.astype(np.float64), sentences)
    logits = task.model(images.astype(np.float64), sentences[:, :-1]).numpy()
    chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    costs = [-chances[b, place, word] for b, words in enumerate(sentences[:, 1:]) for place, word in enumerate(words)
             if word != PAD]
    assert loss.item() == pytest.approx(np.mean(costs), rel=1e-9)
    hits = [chances[b, place].argmax() == word for b, words in enumerate(sentences[:, 1:])
            for place, word in enumerate(words) if word != PAD]
    assert float(numbers["word_accuracy"]) == pytest.approx(np.mean(hits))
    longer = np.pad(sentences, ((0, 0), (0, 2)), constant_values=PAD)
    assert task.loss(images.astype(np.float64), longer)[0].item() == pytest.approx(loss.item(), rel=1e-12)


def test_it_learns_to_say_what_it_sees(sets):
    from minivit.train.optim import AdamW
    task, samples = make(), data.Samples(sets[0], mean=[0.3] * 3, std=[0.25] * 3)
    counts = (sets[0].object_classes >= 0).sum(axis=1)
    chosen = np.flatnonzero(counts == 1)[:4]
    batch = task.batch(samples, chosen, None)
    optimiser = AdamW(task.parameters(), lr=1e-2)
    for _ in range(150):
        loss, _ = task.train().loss(*batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    written = task.eval().write(batch[0])
    assert same_sentences(written, batch[1]).all()
    drawing = task.pictures(samples, chosen)["the model's sentence"]
    assert drawing.texts == [in_words(sets[0].sentences[picture], scenes.WORDS) for picture in chosen]


def test_exact_sentences_are_counted(samples, monkeypatch):
    task = make().eval()
    truth = samples.sentences
    wrong = truth.copy()
    wrong[::2, 2] += 1
    monkeypatch.setattr(task, "write", lambda images: wrong)
    with Threads(2) as threads:
        found = evaluate(task, samples, threads, progress=False)
    assert found["sentence_accuracy"] == 0.5
    lengths = (truth != PAD).sum(axis=1) - 2
    assert found["exact"] == [[f"{length} words", float((np.arange(16) % 2 == 1)[lengths == length].mean())]
                              for length in np.unique(lengths)]


def test_padding_does_not_make_a_sentence_another_one():
    one = np.array([[START, 5, END, PAD], [START, 5, END, PAD], [START, 5, 6, END]])
    other = np.array([[START, 5, END], [START, 6, END], [START, 5, 6]])
    assert same_sentences(one, other).tolist() == [True, False, False]


def test_what_is_measured_does_not_depend_on_the_threads(samples, monkeypatch):
    from minivit.train import measure
    monkeypatch.setattr(measure, "BATCH", 5)
    results = []
    for count in (1, 3):
        with Threads(count) as threads:
            results.append(evaluate(make(beams=2).eval(), samples, threads, progress=False))
    assert results[0] == results[1]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_resumed(sets, threads, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run", augmentation=MOVES)


def test_threads(sets):
    check_threads(make, sets, augmentation=MOVES)


def test_it_is_built_from_a_recipe_and_the_words_of_the_data():
    task = Caption.build(lambda **changes: minivit.create("resnet", "cifar20", **changes), (), words=scenes.WORDS,
                         dim=8, heads=2, beams=3)
    assert task.words == scenes.WORDS
    assert task.beams == 3
    with pytest.raises(ValueError, match="caption: the data have no sentences"):
        Caption.build(None, ())
    with pytest.raises(ValueError, match="caption: beams must be at least 1, got 0"):
        Caption(None, scenes.WORDS, beams=0)
