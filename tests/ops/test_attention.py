"""Attention: against PyTorch and the composed softmax, for short and long sequences, in one block and in many."""

import sys
import tracemalloc

import numpy as np
import pytest

from minivit import Tensor, grad, gradcheck, ops
from tests.ops.cases import Case, booleans, check


def torch_attention(torch, q, k, v, bias=None):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, bias)


def torch_causal(torch, q, k, v, bias=None):
    mask = torch.ones(q.shape[-2], k.shape[-2], dtype=bool).tril()
    if bias is not None:
        mask = torch.zeros_like(bias).masked_fill(~mask, -torch.inf) + bias
    return torch_attention(torch, q, k, v, mask)


def torch_self_attention(heads, is_causal=False):
    def self_attention(torch, qkv, bias=None):
        B, N, D = qkv.shape
        q, k, v = qkv.reshape(B, N, 3, heads, -1).permute(2, 0, 3, 1, 4)  # 3 x (B, H, N, d)
        attend = torch_causal if is_causal else torch_attention
        return attend(torch, q, k, v, bias).transpose(1, 2).reshape(B, N, D // 3)
    return self_attention


# Heads of 2 numbers and 9 tokens or more count as long sequences, whose probabilities are computed again.
CASES = [
    Case(ops.attention, (2, 3, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5), torch=torch_attention),
    Case(ops.attention, (2, 3, 1, 5), (2, 3, 6, 5), (2, 3, 6, 4), torch=torch_attention),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), torch=torch_attention),
    Case(ops.attention, (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 5), (1, 3, 4, 6), torch=torch_attention),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), (2, 2, 11, 9), torch=torch_attention),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), (2, 11, 9), torch=torch_attention),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), (2, 1, 1, 9), torch=torch_attention),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), (1,), torch=torch_attention),
    Case(ops.attention, (2, 2, 4, 5), (2, 2, 9, 5), (2, 2, 9, 3), booleans(4, 9), torch=torch_attention),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), booleans(2, 1, 11, 9), torch=torch_attention),
    Case(ops.self_attention, (2, 5, 24), heads=2, torch=torch_self_attention(2)),
    Case(ops.self_attention, (2, 5, 24), (2, 5, 5), heads=2, torch=torch_self_attention(2)),
    Case(ops.self_attention, (2, 12, 18), heads=3, torch=torch_self_attention(3)),
    Case(ops.attention, (2, 3, 6, 5), (2, 3, 6, 5), (2, 3, 6, 5), is_causal=True, torch=torch_causal),
    Case(ops.attention, (2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 4), is_causal=True, torch=torch_causal),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 9, 2), (2, 2, 9, 3), is_causal=True, torch=torch_causal),
    Case(ops.attention, (2, 2, 11, 2), (2, 2, 11, 2), (2, 2, 11, 3), (2, 11, 11), is_causal=True, torch=torch_causal),
    Case(ops.self_attention, (2, 12, 18), heads=3, is_causal=True, torch=torch_self_attention(3, True)),
    Case(ops.attention_weights, (2, 3, 4, 5), (2, 3, 6, 5), is_causal=True, torch=lambda torch, q, k: torch.softmax(
        (q @ k.mT / 5 ** 0.5).masked_fill(~torch.ones(4, 6, dtype=bool).tril(), -torch.inf), -1)),
    Case(ops.attention_weights, (2, 3, 4, 5), (2, 3, 6, 5), booleans(4, 6), torch=lambda torch, q, k, mask:
         torch.softmax((q @ k.mT / 5 ** 0.5).masked_fill(~mask, -torch.inf), -1)),
    Case(ops.attention_weights, (2, 3, 4, 5), (2, 3, 6, 5), (4, 6), torch=lambda torch, q, k, bias:
         torch.softmax(q @ k.mT / 5 ** 0.5 + bias, -1)),
]


@pytest.fixture(params=["one block", "many blocks"])
def block(request, monkeypatch):
    """The tests run with all scores in one block, and with blocks of some queries of one head."""
    if request.param == "many blocks":
        for name in ("SCORES_CPU", "SCORES_GPU", "QUERIES"):
            monkeypatch.setattr(sys.modules["minivit.ops.attention"], name, 3)


def test_op(case, device, block):
    check(case, device)


def test_float32_agrees_with_the_composed_attention_up_to_rounding(rng, block):
    for N, d in ((30, 16), (100, 8)):
        tensors = [Tensor(rng.standard_normal((2, 3, N, d)).astype(np.float32), requires_grad=True) for _ in range(3)]
        q, k, v = tensors
        weights = rng.standard_normal((2, 3, N, d)).astype(np.float32)
        fused, composed = ops.attention(q, k, v), ops.attention_weights(q, k) @ v
        np.testing.assert_allclose(fused.numpy(), composed.numpy(), atol=1e-6)
        for a, b in zip(grad((fused * weights).sum(), tensors), grad((composed * weights).sum(), tensors), strict=True):
            np.testing.assert_allclose(a, b, atol=5e-6)


