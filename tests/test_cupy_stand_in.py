"""The stand-in has to refuse what CuPy refuses; run on a GPU, these tests hold for CuPy itself."""

import contextlib
import functools

import numpy as np
import pytest

from minivit.backend import module_for
from tests import cupy_stand_in


@pytest.fixture
def xp(device):
    if device == "cpu":
        pytest.skip("about CuPy")
    return module_for(device)


HOST = np.ones(3)
USED = """
    ndarray.get copyto get_default_memory_pool random.Generator random.Philox4x3210 cuda.Stream.begin_capture
    cuda.Stream.end_capture cuda.Stream.record cuda.Graph.launch cuda.MemoryPool.malloc cuda.using_allocator
    cuda.alloc_pinned_memory cuda.get_current_stream cuda.runtime.memGetInfo
    """


@pytest.mark.parametrize("mix", [
    lambda xp, x: x + HOST, lambda xp, x: HOST + x, lambda xp, x: x @ HOST, lambda xp, x: x == HOST,
    lambda xp, x: xp.exp(HOST), lambda xp, x: xp.concatenate([x, HOST]), lambda xp, x: xp.maximum(x, HOST),
    lambda xp, x: x.__iadd__(HOST), lambda xp, x: np.add(x, HOST), lambda xp, x: np.asarray(x),
    lambda xp, x: xp.where(x > 0, x, HOST), lambda xp, x: HOST.__iadd__(x),
])
def test_host_and_device_do_not_mix(xp, mix):
    with pytest.raises(TypeError):
        mix(xp, xp.ones(3))


def test_what_is_brought_to_the_device_is_copied_once(xp):
    host = np.ones(3)
    x = xp.asarray(host)
    host[:] = 0
    np.testing.assert_array_equal(x.get(), [1, 1, 1])
    assert xp.asarray(x) is x


def test_nothing_is_a_scalar(xp):
    x = xp.asarray(HOST)
    for y in (x.sum(), x[0], xp.max(x), x.mean(axis=0)):
        assert isinstance(y, xp.ndarray)
        assert y.shape == ()
    assert float(x.sum()) == 3
    assert isinstance(x.shape[0], int)


def test_there_is_no_writeable_flag(xp):
    assert xp.ones(3).flags.c_contiguous
    with pytest.raises(AttributeError):
        _ = xp.ones(3).flags.writeable


def test_what_cupy_lacks_is_missing(xp):
    for name in ("errstate", "einsum_path", "vecdot"):
        assert not hasattr(xp, name)
    assert not hasattr(xp.ones(3), "setflags")
    assert not hasattr(xp.random.default_rng(0), "permutation")


def test_numpys_functions_come_back_to_the_device(xp):
    for y in (np.exp(xp.ones(3)), np.sum(xp.ones(3)), np.float64(2) * xp.ones(3)):
        assert isinstance(y, xp.ndarray)


def test_indices_may_come_from_the_host(xp):
    x = xp.arange(6).reshape(2, 3)
    assert x[np.array([1, 0])].shape == (2, 3)
    assert xp.take(x, np.array([0]), 1).shape == (2, 1)


def test_assignment_and_in_place_operators_write(xp):
    x = xp.zeros((2, 2))
    x[0] = xp.ones(2)
    x[:, 1] += 2
    y = x
    y *= 2
    assert y is x
    np.testing.assert_array_equal(x.get(), [[2, 6], [0, 4]])


@pytest.fixture
def capturing(xp):
    """A stream that captures, with a pool of its own; not left before the test has ended."""
    pool, stream = xp.cuda.MemoryPool(), xp.cuda.Stream(non_blocking=True)
    with stream, xp.cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        yield stream, pool
        if stream.is_capturing():
            with contextlib.suppress(Exception):
                stream.end_capture()


@pytest.fixture
def x(xp):
    return xp.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("host_waits", [
    lambda xp, x: x.get(), lambda xp, x: float(x.sum()), lambda xp, x: bool(x[0, 0] > 0), lambda xp, x: x.tolist(),
    lambda xp, x: xp.asarray(HOST), lambda xp, x: x[np.array([1, 0])], lambda xp, x: x[x > 0],
    lambda xp, x: xp.nonzero(x), lambda xp, x: xp.bincount(xp.arange(3)), lambda xp, x: x.__setitem__(x > 0, 1),
    lambda xp, x: xp.stack([x] * 9), lambda xp, x: x @ x.T, lambda xp, x: xp.cuda.get_current_stream().synchronize(),
])
def test_what_cannot_be_captured(x, capturing, xp, host_waits):
    with pytest.raises(RuntimeError):
        host_waits(xp, x)


def test_a_graph_works_on_the_memory_that_it_was_captured_with(x, capturing, xp):
    stream, pool = capturing
    y, view, z = x * 2, x[0], xp.empty((2, 3), np.float32)
    xp.add(y, 1, out=z)
    z[1] = view
    total = z.sum()
    z += total
    graph = stream.end_capture()
    for values in (0, 1):
        x[...] = values
        graph.launch()
        expected = np.full((2, 3), values, np.float32)
        expected[0] = 2 * values + 1
        np.testing.assert_array_equal(total.get(), expected.sum())
        np.testing.assert_array_equal(z.get(), expected + expected.sum())


def test_nothing_is_computed_while_a_graph_is_captured(x, capturing, xp):
    stream, _ = capturing
    x += 1
    y = x + 1
    stream.end_capture()
    np.testing.assert_array_equal(x.get().ravel(), range(6))
    if xp is cupy_stand_in.CUPY:
        assert np.isnan(y.get()).all()


@pytest.fixture
def generator(xp):
    return xp.random.Generator(xp.random.Philox4x3210(7))


def test_a_generator_draws_anew_in_each_replay_from_a_state_that_can_be_set(generator, capturing, xp):
    stream, _ = capturing
    draw = generator.random(5)
    graph, drawn = stream.end_capture(), []
    for seed in (7, None, 7):
        if seed:
            fresh = xp.random.Generator(xp.random.Philox4x3210(seed))
            generator.bit_generator._state[...] = fresh.bit_generator._state
        graph.launch()
        drawn.append(draw.get())
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert (drawn[0] != drawn[1]).all()


def test_a_graph_without_memory_of_its_own_is_refused_by_the_stand_in(xp, x):
    if xp is not cupy_stand_in.CUPY:
        pytest.skip("CuPy lets it pass, and other arrays are overwritten")
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        y = x + 1
        graph = stream.end_capture()
    with pytest.raises(RuntimeError, match="may be somebody else's"):
        graph.launch()
    assert y.shape == x.shape


def test_what_is_read_without_waiting_is_there_after_an_event(xp, x):
    memory = xp.cuda.alloc_pinned_memory(x.nbytes)
    host = np.frombuffer(memory, x.dtype, x.size).reshape(x.shape)
    x.get(out=host, blocking=False)
    arrived = xp.cuda.get_current_stream().record()
    if xp is cupy_stand_in.CUPY:
        assert np.isnan(host).all()
    x[...] = 0
    arrived.synchronize()
    np.testing.assert_array_equal(host.ravel(), range(6))


def test_what_training_uses_is_there_in_cupy():
    cupy = pytest.importorskip("cupy")
    for name in USED.split():
        assert functools.reduce(getattr, name.split("."), cupy) is not None
