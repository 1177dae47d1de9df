"""Training on a GPU: steps that are captured as a graph end as those that are not, and nobody waits in between."""

import signal
import warnings
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, create
from minivit.backend import to_device
from minivit.nn.randomness import RandomSource
from minivit.tasks.classify import Classify
from minivit.train import Run, graph, resume, train
from minivit.train.graph import WARM_UP, Captured
from minivit.train.threads import Threads
from minivit.train.trainer import Diverged, Trainer
from tests import cuda_streams
from tests.cuda_streams import TRAFFIC
from tests.train.runs import assert_same_end, batches_of
from tests.train.test_loop import stop_at

SMALL = {"vit": {"dim": 16, "depth": 1, "heads": 2, "dropout": 0.1, "drop_path": 0.1, "patch_size": 8},
         "deit": {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8},
         "swin": {"dim": 8, "depths": (2, 2), "heads": (1, 2)}, "resnet": {"width": 4}}


@pytest.fixture
def recipe(recipe):
    return replace(recipe, device="cuda", threads=1, settings=SMALL["vit"], optimiser="adamw", lr=1e-3)


@pytest.fixture
def graphs(gpu, monkeypatch):
    """The graphs that were launched."""
    launched = []

    class Graph(cuda_streams.Graph):
        def launch(self, stream=None):
            launched.append(self)
            super().launch(stream)
    monkeypatch.setattr(cuda_streams, "Graph", Graph)
    return launched


def trained(recipe, folder, monkeypatch, captured=True):
    """A run, whose warnings are errors."""
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        patch.setattr(graph, "switched_off", lambda: not captured)
        return train(recipe, folder)[1]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "muon"])
def test_captured_and_replayed_is_the_same_run(small_data, recipe, graphs, tmp_path, monkeypatch, optimiser):
    recipe = replace(recipe, optimiser=optimiser)
    expected = trained(recipe, tmp_path / "one by one", monkeypatch, captured=False)
    assert not graphs
    run = trained(recipe, tmp_path / "captured", monkeypatch)
    assert len(graphs) == 2 * (recipe.steps - WARM_UP)  # the gradient, and the average
    assert len(set(graphs)) == 2
    assert_same_end(run, expected)


@pytest.mark.parametrize("settings", [
    {"agc": 0.02}, {"agc": 0.02, "clip": None, "optimiser": "sam", "optimiser_settings": {"base": "adamw"}},
    {"optimiser": "sam", "model": "resnet", "settings": SMALL["resnet"]}], ids=["agc", "agc and sam", "sam"])
def test_units_are_clipped_and_hills_are_climbed_in_graphs_as_well(
        small_data, recipe, graphs, tmp_path, monkeypatch, settings):
    recipe = replace(recipe, steps=6, batch_size=10, **settings)
    expected = trained(recipe, tmp_path / "one by one", monkeypatch, captured=False)
    assert_same_end(trained(recipe, tmp_path / "captured", monkeypatch), expected)
    assert len(set(graphs)) == (3 if recipe.optimiser == "sam" else 2)


@pytest.mark.parametrize("model", ["deit", "swin", "resnet"])
def test_other_models_can_be_captured(small_data, recipe, graphs, tmp_path, monkeypatch, model):
    recipe = replace(recipe, model=model, settings=SMALL[model], steps=6, batch_size=10,
                     task_settings=recipe.task_settings | {"mixup": 0.0})
    expected = trained(recipe, tmp_path / "one by one", monkeypatch, captured=False)
    assert_same_end(trained(recipe, tmp_path / "captured", monkeypatch), expected)
    assert graphs


@pytest.mark.parametrize("step", [1, 5, 11])
def test_interrupted_and_resumed_is_the_same_run(small_data, recipe, graphs, tmp_path, monkeypatch, step):
    expected = trained(recipe, tmp_path / "never stopped", monkeypatch)
    with monkeypatch.context() as patch:
        stop_at(patch, step, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt, match=f"checkpoint of step {step + 1}"):
            train(recipe, tmp_path / "run")
    _, run = resume(tmp_path / "run")
    assert_same_end(run, expected)


def test_it_is_the_run_of_the_cpu(small_data, recipe, gpu, tmp_path):
    recipe = replace(recipe, settings=SMALL["deit"], model="deit", steps=5, evaluations=1)
    ours, theirs = (train(replace(recipe, device=device), tmp_path / device)[1] for device in ("cpu", "cuda"))
    for one, other in zip(ours.metrics(), theirs.metrics(), strict=True):
        assert one["loss" if "loss" in one else "test_loss"] == pytest.approx(
            other["loss" if "loss" in other else "test_loss"], rel=1e-4)


@pytest.mark.parametrize("settings", [
    {"augmentation": []}, {"augmentation": [("random_crop", {}), ("random_flip", {})]},
    {"augmentation": [], "agc": 0.02, "optimiser": "sam", "optimiser_settings": {"base": "adamw"}}],
    ids=["plain", "augmented", "agc and sam"])
def test_a_step_waits_for_the_numbers_of_the_one_before_and_for_nothing_else(small_data, recipe, gpu, settings):
    recipe = replace(recipe, batch_size=20, **settings)
    task = Classify(create("vit", "cifar", **recipe.settings), **recipe.task_settings).to("cuda")
    with Threads(1) as threads, batches_of(small_data[0], recipe, 0.5, 0.25, task) as batches:
        trainer = Trainer(task, recipe, batches, threads)
        for _ in range(WARM_UP + 3):
            trainer.step()
        for _ in range(3):
            batches.ahead[1].result()
            TRAFFIC.clear()
            trainer.step()
            batches.ahead[1].result()
            assert (TRAFFIC["to the host"], TRAFFIC["waits"]) == (1, 1)
            assert TRAFFIC["bytes to the device"] < 400 * batches.size
        assert trainer.meter.steps == trainer.done - 1
        trainer.read_numbers()
        assert trainer.meter.steps == trainer.done


