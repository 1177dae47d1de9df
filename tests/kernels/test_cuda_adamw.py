"""AdamW for all parameters in one launch: equal to the steps on the CPU, also captured in a graph."""

import numpy as np
import pytest

from minivit import Tensor
from minivit.backend import to_device
from minivit.kernels import cuda
from minivit.kernels.cuda.launch import Kernels
from minivit.train import AdamW
from minivit.train.optim.muon import Muon
from tests import cuda_streams, cupy_stand_in
from tests.kernels.comparison import assert_close, draw

SHAPES = [(7, 5), (), (300,), (0, 3), (2, 3, 4), (1000, 3)]


def parameters_on(device, arrays):
    return [Tensor(to_device(array, device), requires_grad=True) for array in arrays]


def optimiser_on(device, arrays, **settings):
    """Every second parameter is spared by the decay."""
    parameters = parameters_on(device, arrays)
    return AdamW([{"params": parameters[::2], "weight_decay": 0.1}, {"params": parameters[1::2], "weight_decay": 0.0}],
                 lr=1e-2, betas=(0.9, 0.99), eps=1e-4, **settings)


def set_gradients(optimiser, step):
    """Every fifth parameter has none in the second step."""
    rng = np.random.default_rng(step)
    for index, parameter in enumerate(optimiser.parameters):
        gradient = to_device(np.asarray(draw(rng, *parameter.shape)), parameter.device)
        parameter.grad = None if step == 1 and index % 5 == 2 else gradient


def assert_same(one, other):
    np.testing.assert_array_equal(one.steps, other.steps)
    for ours, theirs in zip(all_numbers(one), all_numbers(other), strict=True):
        assert_close(ours, theirs)


def all_numbers(optimiser):
    """The weights of all parameters, their means, and their squares, each in one array."""
    state = optimiser.state_dict()
    yield np.concatenate([parameter.numpy().reshape(-1) for parameter in optimiser.parameters])
    for name in optimiser.state_names:
        yield np.concatenate([state[f"{name}.{index}"].reshape(-1) for index in range(len(optimiser.parameters))])


@pytest.mark.parametrize("shapes", [SHAPES, [(3,)], 30 * SHAPES])
def test_steps_are_the_cpus(xp, rng, shapes):
    arrays = [np.asarray(draw(rng, *shape)) for shape in shapes]
    ours, theirs = optimiser_on("cuda", arrays), optimiser_on("cpu", arrays)
    assert ours.all_at_once
    for step in range(4):
        for optimiser in (ours, theirs):
            optimiser.lr = 0.01 * (step + 1)
            set_gradients(optimiser, step)
            optimiser.step()
    assert_same(ours, theirs)


def test_weights_may_be_replaced_between_steps(xp, rng):
    arrays = [np.asarray(draw(rng, *shape)) for shape in SHAPES]
    ours, theirs = optimiser_on("cuda", arrays), optimiser_on("cpu", arrays)
    for optimiser in (ours, theirs):
        set_gradients(optimiser, 0)
        optimiser.step()
        for parameter in optimiser.parameters:
            parameter.data = to_device(2 * parameter.numpy().T, parameter.device).T  # also in another order of axes
        resumed = AdamW(optimiser.parameters, lr=1.0)
        resumed.load_state_dict(optimiser.state_dict())
        optimiser.load_state_dict(resumed.state_dict())
        set_gradients(optimiser, 2)
        optimiser.step()
    assert_same(ours, theirs)


def test_a_captured_step_can_be_repeated_with_other_learning_rates(xp, rng):
    arrays = [np.asarray(draw(rng, *shape)) for shape in SHAPES if 0 not in shape]
    ours, theirs = optimiser_on("cuda", arrays), optimiser_on("cpu", arrays)
    for optimiser in (ours, theirs):
        set_gradients(optimiser, 0)
        optimiser.step()
    pool = xp.cuda.MemoryPool()
    with xp.cuda.Stream(non_blocking=True) as stream:
        with xp.cuda.using_allocator(pool.malloc):
            stream.begin_capture()
            ours.change()
            graph = stream.end_capture()
        for step in range(1, 4):
            for optimiser in (ours, theirs):
                optimiser.lr = 0.01 * (step + 1)
                optimiser.count()
            graph.launch()
            theirs.change()
        stream.synchronize()
    assert_same(ours, theirs)


def test_one_launch_for_all_that_fit_into_its_arguments(xp, rng, monkeypatch):
    launched, launch = [], Kernels.launch
    monkeypatch.setattr(Kernels, "launch", lambda self, name, *rest: (launched.append(name), launch(self, name, *rest)))
    for count, launches in ((1, 1), (80, 1), (81, 2)):
        optimiser = optimiser_on("cuda", [draw(rng, 3)] * count)
        set_gradients(optimiser, 0)
        optimiser.step()
        assert launched == launches * ["adamw_together"]
        launched.clear()


def test_nothing_beside_the_arrays_is_written(xp, rng):
    memory, gradients = (to_device(draw(rng, 1000), "cuda") for _ in range(2))
    before = memory.get()
    places = [slice(100, 101), slice(110, 400), slice(500, 756), slice(900, 990)]
    together = cuda.AdamWAllAtOnce(xp, 4 * [{"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}])
    together.prepare(4 * [0.1], [1, 2, 3, 4])
    means = [(xp.zeros(place.stop - place.start, np.float32), xp.ones(place.stop - place.start, np.float32))
             for place in places]
    together([(i, (memory[place], gradients[place], *means[i])) for i, place in enumerate(places)])
    changed = np.zeros(1000, bool)
    for place in places:
        changed[place] = True
    np.testing.assert_array_equal(memory.get() != before, changed)


def test_what_no_kernel_can_take_goes_its_own_way(xp, rng, monkeypatch):
    assert not AdamW(parameters_on("cpu", [draw(rng, 3)])).all_at_once
    assert not AdamW(parameters_on("cuda", [rng.standard_normal(3)])).all_at_once
    assert not AdamW(parameters_on("cuda", [draw(rng, 3)]) + parameters_on("cpu", [draw(rng, 3)])).all_at_once
    assert not Muon([{"params": parameters_on("cuda", [draw(rng, 3, 3)]), "orthogonal": True}]).all_at_once
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    assert not AdamW(parameters_on("cuda", [draw(rng, 3)])).all_at_once


def test_a_step_reads_nothing_back_and_sends_one_small_array(xp, rng):
    if xp is not cupy_stand_in.CUPY:
        pytest.skip("the stand-in counts")
    optimiser = optimiser_on("cuda", [draw(rng, 30, 40) for _ in range(10)])
    set_gradients(optimiser, 0)
    cuda_streams.TRAFFIC.clear()
    optimiser.step()
    assert cuda_streams.TRAFFIC == {"to the device": 1, "bytes to the device": 10 * 7 * 4}
