"""Losses: what training makes small.  Each is a mean over the batch, a number without axes.

Those for classes take logits and fold the softmax in: log sum exp is computed without overflow, and its gradient,
probability minus target, costs no extra pass.
"""

import numpy as np

from ..backend import array_module
from ..engine import primitive
from ..fast_forms import has_fast_form
from .softmax import log_probabilities


@primitive
def cross_entropy(logits, targets, *, label_smoothing=0.0):
    """-sum_k t_k log softmax(logits)_k, averaged over the positions.    (..., K), (...) or (..., K) -> ()

    Parameters
    ----------
    logits : (..., K)
    targets
        Labels, integers from 0 to K - 1 (...), or probabilities (..., K).
    label_smoothing : float
        Each target t becomes (1 - label_smoothing) t + label_smoothing / K (arXiv:1512.00567, section 7).
    """
    xp, classes = array_module(logits), logits.shape[-1]
    are_labels = targets.dtype.kind in "iu"
    if targets.shape != (logits.shape[:-1] if are_labels else logits.shape):
        raise ValueError(f"cross_entropy: logits {logits.shape} need labels {logits.shape[:-1]} (int) or probabilities "
                         f"{logits.shape} (float), got {targets.shape} of {targets.dtype}")
    probabilities = targets
    if are_labels:
        _check_range("cross_entropy", "labels", targets, 0, classes - 1)
        probabilities = (targets[..., None] == xp.arange(classes)).astype(logits.dtype)  # (..., K)
    if label_smoothing:
        probabilities = (1 - label_smoothing) * probabilities + label_smoothing / classes
    losses, gradient, log_p = _cross_entropy_of_rows(logits, probabilities)
    count = logits.size // classes

    def backward(dy):
        return lambda: gradient() * (dy / count), lambda: log_p() * (dy * (label_smoothing - 1) / count)
    return losses.sum() / count, backward


@has_fast_form
def _cross_entropy_of_rows(logits, targets):
    """-sum_k t_k log p_k with p = softmax(x), and functions that give p sum_k t_k - t and log p, its gradients.

    (..., K), (..., K) -> (...), () -> (..., K), () -> (..., K)
    """
    log_p = log_probabilities(logits)

    def gradient():
        return array_module(log_p).exp(log_p) * targets.sum(-1, keepdims=True) - targets
    return -(targets * log_p).sum(-1), gradient, lambda: log_p


@primitive
def binary_cross_entropy(logits, targets):
    """-(t log p + (1 - t) log(1 - p)) with p = sigmoid(logits), averaged over all elements.    (...), (...) -> ()

    The targets t are numbers from 0 to 1. Computed as max(x, 0) - x t + log(1 + e^-|x|), which never overflows.
    """
    xp = array_module(logits)
    _check_shapes("binary_cross_entropy", logits, targets)
    _check_range("binary_cross_entropy", "targets", targets, 0, 1)
    small = xp.exp(-xp.abs(logits))
    losses = xp.clip(logits, 0, np.inf) - logits * targets + xp.log1p(small)

    def backward(dy):
        def d_logits():
            p = xp.where(logits > 0, 1, small) / (1 + small)
            return (p - targets) * (dy / logits.size)
        return d_logits, lambda: logits * (-dy / logits.size)
    return losses.mean(), backward


@primitive
def mse(x, target):
    """(x - target)^2, averaged over all elements.    (...), (...) -> ()"""
    _check_shapes("mse", x, target)
    difference = x - target

    def backward(dy):
        dx = difference * (2 * dy / x.size)
        return dx, lambda: -dx
    return (difference * difference).mean(), backward


@primitive
def l1(x, target):
    """|x - target|, averaged over all elements.    (...), (...) -> ()"""
    xp = array_module(x)
    _check_shapes("l1", x, target)
    difference = x - target

    def backward(dy):
        dx = xp.sign(difference) * (dy / x.size)
        return dx, lambda: -dx
    return xp.abs(difference).mean(), backward


@primitive
def smooth_l1(x, target, *, beta=1.0):
    """d^2 / 2 beta where |d| < beta, |d| - beta / 2 elsewhere, with d = x - target; averaged.    (...), (...) -> ()

    Quadratic near 0, linear far away (Girshick, arXiv:1504.08083, equation 3, where beta is 1).
    """
    xp = array_module(x)
    _check_shapes("smooth_l1", x, target)
    if beta <= 0:
        raise ValueError(f"smooth_l1: beta must be above 0, got {beta}; l1 is what beta = 0 would be")
    difference = x - target
    clipped = xp.clip(difference, -beta, beta)

    def backward(dy):
        dx = clipped * (dy / (beta * x.size))
        return dx, lambda: -dx
    return (clipped * (difference - clipped / 2)).mean() / beta, backward


@primitive
def kl_divergence(student, teacher, *, temperature=1.0):
    """T^2 sum_k p_k (log p_k - log q_k), averaged over the positions.    (..., K), (..., K) -> ()

    p = softmax(teacher / T) and q = softmax(student / T) are given by logits. The factor T^2 keeps the size of the
    gradients independent of the temperature T (Hinton et al., arXiv:1503.02531, section 2).
    """
    xp = array_module(student)
    _check_shapes("kl_divergence", student, teacher)
    if temperature <= 0:
        raise ValueError(f"kl_divergence: temperature must be above 0, got {temperature}")
    log_q, log_p = log_probabilities(student / temperature), log_probabilities(teacher / temperature)
    p, scale = xp.exp(log_p), temperature * student.shape[-1] / student.size
    divergence = (p * (log_p - log_q)).sum(-1, keepdims=True)  # (..., 1)

    def backward(dy):
        return (lambda: (xp.exp(log_q) - p) * (dy * scale),
                lambda: p * (log_p - log_q - divergence) * (dy * scale))
    return divergence.sum() * (scale * temperature), backward


def _check_shapes(name, x, target):
    if x.shape != target.shape:
        raise ValueError(f"{name}: expected two arrays of one shape, got {x.shape} and {target.shape}")


def _check_range(name, what, values, low, high):
    """On the CPU only: for the values on a GPU one would have to wait."""
    if array_module(values) is np and values.size and not (values.min() >= low and values.max() <= high):
        raise ValueError(f"{name}: {what} must be from {low} to {high}, got {values.min()} to {values.max()}")