@pytest.mark.parametrize("N", [4, 12])
def test_scores_of_any_size(N, rng):
    """A row whose scores lie hundreds below those of another row of its block is still a distribution."""
    q, k, v = (rng.standard_normal((1, 1, N, 2)) for _ in range(3))
    k[..., 0] = 1 + 0.01 * k[..., 0]
    q[..., 0] = np.linspace(-1e4, 1e4, N)
    tensors = [Tensor(a.astype(np.float32), requires_grad=True) for a in (q, k, v)]
    y = ops.attention(*tensors)
    expected = ops.attention(*(t.numpy().astype(np.float64) for t in tensors))
    np.testing.assert_allclose(y.numpy(), expected.numpy(), atol=2e-3)  # of the rounding of scores near 1e4
    assert all(np.isfinite(g).all() for g in grad(y.sum(), tensors))


@pytest.mark.parametrize("N", [4, 12])
def test_a_query_that_may_attend_to_nothing_gets_zeros(N, rng, block):
    tensors = [Tensor(rng.standard_normal((1, 2, N, 2)), requires_grad=True) for _ in range(3)]
    mask = rng.random((N, N)) < 0.5
    mask[1] = False
    with np.errstate(all="raise", under="ignore"):
        y = ops.attention(*tensors, mask)
        dq, dk, dv = grad(y.sum(), tensors)
    assert (y.numpy()[:, :, 1] == 0).all()
    assert (dq[:, :, 1] == 0).all()
    assert np.isfinite(dk).all()
    assert (ops.attention_weights(*tensors[:2], mask).numpy()[:, :, 1] == 0).all()


@pytest.mark.parametrize("N", [4, 12])
def test_gradient_with_dropout(N, rng, block):
    arrays = [rng.standard_normal((2, 2, N, 2)) for _ in range(3)]

    def dropped(q, k, v):
        return ops.attention(q, k, v, dropout=0.4, rng=np.random.default_rng(3))
    gradcheck(dropped, *arrays, rng=rng)


def test_dropout_sets_probabilities_to_0_and_scales_the_others(rng):
    q, k = rng.standard_normal((2, 4, 3, 50, 8))
    identity = np.broadcast_to(np.eye(50), (4, 3, 50, 50))  # as values: the probabilities come out
    exact = ops.attention_weights(q, k).numpy()
    dropped = ops.attention(q, k, identity, dropout=0.25, rng=rng).numpy()
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], exact[kept] / 0.75, rtol=1e-9)
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.25 * 0.75 / kept.size)
    assert (ops.attention(q, k, identity, dropout=0.25, rng=rng).numpy() != dropped).any()


def test_memory_grows_linearly_with_the_number_of_tokens(rng):
    """4,096 tokens have 64 MiB of scores in each head; forward and backward need 7 MiB at their peak."""
    qkv = Tensor(rng.standard_normal((1, 4096, 3 * 16)).astype(np.float32), requires_grad=True)
    tracemalloc.start()
    grad(ops.self_attention(qkv, heads=1).sum(), [qkv])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_wrong_arguments_are_refused_with_numbers():
    x = np.zeros((2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"attention: queries \(2, 3, 4, 5\) need keys .* got \(2, 3, 4, 6\)"):
        ops.attention(x, np.zeros((2, 3, 4, 6)), x)
    with pytest.raises(ValueError, match=r"attention: a bias of shape \(4, 5\) does not fit scores \(2, 3, 4, 4\)"):
        ops.attention(x, x, x, np.zeros((4, 5)))
    with pytest.raises(ValueError, match="self_attention: qkv .* 20 is not divisible by 3 x 2 heads"):
        ops.self_attention(np.zeros((2, 4, 20)), heads=2)
    with pytest.raises(TypeError, match="attention: expected a bias of floating-point numbers or of bool, got int64"):
        ops.attention(x, x, x, np.ones((4, 4), np.int64))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("N", [4, 12])
def test_what_is_not_finite_is_nan_in_its_row_and_nowhere_else(N, dtype, bad, device, block):
    """Whatever else the row holds: no guard for rows of -inf may turn it into numbers."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((1, 2, N, 2)).astype(dtype) for _ in range(3))
    bias = np.zeros((2, N, N), dtype)
    bias[:, 1] = -np.inf
    bias[:, 2] = bad
    bias[0, 3] = [bad if j == 1 else 200.0 for j in range(N)]
    with np.errstate(all="ignore"):
        y = ops.attention(*(Tensor(a).to(device) for a in (q, k, v, bias))).numpy()[0]
        p = ops.attention_weights(*(Tensor(a).to(device) for a in (q, k, bias))).numpy()[0]
    rows = np.isnan(y).all(-1)
    np.testing.assert_array_equal(np.isnan(y).any(-1), rows)
    np.testing.assert_array_equal(rows[1], np.arange(N) == 2)
    np.testing.assert_array_equal(rows[0], (np.arange(N) == 2) | (np.arange(N) == 3))
    assert (y[:, 1] == 0).all()
    assert np.isfinite(p[:, 0]).all()


@pytest.mark.parametrize("N", [4, 12])
def test_a_nan_in_a_query_stays_in_its_row(N, block):
    q, k, v = np.ones((3, 1, 1, N, 2), np.float32)
    q[0, 0, 2] = np.nan
    y = ops.attention(q, k, v).numpy()[0, 0]
    np.testing.assert_array_equal(np.isnan(y).all(-1), np.arange(N) == 2)
