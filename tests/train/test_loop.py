"""Runs in this process: their folder, interruption at every kind of moment, failure."""

import errno
import json
import math
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest

from minivit import data
from minivit.ops import sqrt
from minivit.tasks.classify import Classify
from minivit.train import Recipe, Run, ending, load_model, loop, resume, train
from minivit.train.ending import DelayedInterrupt
from minivit.train.measure import evaluated
from minivit.train.trainer import Diverged, Trainer
from tests.train.runs import assert_same_end


@pytest.fixture
def never_stopped(small_data, recipe, tmp_path):
    return train(recipe, tmp_path / "never stopped")[1]


def stop_at(monkeypatch, step, action):
    """Do something before a step of training."""
    original = Trainer.step

    def step_or_stop(self):
        if self.done == step:
            action()
        original(self)
    monkeypatch.setattr(Trainer, "step", step_or_stop)


def test_a_run_folder(never_stopped, recipe, small_data):
    metrics, config = never_stopped.metrics(), never_stopped.config()
    assert [line["step"] for line in metrics] == [*range(1, 13), 12]
    assert [line["step"] for line in metrics if "test_accuracy" in line] == [4, 8, 12]
    assert metrics[3]["test_pictures"] == 20
    assert metrics[-1] == never_stopped.result()
    assert np.sum(metrics[-1]["confusion"]) == metrics[-1]["test_pictures"] == 60
    assert np.trace(metrics[-1]["confusion"]) / 60 == pytest.approx(metrics[-1]["test_accuracy"])
    assert metrics[-1]["epoch"] == 3
    assert Recipe.from_dict(config["recipe"]).to_dict() == json.loads(json.dumps(recipe.to_dict()))
    assert config["data"]["classes"] == list(small_data[0].classes)
    assert sorted(path.name for path in never_stopped.folder.iterdir()) == [
        "checkpoint.safetensors", "config.json", "metrics.jsonl", "run.lock"]


def test_the_model_has_the_averaged_weights_that_were_tested(small_data, recipe, tmp_path):
    model, run = train(recipe, tmp_path / "run")
    states = run.load_checkpoint()[1]
    loaded = load_model(run)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, states["average"][f"model.{name}"])
        np.testing.assert_array_equal(array, loaded.state_dict()[name])
    assert any((states["task"][name] != states["average"][name]).any() for name in states["task"])


@pytest.mark.parametrize("step", [0, 1, 4, 7, 11])
def test_killed_and_resumed_is_the_same_run(never_stopped, recipe, tmp_path, monkeypatch, step):
    """A crash at any step: what was written after the last checkpoint is written again, once."""
    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    def save_sometimes(self, run, save=Trainer.save):
        if self.done % 3 == 0:
            save(self, run)
    with monkeypatch.context() as patch:
        stop_at(patch, step, kill)
        patch.setattr(Trainer, "save", save_sometimes)
        with pytest.raises(Killed):
            train(recipe, tmp_path / "killed", save_every=1e-9)
    run = Run(tmp_path / "killed")
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 99, "lo')  # the line that was being written
    model, run = resume(run.folder)
    assert_same_end(run, never_stopped)
    assert model.training is False


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(never_stopped, recipe, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(patch, 5, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt, match="has the checkpoint of step 6; go on with: python -m"):
            train(recipe, tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    _, run = resume(tmp_path / "run")
    assert_same_end(run, never_stopped)


def test_ctrl_c_during_the_last_test_loses_only_the_test(never_stopped, recipe, tmp_path, monkeypatch):
    def interrupted(*args, tables=False, **settings):
        if tables:  # asked for at the end alone
            raise KeyboardInterrupt
        return evaluated(*args, **settings)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "evaluated", interrupted)
        with pytest.raises(ending.Stopped, match="step 12"):
            train(recipe, tmp_path / "run")
    _, run = resume(tmp_path / "run")
    assert_same_end(run, never_stopped)


def test_a_second_ctrl_c_stops_at_once():
    with DelayedInterrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_interrupts_are_left_alone_in_other_threads():
    def enter():
        with DelayedInterrupt() as interrupt:
            states.append(interrupt.installed)
    states = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert states == [False]


def test_resuming_a_complete_run_changes_nothing(never_stopped):
    before = {path: path.read_bytes() for path in never_stopped.folder.iterdir()}
    model, _ = resume(never_stopped.folder)
    assert {path: path.read_bytes() for path in never_stopped.folder.iterdir()} == before
    assert len(model.parameters()) > 0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("spoil", "said"), [
    (lambda loss, weight: loss * math.nan, "loss is nan"),
    (lambda loss, weight: loss * math.inf, "loss is inf"),
    (lambda loss, weight: loss + sqrt(weight * 0).sum(), r"loss is 2\.\d+ and the norm of its gradient nan"),
])
def test_a_loss_or_gradient_that_is_not_finite_stops_the_run(small_data, recipe, tmp_path, monkeypatch, spoil, said):
    done = []

    def count(self, steps, of):
        done.append(steps)

    def classify_and_spoil(self, images, targets, classify=Classify.loss):
        loss, numbers = classify(self, images, targets)
        return spoil(loss, self.model.head.weight) if done[-1:] == [4] else loss, numbers
    monkeypatch.setattr(Classify, "after_step", count)
    monkeypatch.setattr(Classify, "loss", classify_and_spoil)
    with pytest.raises(Diverged, match=rf"{said}.* at step 4 .*smaller learning rate.*checkpoint of step 4"):
        train(recipe, tmp_path / "run", save_every=1e-9)
    state, states = Run(tmp_path / "run").load_checkpoint()
    assert state["step"] == 4
    assert all(np.isfinite(array).all() for arrays in states.values() for array in arrays.values())


