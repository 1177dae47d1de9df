"""The contract between tasks and the loop: threads, interruption, capture, teachers, what is taken over."""

from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, tasks
from minivit.tasks import Task, find_task, follow, list_tasks, slow_copy
from minivit.train import Recipe, Run, Threads, fit, graph, start
from tests.tasks.tiny_tasks import Contrast, Detect, Frozen, SelfDistillation
from tests.train.runs import batches_of

TASKS = [SelfDistillation, Contrast, Detect]
RECIPE = Recipe(data="shapes10", device="cpu", threads=2, steps=8, batch_size=13, optimiser="adamw", lr=1e-3,
                average=0.9, evaluations=1, evaluation_size=16)


def trained(task, sets, recipe, run=None, **settings):
    """The lines of a training, and the task's state afterwards."""
    lines = list(fit(task, sets[0], sets[1], recipe, mean=[0.5] * 3, std=[0.25] * 3, run=run, **settings))
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines], task.state_dict()


def new_run(folder, recipe):
    run = Run(folder)
    folder.mkdir()
    run.write_config(recipe)
    return run


@pytest.mark.parametrize("make", TASKS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(make, threads, sets, tmp_path):
    recipe = replace(RECIPE, threads=threads)
    expected, state = trained(make().initialise(3), sets, recipe)
    run = new_run(tmp_path / "run", recipe)
    lines = fit(make().initialise(3), *sets, recipe, mean=[0.5] * 3, std=[0.25] * 3, run=run)
    for line in lines:
        if line["step"] == 5:
            lines.close()
    _, found = trained(make().initialise(7), sets, recipe, run)  # all weights come from the checkpoint
    assert [{key: value for key, value in line.items() if key != "seconds"} for line in run.metrics()] == expected
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("make", TASKS)
def test_any_number_of_threads_computes_the_loss_and_gradient_of_one(make, sets):
    def computed(threads):
        task = make().initialise(3).astype(np.float64).train()
        with batches_of(sets[0], RECIPE, 0.5, 0.25, task) as batches:
            batch = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in batches[0]]
        with Threads(threads) as team:
            loss, numbers = team.gradients(task.loss, task.parameters(), *batch, seed=(1,))
        return [np.array(loss), *map(np.array, numbers.values()), *(p.grad for p in task.parameters()),
                *(buffer.numpy() for _, buffer in task.named_buffers())]
    alone = computed(1)
    for threads in (2, 4):
        for one, other in zip(alone, computed(threads), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


class NotCaptured(SelfDistillation):
    capturable = False


@pytest.mark.parametrize("make", [SelfDistillation, NotCaptured, Contrast])
def test_a_captured_step_is_the_step(make, sets, gpu, monkeypatch):
    recipe = replace(RECIPE, device="cuda", threads=1)
    lines, state = trained(make().initialise(3).to("cuda"), sets, recipe)
    with monkeypatch.context() as patch:
        patch.setattr(graph, "switched_off", lambda: True)
        expected_lines, expected = trained(make().initialise(3).to("cuda"), sets, recipe)
    assert lines == expected_lines
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


def test_a_teacher_follows_and_gets_no_gradient():
    fast = Frozen().initialise(0)
    slow = slow_copy(fast)
    assert not slow.parameters()
    assert [name for name, _ in slow.named_buffers()] == [name for name, _ in fast.named_parameters()]
    before = slow.state_dict()
    for parameter in fast.parameters():
        parameter.data = parameter.data + 1
    follow(slow, fast, 0.75)
    for name, value in slow.state_dict().items():
        np.testing.assert_allclose(value, before[name] + 0.25, rtol=1e-6)
    slow(Tensor(np.ones((1, 3), np.float32))).sum()
    assert slow_copy(fast).state_dict().keys() == fast.state_dict().keys()


def test_names():
    assert {"classify", "distil", "mae"} <= set(list_tasks())
    assert "task" not in list_tasks()
    for name in list_tasks():
        assert issubclass(find_task(name), Task)
    with pytest.raises(ValueError, match="did you mean 'mae'"):
        find_task("mea")


def test_the_default_test_is_the_mean_loss_of_all_pictures(sets):
    task = Contrast().initialise(0)
    lines, _ = trained(task, sets, replace(RECIPE, threads=1, average=None, steps=2))
    assert lines[-1]["test_pictures"] == 60
    assert 0 < lines[-1]["test_loss"] < np.log(60) + 1
    assert 0 <= lines[-1]["test_accuracy"] <= 1


def test_what_a_task_lacks_is_said():
    class Empty(Task):
        pass
    with pytest.raises(NotImplementedError, match="Empty: has no loss"):
        Empty().loss()
    with pytest.raises(NotImplementedError, match="Empty: says nothing about what others can take over"):
        Empty().backbone  # noqa: B018
    assert Empty().pictures(None, None) == {}


@pytest.fixture
def with_tiny_tasks(monkeypatch, small_data):
    """The tasks of these tests as if they were files of minivit/tasks."""
    own = {"selfdistil": SelfDistillation}
    monkeypatch.setattr(start, "find_task", lambda name: own.get(name) or tasks.find_task(name))
    monkeypatch.setattr("minivit.train.recipe.list_tasks", lambda: [*tasks.list_tasks(), *own])


def test_a_teacher_is_what_others_take_over(with_tiny_tasks, tmp_path):
    size = {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}
    first, run = start.train(replace(RECIPE, task="selfdistil", settings=size), tmp_path / "first")
    recipe = replace(RECIPE, settings=size, init=str(run.folder), steps=1, lr=1e-12, average=None)
    model, second = start.train(recipe, tmp_path / "second")
    for name, value in first.state_dict().items():
        np.testing.assert_allclose(model.state_dict()[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert model.head.weight.shape == (16, 10)
    with pytest.raises(ValueError, match=r"init: the weights of .*first do not fit this ViTGAP:\n  blocks\.0"):
        start.train(replace(recipe, settings=size | {"heads": 4, "mlp_dim": 8}), tmp_path / "third")
    with pytest.raises(FileNotFoundError, match="no run in this folder"):
        start.train(replace(recipe, init=str(tmp_path / "nowhere")), tmp_path / "fourth")
    assert not (tmp_path / "fourth").exists()


def test_a_run_that_began_with_other_weights_needs_them_no_more(with_tiny_tasks, tmp_path):
    size = {"dim": 16, "depth": 1, "heads": 2, "patch_size": 8}
    _, run = start.train(replace(RECIPE, settings=size, steps=2), tmp_path / "first")
    recipe = replace(RECIPE, settings=size, init=str(run.folder))
    _, expected = start.train(recipe, tmp_path / "second")
    (second := Run(tmp_path / "stopped")).folder.mkdir()
    second.write_config(**expected.config() | {"recipe": expected.recipe()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minivit.train.trainer.Trainer.step", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            start.resume(second.folder)
    run.checkpoint_path.unlink()
    _, resumed = start.resume(second.folder)
    assert resumed.result()["test_loss"] == expected.result()["test_loss"]
