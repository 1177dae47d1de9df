"""Losses: values and gradients against PyTorch, stability, and what they refuse."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check, integers


def probabilities(*shape):
    """Rows that sum to 1."""
    def draw(rng):
        p = rng.uniform(0.1, 1, shape)
        return p / p.sum(-1, keepdims=True)
    draw.label = f"probabilities{shape}"
    return draw


def torch_cross_entropy(smoothing=0.0):
    def loss(torch, logits, targets):
        logits = logits.reshape(-1, logits.shape[-1])
        targets = targets.reshape(-1, logits.shape[-1]) if targets.is_floating_point() else targets.reshape(-1)
        return torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    return loss


def torch_kl(T=1.0):
    def loss(torch, student, teacher):
        log_q, log_p = (torch.log_softmax(x / T, -1).reshape(-1, x.shape[-1]) for x in (student, teacher))
        return T * T * torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
    return loss


def named(name):
    return lambda torch, x, y: getattr(torch.nn.functional, name)(x, y)


CASES = [
    Case(ops.cross_entropy, (7, 5), integers(5, 7), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (3, 4, 5), integers(5, 3, 4), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (7, 5), integers(5, 7), label_smoothing=0.1, torch=torch_cross_entropy(0.1)),
    Case(ops.cross_entropy, (7, 5), probabilities(7, 5), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (3, 4, 5), probabilities(3, 4, 5), label_smoothing=0.2, torch=torch_cross_entropy(0.2)),
    Case(ops.kl_divergence, (6, 4), (6, 4), torch=torch_kl()),
    Case(ops.kl_divergence, (2, 3, 4), (2, 3, 4), temperature=4.0, torch=torch_kl(4.0)),
    Case(ops.mse, (3, 4), (3, 4), torch=named("mse_loss")),
    Case(ops.l1, (3, 4), (3, 4), torch=named("l1_loss")),
    Case(ops.smooth_l1, (5, 4), (5, 4), torch=named("smooth_l1_loss")),
    Case(ops.smooth_l1, (5, 4), (5, 4), beta=0.5, torch=lambda torch, x, y: torch.nn.functional.smooth_l1_loss(
        x, y, beta=0.5)),
    Case(ops.binary_cross_entropy, (6, 3), probabilities(6, 3),
         torch=named("binary_cross_entropy_with_logits")),
]


def test_op(case, device):
    check(case, device)


def test_no_loss_overflows():
    logits = Tensor(np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32), requires_grad=True)
    for loss in (ops.cross_entropy(logits, np.array([0, 0])), ops.kl_divergence(logits, logits.detach()),
                 ops.binary_cross_entropy(logits, np.eye(2, dtype=np.float32))):
        assert np.isfinite(loss.item())
        assert np.isfinite(grad(loss, [logits])[0]).all()


def test_wrong_arguments_are_refused_with_numbers():
    logits = np.zeros((3, 4), np.float32)
    with pytest.raises(ValueError, match="labels must be from 0 to 3, got 0 to 4"):
        ops.cross_entropy(logits, np.array([0, 4, 1]))
    with pytest.raises(ValueError, match="labels must be from 0 to 3, got -1 to 2"):
        ops.cross_entropy(logits, np.array([-1, 2, 1]))
    with pytest.raises(ValueError, match=r"need labels \(3,\) \(int\) or probabilities \(3, 4\) \(float\), got \(2,\)"):
        ops.cross_entropy(logits, np.array([1, 2]))
    with pytest.raises(ValueError, match=r"mse: expected two arrays of one shape, got \(3, 4\) and \(4,\)"):
        ops.mse(logits, np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        ops.smooth_l1(logits, logits, beta=0)
    with pytest.raises(ValueError, match="targets must be from 0 to 1, got 0.0 to 1.5"):
        ops.binary_cross_entropy(logits[0, :2], np.array([0, 1.5], np.float32))
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        ops.kl_divergence(logits, logits, temperature=0)
