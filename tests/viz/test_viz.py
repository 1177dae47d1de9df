"""Figures hold what they are given, and become PNG files without a display."""

import numpy as np
import pytest

import minivit
from minivit import viz
from minivit.ops import softmax

LINES = [{"step": 1, "epoch": 0.5, "loss": 2.0, "accuracy": 0.25},
         {"step": 2, "epoch": 1.0, "loss": 1.0, "accuracy": 0.5, "test_loss": 1.5, "test_accuracy": 0.4}]
FINAL = {"step": 2, "epoch": 1.0, "final": True, "test_loss": 1.25, "test_accuracy": 0.45}


def test_curves():
    loss, accuracy = viz.curves([*LINES, FINAL], "run 7").axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[2.0, 1.0], [1.5, 1.25]]
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[25, 50], [40, 45]]
    assert [list(line.get_xdata()) for line in loss.lines] == [[0.5, 1.0], [1.0, 1.0]]
    assert loss.get_xlabel() == "epoch"
    assert viz.curves([*LINES, FINAL], "run 7").get_suptitle() == "run 7: test accuracy 45.0%"
    assert viz.curves([]).get_suptitle() == "not finished"


def test_curves_of_what_is_only_tested_and_of_plateaus():
    lines = [{"step": 1, "epoch": 0.5, "loss": 2.0, "plateau": "of words"},
             {"step": 2, "epoch": 1.0, "loss": 1.9, "test_knn_accuracy": 0.3, "test_pictures": 9}]
    final = {"step": 2, "epoch": 1.0, "final": True, "test_knn_accuracy": 0.4, "test_pictures": 90}
    figure = viz.curves([*lines, final], plateaus={"ln 8, by chance": 2.08})
    loss, accuracy = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training, augmented pictures", "ln 8, by chance"]
    assert list(loss.lines[1].get_ydata()) == [2.08, 2.08]
    assert [list(line.get_ydata()) for line in accuracy.lines] == [[30, 40]]
    assert figure.get_suptitle() == "test knn accuracy 40.0%"
    assert viz.curves([{"step": 1, "epoch": 1, "final": True}]).get_suptitle() == "finished"


def test_a_race_spreads_the_steps_over_the_minutes_and_names_the_best_first():
    slow = [{"step": 50, "test_accuracy": 0.5}, {"step": 100, "accuracy": 0.9}, {"step": 100, "test_accuracy": 0.8}]
    figure = viz.race({"fast": ([{"step": 4, "test_accuracy": 0.7}], 15.0), "slow": (slow, 60.0)}, chance=0.1)
    fast, slow, chance = figure.axes[0].lines
    assert (list(fast.get_xdata()), list(fast.get_ydata())) == ([15], [70])
    assert (list(slow.get_xdata()), list(slow.get_ydata())) == ([30, 60], [50, 80])
    assert list(chance.get_ydata()) == [10, 10]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["slow: 80.0 %", "fast: 70.0 %",
                                                                                    "chance"]


def test_confusion_matrix_shows_percent_of_rows():
    figure = viz.confusion_matrix([[3, 1], [0, 0]], ["cat", "dog"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["75", "25", "0", "0"]
    assert axes.get_title() == "75.0% of 4 pictures are right"
    assert len(viz.confusion_matrix(np.eye(100, dtype=int), [str(k) for k in range(100)]).axes[0].texts) == 0


@pytest.mark.parametrize("variant", ["cifar", "s/16"])
def test_attention_maps_are_the_layers_probabilities(variant):
    model = minivit.create("vit", variant, image_size=32, dim=8, depth=3, heads=2, mlp_dim=8)
    images = np.random.default_rng(0).standard_normal((2, 32, 32, 3)).astype(np.float32)
    maps = viz.attention_maps(model, images)
    tokens = model.grid[0] * model.grid[1] + model.prefix
    assert [m.shape for m in maps] == [(2, 2, tokens, tokens)] * 3
    for m in maps:
        np.testing.assert_allclose(m.sum(axis=-1), 1, rtol=1e-5)
    x = model.blocks[0].norm1(model.prepend(model.patch_embed(minivit.Tensor(images))) + model.positions)
    q, k, _ = model.blocks[0].attention.qkv(x).numpy().reshape(2, tokens, 3, 2, 4).transpose(2, 0, 3, 1, 4)
    expected = softmax(minivit.Tensor(q @ k.swapaxes(-1, -2) / 2)).numpy()
    np.testing.assert_allclose(maps[0], expected, rtol=1e-4)


def test_attention_picture():
    picture = np.full((32, 32, 3), 100, np.uint8)
    weights = np.zeros((3, 5, 5))
    weights[:, 0, 1:] = [[1, 2, 3, 4], [0, 0, 0, 8], [5, 0, 0, 0]]  # the class token's, on a grid of 2 x 2
    figure = viz.attention_picture(picture, weights, (2, 2), "cat")
    heads = [axes.images[-1].get_array() for axes in figure.axes[1:5]]
    np.testing.assert_allclose(heads[1], [[0.25, 0.5], [0.75, 1]])
    np.testing.assert_allclose(heads[2], [[0, 0], [0, 1]])
    np.testing.assert_allclose(heads[0], np.array([[6, 2], [3, 12]]) / 12)
    uniform = viz.attention_picture(picture, np.full((1, 4, 4), 0.25), (2, 2)).axes[1].images[-1].get_array()
    np.testing.assert_allclose(uniform, 1)
    assert viz.png(figure).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"5 tokens are fewer than the patches of a 3 x 3 grid"):
        viz.attention_picture(picture, weights, (3, 3))


def test_speed_bars():
    rows = [{"case": "ViT", "side": "minivit", "gflops": 120.0}, {"case": "ViT", "side": "torch", "gflops": 100.0},
            {"case": "ResNet", "side": "minivit", "gflops": 90.0}]
    axes = viz.speed_bars(rows, "speed").axes[0]
    assert [bar.get_height() for bar in axes.patches] == [120, 90, 100]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["ViT", "ResNet"]
    assert axes.get_ylabel() == "GFLOP/s"


def test_overview():
    rng = np.random.default_rng(0)
    picture, weights = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8), rng.random((2, 6, 6))
    figure = viz.overview(picture, 4, weights, np.array([0.1, 0.6, 0.3]), ("cat", "dog", "frog"))
    first, patches, attention, looking, answer = figure.axes
    assert len(patches.images) == 6
    np.testing.assert_array_equal(patches.images[4].get_array(), picture[4:8, 4:8])
    np.testing.assert_allclose(attention.images[0].get_array(), weights.mean(0))
    np.testing.assert_allclose(looking.images[1].get_array(), weights.mean((0, 1)).reshape(2, 3))
    assert [label.get_text() for label in answer.get_yticklabels()] == ["cat", "frog", "dog"]


def test_seed_dots():
    figure = viz.figure.new_figure(6, 3)
    axes = figure.add_subplot()
    viz.seed_dots(axes, {"first": [1.0, 2.0, 6.0], "second": [4.0]}, label="a seed", shift=0.25)
    dots, mean, single, _ = axes.lines
    assert dots.get_xdata().tolist() == [1, 2, 6]
    assert dots.get_ydata().tolist() == [0.25] * 3
    assert mean.get_xdata() == [3]
    assert single.get_ydata().tolist() == [1.25]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    assert axes.get_ylim() == (1.5, -0.5)
    assert axes.get_legend_handles_labels()[1] == ["a seed"]
