"""Batch normalisation: against PyTorch in training and eval, and the same result however the batch is split."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from minivit.team import Team
from tests.ops.cases import Case, check, positive

MEAN, VAR = np.array([0.3, -1.0, 2.0, 0.0]), np.array([0.5, 1.5, 4.0, 1.0])


def torch_batch_norm(torch, x, w=None, b=None):
    return torch.nn.functional.batch_norm(x.movedim(-1, 1), None, None, w, b, True, eps=1e-5).movedim(1, -1)


def averaged(x, w=None, b=None):
    """With the running averages of above, in the dtype and on the device of x."""
    constants = [Tensor(a.astype(x.dtype)).to(x.device) for a in (MEAN, VAR)]
    return ops.batch_norm(x, w, b, *constants, eps=1e-5)


def torch_averaged(torch, x, w=None, b=None):
    return torch.nn.functional.batch_norm(
        x.movedim(-1, 1), torch.tensor(MEAN), torch.tensor(VAR), w, b, False, eps=1e-5).movedim(1, -1)


def by_any_averages(x, w, mean, var):
    return ops.batch_norm(x, w, None, mean, var, eps=1e-5)


CASES = [
    Case(ops.batch_norm, (3, 2, 5, 4), (4,), (4,), eps=1e-5, torch=torch_batch_norm),
    Case(ops.batch_norm, (6, 5, 4), (4,), eps=1e-5, torch=torch_batch_norm),
    Case(ops.batch_norm, (9, 4), eps=1e-5, torch=torch_batch_norm),
    Case(averaged, (3, 2, 5, 4), (4,), (4,), torch=torch_averaged),
    Case(averaged, (6, 4), torch=torch_averaged),
    Case(by_any_averages, (5, 3, 4), (4,), (4,), positive(4), torch=lambda torch, x, w, mean, var:
         (x - mean) / (var + 1e-5).sqrt() * w),
]


def test_op(case, device):
    check(case, device)


def test_record_gets_what_pytorchs_running_averages_are_made_of(rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((4, 3, 5, 6)) * 3 + 7
    layer = torch.nn.BatchNorm2d(6, momentum=1.0, dtype=torch.float64)
    layer(torch.tensor(x).movedim(-1, 1))
    seen = []
    ops.batch_norm(x, eps=1e-5, record=lambda *statistics: seen.append(statistics))
    (mean, var, count), = seen
    assert count == 60
    np.testing.assert_allclose(mean, layer.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(var * count / (count - 1), layer.running_var.numpy(), rtol=1e-12)


def test_a_large_mean_costs_no_digits_of_the_variance(rng):
    x = (1000 + rng.standard_normal((5000, 3))).astype(np.float32)
    statistics = []
    ops.batch_norm(x, eps=0, record=lambda *s: statistics.append(s))
    np.testing.assert_allclose(statistics[0][1], x.astype(np.float64).var(0), rtol=1e-5)


@pytest.mark.parametrize("sizes", [(3, 3), (1, 4, 2)])
def test_shards_in_threads_give_the_result_of_the_whole_batch(sizes, rng):
    x, weights = rng.standard_normal((sum(sizes), 4, 5)), rng.standard_normal((sum(sizes), 4, 5))
    w, b = rng.standard_normal((2, 5))
    team, ends = Team(len(sizes)), np.cumsum((0, *sizes))

    def run(x, weights):
        tensors, statistics = [Tensor(a, requires_grad=True) for a in (x, w, b)], []
        y = ops.batch_norm(*tensors, eps=1e-5, record=lambda *s: statistics.append(s))
        return y.numpy(), grad((y * weights).sum(), tensors), statistics[0]

    def member(rank):
        part = slice(ends[rank], ends[rank + 1])
        with team.member(rank):
            return run(x[part], weights[part])

    y, (dx, dw, db), (mean, var, count) = run(x, weights)
    with ThreadPoolExecutor(len(sizes)) as pool:
        shards = list(pool.map(member, range(len(sizes))))
    np.testing.assert_allclose(np.concatenate([s[0] for s in shards]), y, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([s[1][0] for s in shards]), dx, atol=1e-12)
    np.testing.assert_allclose(sum(s[1][1] for s in shards), dw, atol=1e-12)
    np.testing.assert_allclose(sum(s[1][2] for s in shards), db, atol=1e-12)
    for shard in shards:
        np.testing.assert_allclose(shard[2][0], mean, atol=1e-14)
        np.testing.assert_allclose(shard[2][1], var, atol=1e-14)
        assert shard[2][2] == count


def test_wrong_shapes_are_refused_with_numbers():
    with pytest.raises(ValueError, match=r"batch_norm: x \(2, 4\) needs a bias of shape \(4,\), got \(3,\)"):
        ops.batch_norm(np.zeros((2, 4)), None, np.zeros(3), eps=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1, 4), (1, 4), (0, 4), (0, 5, 5, 4)])
def test_statistics_of_one_value_or_none_are_refused(shape):
    seen = []
    with pytest.raises(ValueError, match=f"batch_norm: x .* has {min(shape[0], 1)} values .* expected at least 2"):
        ops.batch_norm(np.ones(shape, np.float32), eps=1e-5, record=lambda *s: seen.append(s))
    assert not seen


def test_a_shard_may_be_empty_or_hold_one_value(rng):
    x, team = rng.standard_normal((4, 3)), Team(3)

    def member(rank):
        statistics = []
        with team.member(rank), np.errstate(all="raise"):
            y = ops.batch_norm(x[[slice(0, 3), slice(3, 3), slice(3, 4)][rank]], eps=0,
                               record=lambda *s: statistics.append(s)).numpy()
        return y, statistics[0]
    with ThreadPoolExecutor(3) as pool:
        shards = list(pool.map(member, range(3)))
    np.testing.assert_allclose(np.concatenate([y for y, _ in shards]), (x - x.mean(0)) / x.std(0), atol=1e-12)
    for _, (mean, var, count) in shards:
        np.testing.assert_allclose([mean, var], [x.mean(0), x.var(0)])
        assert count == 4