@pytest.mark.parametrize("what", ["save_checkpoint", "log"])
def test_a_full_disk_stops_the_run_and_loses_nothing(never_stopped, recipe, tmp_path, monkeypatch, what):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        stop_at(patch, 6, lambda: patch.setattr(Run, what, fail))
        with pytest.raises(OSError, match=r"run cannot be written: No space left on device\. .*checkpoint of step 6"):
            train(recipe, tmp_path / "run", save_every=1e-9)
    _, run = resume(tmp_path / "run")
    assert_same_end(run, never_stopped)


@pytest.mark.parametrize("said", ["", "Out of memory allocating 8 bytes"])
def test_out_of_memory_names_the_batch_size_and_what_is_kept(small_data, recipe, tmp_path, monkeypatch, said):
    def fail():
        raise MemoryError(said)
    stop_at(monkeypatch, 3, fail)
    with pytest.raises(MemoryError, match=f"{said or 'no memory is left'}; batches of 50 pictures are too large for "
                                          "device 'cpu': begin a new run with --batch-size 25. .*checkpoint of step 3"):
        train(recipe, tmp_path / "run", save_every=1e-9)


def test_a_folder_that_cannot_be_made_or_is_taken(never_stopped, small_data, recipe, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        train(recipe, tmp_path / "file" / "run")
    with pytest.raises(ValueError, match=r"holds a run; take another folder, or go on with: python -m minivit train"):
        train(recipe, never_stopped.folder)


def test_no_run_and_no_checkpoint(never_stopped, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"elsewhere: no run in this folder .*there are .*never stopped"):
        resume(tmp_path / "elsewhere")
    never_stopped.checkpoint_path.unlink()
    with pytest.raises(FileNotFoundError, match="has no checkpoint yet; go on with"):
        load_model(never_stopped)


def test_other_data_than_at_the_start_are_refused(never_stopped, recipe, sets, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name: (sets[1], sets[0]))
    metrics = never_stopped.folder / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="shapes10 is not what it was when the run began"):
        resume(never_stopped.folder)


def test_a_damaged_config_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: not the config of a run"):
        Run(tmp_path).recipe()


def test_a_folder_with_spaces_is_quoted(tmp_path):
    assert Run("my runs").resume_command() == 'python -m minivit train --resume "my runs"'


def test_epochs_are_counted_in_full_batches(small_data, recipe, tmp_path):
    _, run = train(replace(recipe, steps=None, epochs=1.5, batch_size=60), tmp_path / "run")
    assert run.recipe().steps == round(1.5 * (200 // 60))


def test_minutes_are_measured_once_and_the_run_can_be_repeated(small_data, recipe, tmp_path):
    recipe = replace(recipe, steps=None, minutes=2 / 60)
    _, run = train(recipe, tmp_path / "measured")
    fixed = run.recipe()
    assert fixed.steps > 1
    assert fixed.minutes == recipe.minutes
    _, again = train(fixed, tmp_path / "again")
    assert_same_end(run, again)


def test_more_pictures_in_a_batch_than_there_are(small_data, recipe, tmp_path):
    _, run = train(replace(recipe, batch_size=500, steps=2, evaluation_size=500), tmp_path / "run")
    assert run.result()["epoch"] == 2


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_other_optimisers(small_data, recipe, tmp_path, optimiser):
    _, run = train(replace(recipe, optimiser=optimiser, average=None, steps=3, clip=None), tmp_path / "run")
    assert run.load_checkpoint()[1].keys() == {"task", "optimiser"}


def test_it_learns_by_heart(sets, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name: (sets[0].subset(slice(40)), sets[1]))
    recipe = replace(recipe, settings={"dim": 32, "depth": 2, "heads": 2, "patch_size": 8}, augmentation=[],
                     task_settings={}, average=None, steps=60, optimiser="adamw", lr=5e-3)
    _, run = train(recipe, tmp_path / "run")
    assert run.metrics()[-2]["accuracy"] > 0.9