def test_what_waits_is_not_captured_and_training_goes_on(small_data, recipe, graphs, tmp_path, monkeypatch):
    expected = trained(recipe, tmp_path / "one by one", monkeypatch, captured=False)

    def classify_and_look(self, images, targets, classify=Classify.loss):
        loss, numbers = classify(self, images, targets)
        return loss, numbers if loss.item() else None
    monkeypatch.setattr(Classify, "loss", classify_and_look)
    with pytest.warns(UserWarning, match=r"runs operation by operation, .*: the current stream is capturing") as warned:
        _, run = train(recipe, tmp_path / "run")
    assert len([w for w in warned if "operation by operation" in str(w.message)]) == 1
    assert_same_end(run, expected)


def test_without_products_that_can_be_captured_the_warning_names_the_remedy(
        small_data, recipe, gpu, tmp_path, monkeypatch):
    expected = trained(recipe, tmp_path / "one by one", monkeypatch, captured=False)
    monkeypatch.setattr(cuda_streams, "CUBLAS", {"matmul"})
    with pytest.warns(UserWarning, match="cuBLAS .*nvmath-python .*requirements-gpu.txt"):
        _, run = train(recipe, tmp_path / "run")
    assert_same_end(run, expected)


def test_minivit_kernels_0_switches_it_off(small_data, recipe, graphs, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    assert Captured(abs, []).gave_up


def test_a_loss_that_is_not_finite_is_found_before_anything_is_saved(small_data, recipe, gpu, tmp_path, monkeypatch):
    calls = []

    def classify_and_spoil(self, images, targets, classify=Classify.loss):
        calls.append(self)
        loss, numbers = classify(self, images, targets)
        return (loss * np.nan if len(calls) == 3 else loss), numbers
    monkeypatch.setattr(Classify, "loss", classify_and_spoil)
    with pytest.raises(Diverged, match=r"loss is nan .* at step 2 .*checkpoint of step 2"):
        train(recipe, tmp_path / "run", save_every=1e-9)
    state, states = Run(tmp_path / "run").load_checkpoint()
    assert state["step"] == 2
    assert all(np.isfinite(array).all() for arrays in states.values() for array in arrays.values())


@pytest.fixture
def weight(gpu):
    return Tensor(to_device(np.ones(3, np.float32), "cuda"))


def call(captured, *values, seed=0):
    return captured(*(to_device(np.float32(value), "cuda") for value in values), seed=seed).get()


def test_another_batch_size_runs_by_itself(gpu, weight, graphs):
    captured = Captured(lambda x: x * weight.data, [weight])
    for size in (3, 3, 3, 3, 3, 1, 3):
        np.testing.assert_array_equal(call(captured, np.full(size, 2.0)), [2, 2, 2])
    assert len(graphs) == 3


def test_a_weight_that_is_replaced_is_noticed(gpu, weight, graphs):
    captured = Captured(lambda x: x * weight.data, [weight])
    for _ in range(6):
        call(captured, 2)
    weight.data = to_device(np.full(3, 5, np.float32), "cuda")
    np.testing.assert_array_equal(call(captured, 2), [10, 10, 10])
    weight.mutable()[...] = 7
    np.testing.assert_array_equal(call(captured, 2), [14, 14, 14])
    assert len(set(graphs)) == 2


def test_what_depends_on_a_number_of_pythons_is_noticed(gpu, weight):
    calls = []

    def function(x):
        calls.append(x)
        return x * len(calls)
    captured = Captured(function, [weight])
    with pytest.warns(UserWarning, match="its replay gives other numbers"):
        results = [call(captured, 1) for _ in range(WARM_UP + 1)]
    assert results == [1, 2, 3, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(captured, 1) > results[-1]


def test_what_is_changed_in_place_changes_once_a_call(gpu, weight):
    def double(x):
        weight.mutable()[...] *= x
    captured = Captured(double, [weight])
    for _ in range(WARM_UP + 3):
        captured(to_device(np.float32([2, 2, 2]), "cuda"))
    np.testing.assert_array_equal(weight.numpy(), np.full(3, 2.0 ** (WARM_UP + 3)))


def test_random_numbers_depend_on_the_seed_alone(gpu, weight):
    source = RandomSource()

    def draw(x):
        return x + source.generator("cuda").random(4)
    captured, one_by_one = Captured(draw, [weight]), Captured(draw, [weight])
    one_by_one.gave_up = True
    for seed in [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 2), (1, 4)]:
        np.testing.assert_array_equal(call(captured, 0, seed=seed), call(one_by_one, 0, seed=seed))
    assert not captured.gave_up


@pytest.mark.parametrize(("ours", "expected"), [
    ([[1.0, 2.0], [1e-9]], True), ([[1.0005, 2.0], [0.0]], True), ([[1.0, 2.01], [1e-9]], False),
    ([[np.nan, 2.0], [1e-9]], False), ([[1.0, 2.0], None], False)])
def test_rounding_is_told_from_other_numbers(ours, expected):
    theirs = [np.array([1.0, 2.0]), np.array([2e-9]), None, np.ones(0)]
    ours = [None if x is None else np.array(x) for x in ours] + [None, np.ones(0)]
    assert graph.agree(ours, theirs) is expected
