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


def torch_kl(T):
    def loss(torch, student, teacher):
        log_q, log_p = (torch.log_softmax(x / T, -1) for x in (student, teacher.detach()))
        return T * T * torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="sum") / len(student)
    return loss


def named(name):
    return lambda torch, x, y: getattr(torch.nn.functional, name)(x, y)


CASES = [
    Case(ops.cross_entropy, (7, 5), integers(5, 7), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (3, 4, 5), integers(5, 3, 4), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (7, 5), integers(5, 7), label_smoothing=0.1, torch=torch_cross_entropy(0.1)),
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


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_soft_targets_give_pytorchs_loss_and_gradient(rng, smoothing):
    torch = pytest.importorskip("torch")
    x, p = rng.standard_normal((6, 4)), rng.dirichlet(np.ones(4), 6)
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss = ops.cross_entropy(ours, p, label_smoothing=smoothing)
    reference = torch.nn.functional.cross_entropy(theirs, torch.tensor(p), label_smoothing=smoothing)
    reference.backward()
    assert loss.item() == pytest.approx(reference.item(), rel=1e-12)
    np.testing.assert_allclose(grad(loss, [ours])[0], theirs.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_divergence_against_pytorch_with_no_gradient_for_the_teacher(rng, temperature):
    torch = pytest.importorskip("torch")
    x, y = rng.standard_normal((2, 6, 4))
    student, teacher = Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)
    theirs = torch.tensor(x, requires_grad=True)
    loss = ops.kl_divergence(student, teacher, temperature=temperature)
    reference = torch_kl(temperature)(torch, theirs, torch.tensor(y))
    reference.backward()
    assert loss.item() == pytest.approx(reference.item(), rel=1e-12)
    gradient, none = grad(loss, [student, teacher])
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), atol=1e-12)
    assert (none == 0).all()


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
