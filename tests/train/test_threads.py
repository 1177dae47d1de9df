"""A batch on 1, 2 and 8 threads: the same loss and gradients up to rounding, the same bits for the same number."""

import contextvars
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import minivit
from minivit import nn
from minivit.team import all_sum
from minivit.ops import cross_entropy, relu
from minivit.train import Threads


class BatchNormNet(nn.Module):
    def __init__(self):
        self.conv, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 10)

    def forward(self, images):
        return self.head(relu(self.norm(self.conv(images))).mean(axis=(1, 2)))


MODELS = {
    "layer norm": lambda: minivit.create("vit", "cifar", image_size=8, dim=12, depth=2, heads=2),
    "batch norm": BatchNormNet,
}


def gradients(model, count, *, batch=19, dropout=0.0):
    """Loss, gradients and buffers of one batch on `count` threads, in float64."""
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((batch, 8, 8, 3)), rng.integers(10, size=batch)
    model, sizes = model().initialise(3).astype(np.float64).train(), []

    def objective(images, labels):
        sizes.append(len(labels))
        return cross_entropy(model(minivit.Tensor(images)), labels), {"mean label": labels.mean()}

    with Threads(count) as threads:
        loss, numbers = threads.gradients(objective, model.parameters(), images, labels, seed=(7, 1))
    assert numbers == {"mean label": pytest.approx(labels.mean(), rel=1e-12)}
    assert sum(sizes) == batch
    assert max(sizes) - min(sizes) <= 1
    return loss, [p.grad for p in model.parameters()], [b.numpy() for _, b in model.named_buffers()]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [2, 8])
def test_any_number_of_threads_gives_the_gradients_of_one(name, count):
    alone, shared = gradients(MODELS[name], 1), gradients(MODELS[name], count)
    assert shared[0] == pytest.approx(alone[0], rel=1e-12)
    for a, b in zip(alone[1] + alone[2], shared[1] + shared[2], strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_same_number_of_threads_gives_the_same_bits(name):
    first, second = gradients(MODELS[name], 3), gradients(MODELS[name], 3)
    assert first[0] == second[0]
    for a, b in zip(first[1], second[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_dropout_depends_on_the_seed_alone():
    model = nn.Sequential(nn.Linear(5, 5), nn.Dropout(0.5))

    def loss(seed):
        with Threads(2) as threads:
            return threads.gradients(lambda x: ((model(minivit.Tensor(x)) ** 2).mean(), {}), model.parameters(),
                                     np.ones((9, 5), np.float32), seed=seed)[0]
    assert loss((1, 2)) == loss((1, 2))
    assert loss((1, 2)) != loss((1, 3))


def test_fewer_pictures_than_threads():
    alone, shared = gradients(MODELS["layer norm"], 1, batch=3), gradients(MODELS["layer norm"], 8, batch=3)
    assert shared[0] == pytest.approx(alone[0], rel=1e-12)


@pytest.mark.parametrize("batch", [(np.ones((0, 3)),), (np.ones((4, 3)), np.ones(3))])
def test_a_batch_is_not_empty_and_its_arrays_are_of_one_length(batch):
    with Threads(2) as threads, pytest.raises(ValueError, match="batch: expected arrays of one length, 1 or more"):
        threads.gradients(lambda *share: None, [], *batch, seed=(0,))


def test_a_count_of_threads_is_a_whole_number():
    with Threads(np.int64(2)) as threads:
        assert threads.map(len, ["ab"]) == [2]
    with pytest.raises(TypeError, match="integer"):
        Threads(2.5)


def test_an_error_in_one_share_surfaces_as_it_is():
    def objective(x):
        if x[0] == 2:
            raise ZeroDivisionError("share 1")
        return minivit.Tensor(all_sum(x)), {}  # waits for the others

    with Threads(3) as threads, pytest.raises(ZeroDivisionError, match="share 1"):
        threads.gradients(objective, [], np.arange(6), seed=(0,))


def test_map_keeps_the_order_and_the_context():
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(5)
    with Threads(3) as threads:
        assert threads.map(lambda x: x * variable.get(), range(10)) == [5 * x for x in range(10)]
        names = set(threads.map(lambda x: threading.current_thread().name, range(50)))
        assert len(names) <= 3
        assert threads.map(len, []) == []


def test_blas_threads_are_limited_inside_and_restored_outside():
    def counts():
        return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]
    before = counts()
    with Threads(2):
        assert set(counts()) <= {1}
    assert counts() == before
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Threads(0)
