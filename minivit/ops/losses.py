"""What training makes small. Every loss is a mean over the batch (or over all numbers), without axes."""

import math

from ..backend import array_module
from ..engine import primitive


@primitive
def cross_entropy(logits, targets, *, label_smoothing=0.0):
    """-mean over b of sum_k t_bk log softmax(logits_b)_k.    (B, K), (B,) or (B, K) -> ()

    Parameters
    ----------
    logits : (..., K) float
    targets : (...) int or (..., K) float
        Labels, or a probability for each class (as Mixup makes them).
    label_smoothing : float
        t <- (1 - label_smoothing) t + label_smoothing / K (Szegedy et al., arXiv:1512.00567, section 7).
    """
    xp, K = array_module(logits), logits.shape[-1]
    labels = targets.dtype.kind in "iu"
    expected = logits.shape[:-1] if labels else logits.shape
    if targets.shape != expected:
        raise ValueError(f"cross_entropy: logits {logits.shape} need labels {logits.shape[:-1]} (int) or probabilities "
                         f"{logits.shape} (float), got {targets.shape} of {targets.dtype}")
    if labels:
        if targets.size and not (0 <= int(targets.min()) and int(targets.max()) < K):
            raise ValueError(f"cross_entropy: labels must be from 0 to {K - 1}, got {int(targets.min())} to "
                             f"{int(targets.max())}")
        targets = xp.eye(K, dtype=logits.dtype)[targets]  # (...) -> (..., K)
    t = targets * (1 - label_smoothing) + label_smoothing / K
    n = math.prod(logits.shape[:-1])
    log_p = logits - logits.max(-1, keepdims=True)
    log_p -= xp.log(xp.exp(log_p).sum(-1, keepdims=True))  # (..., K)

    def backward(dy):
        scale = dy / n
        # probabilities need not sum to 1 for this to be the gradient
        return lambda: (xp.exp(log_p) * t.sum(-1, keepdims=True) - t) * scale, None
    return -(t * log_p).sum() / n, backward


@primitive
def binary_cross_entropy(logits, targets):
    """-mean of t log s + (1 - t) log(1 - s) with s = sigmoid(logits), for targets from 0 to 1.    (...), (...) -> ()"""
    xp = array_module(logits)
    _expect_shape("binary_cross_entropy", logits, targets)
    # max(x, 0) - x t + log(1 + exp(-|x|)) is the same, and neither overflows nor cancels
    loss = xp.maximum(logits, 0) - logits * targets + xp.log1p(xp.exp(-xp.abs(logits)))
    s = 0.5 * (1 + xp.tanh(0.5 * logits))
    return loss.mean(), lambda dy: (lambda: (s - targets) * (dy / loss.size), lambda: -logits * (dy / loss.size))


@primitive
def mse(x, y):
    """mean of (x - y)^2.    (...), (...) -> ()"""
    _expect_shape("mse", x, y)
    d = x - y
    return (d * d).mean(), lambda dz: (lambda: d * (2 * dz / d.size), lambda: d * (-2 * dz / d.size))


@primitive
def l1(x, y):
    """mean of |x - y|; at 0 the slope is taken as 0.    (...), (...) -> ()"""
    xp = array_module(x)
    _expect_shape("l1", x, y)
    d = x - y
    return xp.abs(d).mean(), lambda dz: (lambda: xp.sign(d) * (dz / d.size), lambda: xp.sign(d) * (-dz / d.size))


@primitive
def smooth_l1(x, y, *, beta=1.0):
    """mean of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - y.    (...), (...) -> ()

    (Girshick, "Fast R-CNN", arXiv:1504.08083, eq. 3)
    """
    xp = array_module(x)
    _expect_shape("smooth_l1", x, y)
    if not beta > 0:
        raise ValueError(f"smooth_l1: beta must be above 0, got {beta}")
    d = x - y
    size = xp.abs(d)
    loss = xp.where(size < beta, size * size * (0.5 / beta), size - 0.5 * beta)
    slope = xp.clip(d / beta, -1, 1)
    return loss.mean(), lambda dz: (lambda: slope * (dz / d.size), lambda: slope * (-dz / d.size))


@primitive
def kl_divergence(student, teacher, *, temperature=1.0):
    """T^2 mean over b of KL(softmax(teacher_b / T), softmax(student_b / T)).    (..., K), (..., K) -> ()

    Both are logits. T^2 keeps the size of the gradients, which shrink with 1 / T^2 (Hinton et al., arXiv:1503.02531,
    section 2.1). The teacher gets no gradient.
    """
    xp = array_module(student)
    _expect_shape("kl_divergence", student, teacher)
    n = math.prod(student.shape[:-1])
    log_q, log_p = (_log_softmax(xp, logits / temperature) for logits in (student, teacher))
    p = xp.exp(log_p)
    value = temperature ** 2 * (p * (log_p - log_q)).sum() / n
    return value, lambda dy: (lambda: (xp.exp(log_q) - p) * (temperature * dy / n), None)


def _log_softmax(xp, x):
    x = x - x.max(-1, keepdims=True)
    return x - xp.log(xp.exp(x).sum(-1, keepdims=True))


def _expect_shape(name, x, y):
    if x.shape != y.shape:
        raise ValueError(f"{name}: expected two arrays of one shape, got {x.shape} and {y.shape}")
