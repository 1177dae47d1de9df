"""The contract between tasks and the loop: threads, interruption, capture, teachers, what is taken over."""

import textwrap
from dataclasses import replace

import numpy as np
import pytest

from minivit import Tensor, data, tasks
from minivit.data.features import nearest_class
from minivit.tasks import Task, find_task, follow, freeze, knn_accuracy, list_tasks, slow_copy
from minivit.tasks import task as task_module
from minivit.train import Run, start
from tests.tasks.contract import RECIPE, check_captured, check_resume, check_threads, trained
from tests.tasks.tiny_tasks import Contrast, Detect, Frozen, SelfDistillation, tiny_vit

TASKS = [SelfDistillation, Contrast, Detect]


@pytest.mark.parametrize("make", TASKS)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_interrupted_and_resumed_ends_with_the_same_bits(make, threads, sets, tmp_path):
    check_resume(make, threads, sets, tmp_path / "run")


@pytest.mark.parametrize("make", TASKS)
def test_any_number_of_threads_computes_the_loss_and_gradient_of_one(make, sets):
    check_threads(make, sets)


class NotCaptured(SelfDistillation):
    capturable = False


@pytest.mark.parametrize("make", [SelfDistillation, NotCaptured, Contrast])
def test_a_captured_step_is_the_step(make, sets, gpu, monkeypatch):
    check_captured(make, sets, monkeypatch)


def test_what_is_frozen_is_no_parameter_any_more():
    module = Frozen().initialise(0)
    state = module.state_dict()
    assert freeze(module) is module
    assert not module.parameters()
    assert not any(buffer.requires_grad for _, buffer in module.named_buffers())
    for name, value in module.initialise(0).state_dict().items():
        np.testing.assert_array_equal(value, state[name])


def test_neighbours_are_the_other_pictures_by_what_the_head_reads(sets):
    model, samples = tiny_vit(10).initialise(0).eval(), data.Samples(sets[1], mean=0.5, std=0.25)
    vectors = model.pool(model.encode(model.embed(samples.view(np.arange(60))))).numpy()
    found = nearest_class(vectors, vectors, sets[1].labels, leave_out=True)
    over = [np.arange(25), np.arange(25, 60)]
    measured = knn_accuracy(model, samples, lambda function: [function(chosen) for chosen in over])
    assert measured == {"knn_accuracy": (found == sets[1].labels).mean()}


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


def test_drawn_anew_a_teacher_begins_as_its_student_and_a_trained_one_stays():
    task = SelfDistillation().initialise(5)
    for name, value in task.student.state_dict().items():
        np.testing.assert_array_equal(task.teacher.state_dict()[name], value)
    trained_teacher = Frozen().initialise(1)

    class Taught(Task):
        def __init__(self):
            self.student, self.teacher = Frozen(), slow_copy(trained_teacher)
    taught = Taught().initialise(9)
    for name, value in trained_teacher.state_dict().items():
        np.testing.assert_array_equal(taught.teacher.state_dict()[name], value)
    student = taught.student.state_dict()
    assert any((student[name] != value).any() for name, value in trained_teacher.state_dict().items())


def test_the_example_of_the_docstring_runs(sets):
    from minivit import ops
    code = textwrap.dedent(task_module.__doc__.split("no more about it:")[1].split("A batch is shared")[0])
    names = {"Task": Task, "np": np, "Tensor": Tensor, "cross_entropy": ops.cross_entropy}
    exec(code, names)
    task = names["TASK"].build(tiny_vit, ()).initialise(0)
    lines, _ = trained(task, sets, RECIPE)
    assert 0 <= lines[-1]["test_accuracy"] <= 1
    assert task.backbone.head.weight.shape == (16, 4)


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
    again = replace(RECIPE, task="selfdistil", settings=size, init=str(run.folder), steps=1, lr=1e-12, average=None)
    _, third = start.train(again, tmp_path / "again")
    states = third.load_checkpoint()[1]["task"]
    for name, value in first.state_dict().items():  # student and teacher begin alike
        np.testing.assert_allclose(states[f"student.{name}"], value, rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(states[f"teacher.{name}"], value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert model.head.weight.shape == (16, 10)
    with pytest.raises(ValueError, match=r"init: the weights of .*first do not fit this ViTGAP; .*\n  blocks\.0"):
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
